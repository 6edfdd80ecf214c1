#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/date.h"
#include "lib/base/mem.h"
#include "lib/pgp/gpg_private.h"
#include "lib/pgp/keyring.h"
#include "lib/pgp/pgp.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/secret.h"

#define MIN_RSA_BITS 3072
#define DAY 86400

struct signer_key {
	gpgme_key_t key;	/* NULL: there is none */
	struct buf public;
};

struct signer {
	struct keyring ring;		/* empty when the caller's is used */
	struct gpg_pool pool;
	struct secret passphrase;
	bool has_passphrase;
	struct signer_key first;
	struct signer_key next;
};

/* ------------------------------------------------------- judging a key */

static int
export_key(gpgme_ctx_t ctx, gpgme_key_t key, struct buf *out, struct err *e)
{
	gpgme_key_t keys[] = {key, NULL};
	gpgme_error_t code;
	gpgme_data_t data;
	struct gpg_wait w;
	size_t n = 0;
	char *p;

	code = gpgme_data_new(&data);
	if (code != 0)
		return gpg_failed(e, code, "export the public key");
	gpg_wait_begin(&w, ctx);
	code = gpg_wait_end(&w, gpgme_op_export_keys_start(ctx, keys,
	    GPGME_EXPORT_MODE_MINIMAL, data));
	p = gpgme_data_release_and_get_mem(data, &n);
	if (code == 0)
		buf_add(out, p, n);
	gpgme_free(p);
	return code ? gpg_failed(e, code, "export the public key") : 0;
}

static bool
is_rsa(gpgme_subkey_t key)
{
	return key->pubkey_algo == GPGME_PK_RSA ||
	    key->pubkey_algo == GPGME_PK_RSA_S;
}

static int
check_algorithm(gpgme_subkey_t primary, struct err *e)
{
	if (is_rsa(primary) && primary->length < MIN_RSA_BITS)
		return err_set(e, ERR_REFUSED, "RSA of %u bits is too weak: "
		    "%d are required", primary->length, MIN_RSA_BITS);
	if (primary->pubkey_algo == GPGME_PK_DSA)
		return err_set(e, ERR_REFUSED, "DSA is too weak: clients "
		    "refuse it");
	return 0;
}

static int
check_dates(gpgme_key_t key, unsigned min_days, struct err *e)
{
	int64_t now = (int64_t)time(NULL);
	int64_t expires = (int64_t)key->subkeys->expires;
	char date[DATE_SIZE];

	if (key->revoked)
		return err_set(e, ERR_REFUSED, "it was revoked");
	if (expires == 0)
		return 0;
	date_format(expires, date);
	date[strcspn(date, "T")] = '\0';
	if (key->expired || expires <= now)
		return err_set(e, ERR_REFUSED, "it expired on %s", date);
	if (expires - now < (int64_t)min_days * DAY)
		return err_set(e, ERR_REFUSED, "it expires on %s, in %" PRId64
		    " days, and [signing] min-days is %u: extend or replace "
		    "it", date, (expires - now) / DAY, min_days);
	return 0;
}

static int
check_bindings(const struct signer_key *k, struct err *e)
{
	struct buf packets = BUF_INIT;
	const char *weak = "damaged";

	if (pgp_read_armour(k->public.p, k->public.n, "PUBLIC KEY BLOCK",
	    &packets))
		weak = pgp_weak_binding(packets.p, packets.n);
	buf_clear(&packets);
	return weak == NULL ? 0 : err_set(e, ERR_REFUSED, "its own signature "
	    "is %s, which clients refuse: sign it again with SHA-512", weak);
}

static int
judge_key(gpgme_ctx_t ctx, struct signer_key *k,
    const struct signer_options *o, struct err *e)
{
	gpgme_subkey_t primary = k->key->subkeys;

	if (!primary->secret)
		return err_set(e, ERR_REFUSED, "it holds no secret primary "
		    "key, only subkeys, which rpm clients do not accept");
	if (check_dates(k->key, o->min_days, e) < 0 ||
	    check_algorithm(primary, e) < 0 ||
	    export_key(ctx, k->key, &k->public, e) < 0 ||
	    check_bindings(k, e) < 0)
		return -1;
	return primary->can_sign ? 0 : err_set(e, ERR_REFUSED, "it may not "
	    "be used to sign");
}

/* ------------------------------------------------------- loading a key */

/*
 * gpg signs with the newest signing subkey, whatever is asked for; rpm wants
 * the primary key. A key ring without the subkeys' secrets has no choice.
 */
static int
drop_secret_subkeys(struct signer *s, gpgme_key_t key, struct err *e)
{
	gpgme_subkey_t sub;
	char path[PATH_MAX];

	for (sub = key->subkeys->next; sub != NULL; sub = sub->next) {
		if (sub->keygrip == NULL)
			continue;
		snprintf(path, sizeof(path), "%s/private-keys-v1.d/%s.key",
		    s->ring.home, sub->keygrip);
		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(e, "remove a subkey's secret");
	}
	return 0;
}

/* The secret key with this fingerprint, or, with NULL, the only one. */
static int
find_key(gpgme_ctx_t ctx, const char *pattern, gpgme_key_t *key,
    struct err *e)
{
	struct gpg_wait w;
	gpgme_error_t code;
	size_t i;

	gpgme_set_keylist_mode(ctx, GPGME_KEYLIST_MODE_LOCAL |
	    GPGME_KEYLIST_MODE_WITH_SECRET);
	gpg_wait_begin(&w, ctx);
	code = gpg_wait_end(&w, gpgme_op_keylist_start(ctx, pattern, 1));
	if (code == 0 && w.n_keys == 1) {
		*key = w.keys[0];
		return 0;
	}
	for (i = 0; i < w.n_keys && i < COUNT(w.keys); i++)
		gpgme_key_unref(w.keys[i]);
	if (code != 0)
		return gpg_failed(e, code, "look for the key");
	return w.n_keys == 0 ?
	    err_set(e, ERR_MISSING, "it holds no secret key") :
	    err_set(e, ERR_DATA, "it holds more than one secret key");
}

/* The fingerprint of a key file alone: a second key must not be mistaken. */
static int
load_file(struct signer *s, gpgme_ctx_t ctx, const char *path,
    struct signer_key *k, struct err *e)
{
	gpgme_import_result_t result;
	struct secret text = SECRET_INIT;
	char fpr[64] = "";
	int status;

	if (secret_read_file(&text, path, e) < 0)
		return -1;
	status = gpg_import(ctx, text.p, text.n, path, e);
	secret_clear(&text);
	if (status < 0)
		return -1;
	result = gpgme_op_import_result(ctx);
	if (result->secret_read > 1)
		return err_set(e, ERR_DATA, "it holds more than one secret "
		    "key");
	if (result->secret_read == 0 || result->imports == NULL)
		return err_set(e, ERR_MISSING, "it holds no secret key");
	snprintf(fpr, sizeof(fpr), "%s", result->imports->fpr);
	if (find_key(ctx, fpr, &k->key, e) < 0)
		return -1;
	return drop_secret_subkeys(s, k->key, e);
}

static const char *
where(const struct signer_options *o)
{
	return o->key_file ? o->key_file : o->key;
}

static int
load_keys(struct signer *s, const struct signer_options *o, struct err *e)
{
	gpgme_ctx_t ctx;
	int status;

	if (o->key_file != NULL) {
		if (keyring_expect_sockets(&s->ring, e) < 0)
			return -1;
		s->pool.home = s->ring.home;
	}
	if (gpg_take(&s->pool, &ctx, e) < 0)
		return -1;
	status = o->key_file ? load_file(s, ctx, o->key_file, &s->first, e) :
	    find_key(ctx, o->key, &s->first.key, e);
	if (status == 0)
		status = judge_key(ctx, &s->first, o, e);
	if (status < 0) {
		err_wrap(e, "signing key '%s'", where(o));
	} else if (o->next_key_file != NULL) {
		status = load_file(s, ctx, o->next_key_file, &s->next, e);
		if (status == 0)
			status = judge_key(ctx, &s->next, o, e);
		if (status < 0)
			err_wrap(e, "next key '%s'", o->next_key_file);
	}
	gpg_give(&s->pool, ctx);
	return status;
}

/*
 * A first signature, before anything is built: a wrong passphrase shows now.
 * It must also be alone: the agent rewrites an imported key's file when it is
 * used for the first time, and a second user then finds it half written
 * ("Invalid value", gpg-agent 2.2.40).
 */
static int
try_keys(struct signer *s, struct err *e)
{
	struct buf signature = BUF_INIT;
	int status = signer_sign(s, SIGN_BINARY, "test\n", 5, false,
	    &signature, e);
	const char *weak;

	/* what the caller's gpg.conf has gpg do */
	weak = status == 0 ? pgp_weak_binding(signature.p, signature.n) : NULL;
	if (weak != NULL)
		status = err_set(e, ERR_REFUSED, "gpg makes a signature of %s, "
		    "which clients refuse: remove digest-algo from gpg.conf",
		    weak);
	else if (status == 0 && pgp_expires(signature.p, signature.n))
		status = err_set(e, ERR_REFUSED, "gpg makes signatures that "
		    "expire, and clients would refuse the repository then: "
		    "remove default-sig-expire and ask-sig-expire from "
		    "gpg.conf");
	buf_clear(&signature);
	return status < 0 ? err_wrap(e, "try the signing key") : 0;
}

struct signer *
signer_new(struct err *e)
{
	struct signer *s = mem_zero(1, sizeof(*s));

	s->ring = (struct keyring)KEYRING_INIT;
	s->pool = (struct gpg_pool)GPG_POOL_INIT;
	if (keyring_open(&s->ring, true, e) == 0)
		return s;
	signer_close(s);
	return NULL;
}

int
signer_load(struct signer *s, const struct signer_options *o, struct err *e)
{
	if (o->next_key_file != NULL && o->key_file == NULL)
		return err_set(e, ERR_CONFIG, "[signing] next-key-file needs "
		    "key-file: both keys must be in one key ring");
	if (o->passphrase_file != NULL) {
		if (secret_read_file(&s->passphrase, o->passphrase_file, e) < 0)
			return -1;
		secret_trim_newline(&s->passphrase);
		s->has_passphrase = true;
	}
	if (load_keys(s, o, e) < 0 || try_keys(s, e) < 0)
		return -1;
	log_detail("signing with key %s", signer_fingerprint(s));
	return 0;
}

struct signer *
signer_open(const struct signer_options *o, struct err *e)
{
	struct signer *s = signer_new(e);

	if (s == NULL || signer_load(s, o, e) == 0)
		return s;
	signer_close(s);
	return NULL;
}

void
signer_close(struct signer *s)
{
	if (s == NULL)
		return;
	if (s->first.key != NULL)
		gpgme_key_unref(s->first.key);
	if (s->next.key != NULL)
		gpgme_key_unref(s->next.key);
	buf_clear(&s->first.public);
	buf_clear(&s->next.public);
	secret_clear(&s->passphrase);
	gpg_pool_clear(&s->pool);
	keyring_close(&s->ring);
	free(s);
}

/* -------------------------------------------------------------- signing */

static gpgme_error_t
give_passphrase(void *arg, const char *hint, const char *info, int was_bad,
    int fd)
{
	struct signer *s = arg;
	struct err ignored = ERR_INIT;

	(void)hint;
	(void)info;
	if (!s->has_passphrase)
		return gpgme_error(GPG_ERR_NO_PASSPHRASE);
	if (was_bad)
		return gpgme_error(GPG_ERR_BAD_PASSPHRASE);
	if (io_write(fd, s->passphrase.p, s->passphrase.n, "gpg",
	    &ignored) < 0 || io_write(fd, "\n", 1, "gpg", &ignored) < 0)
		return gpgme_error(GPG_ERR_EPIPE);
	return 0;
}

/* Each signature must be by the primary key of a key that was asked for. */
static int
check_signers(struct signer *s, gpgme_ctx_t ctx, int wanted, struct err *e)
{
	gpgme_sign_result_t result = gpgme_op_sign_result(ctx);
	gpgme_new_signature_t made;
	int n = 0;

	for (made = result->signatures; made != NULL; made = made->next, n++) {
		if (strcmp(made->fpr, s->first.key->subkeys->fpr) == 0)
			continue;
		if (s->next.key != NULL &&
		    strcmp(made->fpr, s->next.key->subkeys->fpr) == 0)
			continue;
		return err_set(e, ERR_REFUSED, "sign: gpg signed with the "
		    "subkey %s: use [signing] key-file, or a key without "
		    "signing subkeys", made->fpr);
	}
	if (n != wanted)
		return err_set(e, ERR_REFUSED, "sign: %d signatures made, "
		    "%d wanted", n, wanted);
	return 0;
}

int
signer_sign(struct signer *s, enum sign_mode mode, const void *text,
    size_t n, bool first_only, struct buf *signature, struct err *e)
{
	bool both = s->next.key != NULL && !first_only;
	gpgme_data_t in = NULL, out = NULL;
	struct gpg_wait w;
	gpgme_error_t code;
	gpgme_ctx_t ctx;
	int status;
	size_t size = 0;
	char *p;

	if (gpg_take(&s->pool, &ctx, e) < 0)
		return -1;
	gpg_wait_begin(&w, ctx);
	gpgme_set_pinentry_mode(ctx, GPGME_PINENTRY_MODE_LOOPBACK);
	gpgme_set_armor(ctx, mode != SIGN_BINARY);
	gpgme_set_passphrase_cb(ctx, give_passphrase, s);
	code = gpgme_signers_add(ctx, s->first.key);
	if (code == 0 && both)
		code = gpgme_signers_add(ctx, s->next.key);
	if (code == 0)
		code = gpg_lend(&in, text, n);
	if (code == 0)
		code = gpgme_data_new(&out);
	if (code == 0)
		code = gpg_wait_end(&w, gpgme_op_sign_start(ctx, in, out,
		    mode == SIGN_CLEAR ? GPGME_SIG_MODE_CLEAR :
		    GPGME_SIG_MODE_DETACH));
	status = code ? gpg_failed(e, code, "sign") :
	    check_signers(s, ctx, both ? 2 : 1, e);
	gpgme_data_release(in);
	if (out != NULL) {
		p = gpgme_data_release_and_get_mem(out, &size);
		if (status == 0)
			buf_add(signature, p, size);
		gpgme_free(p);
	}
	gpgme_set_armor(ctx, 1);
	gpg_give(&s->pool, ctx);
	return status;
}

int
signer_check_rsa(const struct signer *s, struct err *e)
{
	if (is_rsa(s->first.key->subkeys))
		return 0;
	return err_set(e, ERR_REFUSED, "signing key %s: it is not RSA, which "
	    "rpm of Enterprise Linux 8 and 9 needs", signer_fingerprint(s));
}

const struct buf *
signer_public(const struct signer *s)
{
	return &s->first.public;
}

const struct buf *
signer_public_next(const struct signer *s)
{
	return s->next.key ? &s->next.public : NULL;
}

const char *
signer_fingerprint(const struct signer *s)
{
	return s->first.key->subkeys->fpr;
}
