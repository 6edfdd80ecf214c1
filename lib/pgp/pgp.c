#include "lib/pgp/pgp.h"

#include <gpgme.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/pgp/keyring.h"
#include "lib/pgp/pgp_context.h"
#include "lib/sys/fs.h"

struct pgp {
	struct keyring ring;
	struct pgp_pool pool;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
start_gpgme(void)
{
	/* gpgconf would be asked where gpg is, which PATH knows, too */
	gpgme_set_global_flag("disable-gpgconf", "1");
	/* gpgme.h: needed before any other call, also for threads */
	gpgme_check_version(NULL);
}

int
pgp_failed(struct err *e, gpgme_error_t code, const char *doing)
{
	enum err_kind kind = ERR_REFUSED;

	switch (gpgme_err_code(code)) {
	case GPG_ERR_NO_DATA:
	case GPG_ERR_BAD_DATA:
		kind = ERR_DATA;
		break;
	case GPG_ERR_INV_ENGINE:
		return err_set(e, ERR_UNAVAILABLE,
		    "%s: gpg is missing: install gnupg", doing);
	case GPG_ERR_ENOSPC:
	case GPG_ERR_EIO:
		kind = ERR_IO;
		break;
	case GPG_ERR_NO_PASSPHRASE:
	case GPG_ERR_NO_PIN_ENTRY:
	case GPG_ERR_CANCELED:
		return err_set(e, ERR_REFUSED, "%s: the key has a passphrase: "
		    "set [signing] passphrase-file", doing);
	case GPG_ERR_BAD_PASSPHRASE:
		return err_set(e, ERR_REFUSED, "%s: wrong passphrase in "
		    "[signing] passphrase-file", doing);
	default:
		break;
	}
	return err_set(e, kind, "%s: %s", doing, gpgme_strerror(code));
}

/*
 * gpgme starts gpg to ask its version whenever a context is given a home, but
 * not for a new context that begins with the default one. So the home is made
 * the default, by one thread at a time, and stays it until another is wanted.
 */
static int
set_home(const char *home, struct err *e)
{
	static char *present;
	gpgme_error_t code;

	if (present == home || (present && home && !strcmp(present, home)))
		return 0;
	code = gpgme_set_engine_info(GPGME_PROTOCOL_OpenPGP, NULL, home);
	if (code != 0)
		return pgp_failed(e, code, "start gpg");
	free(present);
	present = home ? mem_dup(home) : NULL;
	return 0;
}

static int
new_context(gpgme_ctx_t *ctx, struct err *e)
{
	gpgme_error_t code = gpgme_new(ctx);

	if (code != 0)
		return pgp_failed(e, code, "start gpgme");
	gpgme_set_armor(*ctx, 1);
	gpgme_set_offline(*ctx, 1);
	return 0;
}

/* As many contexts as there will be threads, while the home is the default. */
static int
fill(struct pgp_pool *pool, struct err *e)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int status;

	pthread_once(&once, start_gpgme);
	pthread_mutex_lock(&lock);
	status = set_home(pool->home, e);
	while (status == 0 && pool->n < COUNT(pool->idle)) {
		status = new_context(&pool->idle[pool->n], e);
		if (status == 0)
			pool->n++;
	}
	pthread_mutex_unlock(&lock);
	return status;
}

int
pgp_take(struct pgp_pool *pool, gpgme_ctx_t *ctx, struct err *e)
{
	int status = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->n == 0)
		status = fill(pool, e);
	if (status == 0)
		*ctx = pool->idle[--pool->n];
	pthread_mutex_unlock(&pool->lock);
	return status;
}

void
pgp_give(struct pgp_pool *pool, gpgme_ctx_t ctx)
{
	gpgme_signers_clear(ctx);
	pthread_mutex_lock(&pool->lock);
	if (pool->n < COUNT(pool->idle)) {
		pool->idle[pool->n++] = ctx;
		ctx = NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	if (ctx != NULL)
		gpgme_release(ctx);
}

void
pgp_pool_clear(struct pgp_pool *pool)
{
	while (pool->n > 0)
		gpgme_release(pool->idle[--pool->n]);
}

gpgme_error_t
pgp_lend(gpgme_data_t *data, const void *p, size_t n)
{
	gpgme_error_t code = gpgme_data_new_from_mem(data, p ? p : "", n, 0);

	/* 512 bytes at a time unless asked otherwise; an old one ignores it */
	if (code == 0)
		(void)gpgme_data_set_flag(*data, "io-buffer-size", "65536");
	return code;
}

int
pgp_import(gpgme_ctx_t ctx, const void *keys, size_t n, const char *what,
    struct err *e)
{
	gpgme_import_result_t result;
	gpgme_error_t code;
	gpgme_data_t data;
	char *doing;

	code = pgp_lend(&data, keys, n);
	if (code == 0) {
		code = gpgme_op_import(ctx, data);
		gpgme_data_release(data);
	}
	result = gpgme_op_import_result(ctx);
	if (code != 0 || result == NULL || result->considered == 0) {
		doing = mem_format("read the key in '%s'", what);
		if (code == 0)
			code = gpgme_error(GPG_ERR_NO_DATA);
		pgp_failed(e, code, doing);
		free(doing);
		return -1;
	}
	return result->considered;
}

struct pgp *
pgp_new(struct err *e)
{
	struct pgp *p = mem_zero(1, sizeof(*p));

	p->ring = (struct keyring)KEYRING_INIT;
	p->pool = (struct pgp_pool)PGP_POOL_INIT;
	if (keyring_open(&p->ring, false, e) < 0) {
		pgp_close(p);
		return NULL;
	}
	p->pool.home = p->ring.home;
	return p;
}

int
pgp_trust(struct pgp *p, const void *keys, size_t n, const char *what,
    struct err *e)
{
	gpgme_ctx_t ctx;
	int status;

	if (pgp_take(&p->pool, &ctx, e) < 0)
		return -1;
	status = pgp_import(ctx, keys, n, what, e);
	pgp_give(&p->pool, ctx);
	return status < 0 ? -1 : 0;
}

struct pgp *
pgp_open(const void *keys, size_t n, const char *what, struct err *e)
{
	struct pgp *p = pgp_new(e);

	if (p == NULL || pgp_trust(p, keys, n, what, e) == 0)
		return p;
	pgp_close(p);
	return NULL;
}

int
pgp_read_keys(const char *path, struct buf *keys, struct err *e)
{
	return fs_read_path(path, PGP_KEY_LIMIT, keys, e);
}

void
pgp_close(struct pgp *p)
{
	if (p == NULL)
		return;
	pgp_pool_clear(&p->pool);
	keyring_close(&p->ring);
	free(p);
}

/* NULL if the signature is good, else the reason in words. */
static const char *
judge_signature(gpgme_signature_t s)
{
	switch (gpgme_err_code(s->status)) {
	case GPG_ERR_NO_ERROR:
		break;
	case GPG_ERR_BAD_SIGNATURE:
		return "bad signature: the text was changed";
	case GPG_ERR_NO_PUBKEY:
		return "signed by a key that is not trusted";
	case GPG_ERR_KEY_EXPIRED:
		return "signed by a key that has expired";
	case GPG_ERR_CERT_REVOKED:
		return "signed by a key that was revoked";
	case GPG_ERR_SIG_EXPIRED:
		return "the signature has expired";
	default:
		return gpgme_strerror(s->status);
	}
	if (s->hash_algo == GPGME_MD_MD5 || s->hash_algo == GPGME_MD_SHA1 ||
	    s->hash_algo == GPGME_MD_RMD160)
		return "the signature's digest is weak";
	return NULL;
}

static int
judge(gpgme_ctx_t ctx, gpgme_error_t code, const char *what, struct err *e)
{
	gpgme_verify_result_t result = gpgme_op_verify_result(ctx);
	const char *reason = "there is no signature", *fpr = "";
	gpgme_signature_t s;

	if (code != 0 && gpgme_err_code(code) != GPG_ERR_NO_DATA &&
	    gpgme_err_code(code) != GPG_ERR_BAD_SIGNATURE) {
		char *doing = mem_format("verify %s", what);

		pgp_failed(e, code, doing);
		free(doing);
		return -1;
	}
	for (s = result ? result->signatures : NULL; s != NULL; s = s->next) {
		reason = judge_signature(s);
		if (reason == NULL)
			return 0;
		fpr = s->fpr ? s->fpr : "";
		/* a second good one does not mend a changed text */
		if (gpgme_err_code(s->status) == GPG_ERR_BAD_SIGNATURE)
			break;
	}
	return err_set(e, ERR_REFUSED, "%s: %s%s%s%s", what, reason,
	    fpr[0] ? " (key " : "", fpr, fpr[0] ? ")" : "");
}

/* With plain: text is a clear-signed message. Without: it is detached. */
static int
verify(struct pgp *p, const void *text, size_t n, const void *signature,
    size_t m, struct buf *plain, const char *what, struct err *e)
{
	gpgme_data_t in = NULL, sig = NULL, out = NULL;
	gpgme_error_t code;
	gpgme_ctx_t ctx;
	int status;
	char *result;
	size_t size;

	if (pgp_take(&p->pool, &ctx, e) < 0)
		return -1;
	code = pgp_lend(&in, text, n);
	if (code == 0 && plain == NULL)
		code = pgp_lend(&sig, signature, m);
	if (code == 0 && plain != NULL)
		code = gpgme_data_new(&out);
	if (code == 0)
		code = plain ? gpgme_op_verify(ctx, in, NULL, out) :
		    gpgme_op_verify(ctx, sig, in, NULL);
	status = judge(ctx, code, what, e);
	if (out != NULL) {
		result = gpgme_data_release_and_get_mem(out, &size);
		if (status == 0)
			buf_add(plain, result, size);
		gpgme_free(result);
	}
	gpgme_data_release(in);
	gpgme_data_release(sig);
	pgp_give(&p->pool, ctx);
	return status;
}

int
pgp_verify(struct pgp *p, const void *text, size_t n, const void *signature,
    size_t m, const char *what, struct err *e)
{
	return verify(p, text, n, signature, m, NULL, what, e);
}

int
pgp_verify_clear(struct pgp *p, const void *message, size_t n,
    struct buf *plain, const char *what, struct err *e)
{
	return verify(p, message, n, NULL, 0, plain, what, e);
}
