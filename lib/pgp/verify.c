#include "lib/pgp/pgp.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/pgp/gpg_private.h"
#include "lib/pgp/keyring.h"
#include "lib/sys/fs.h"

struct pgp {
	struct keyring ring;
	struct gpg_pool pool;
	bool has_keys;
};

struct pgp *
pgp_new(struct err *e)
{
	struct pgp *p = mem_zero(1, sizeof(*p));

	p->ring = (struct keyring)KEYRING_INIT;
	p->pool = (struct gpg_pool)GPG_POOL_INIT;
	if (keyring_open(&p->ring, false, e) < 0) {
		pgp_close(p);
		return NULL;
	}
	p->pool.home = p->ring.home;
	return p;
}

/*
 * A file of packets is a key ring of gpg's, as gpgv and apt have them: nobody
 * need start gpg to make one. 1 where this is no key alone, which gpg may know
 * how to read, or how to join with another.
 */
static int
write_ring(struct pgp *p, const void *keys, size_t n, struct err *e)
{
	struct buf packets = BUF_INIT;
	int dir, status = 1;

	if (p->has_keys)
		return 1;
	if (!pgp_read_armour(keys, n, "PUBLIC KEY BLOCK", &packets)) {
		packets.n = 0;
		buf_add(&packets, keys, n);
	}
	if (pgp_is_one_key(packets.p, packets.n)) {
		dir = fs_open_dir(p->ring.home, e);
		status = dir < 0 ? -1 : fs_write(dir, "pubring.gpg", packets.p,
		    packets.n, 0600, e);
		if (dir >= 0)
			close(dir);
		if (status < 0)
			err_wrap(e, "key ring in '%s'", p->ring.home);
	}
	buf_clear(&packets);
	return status;
}

int
pgp_trust(struct pgp *p, const void *keys, size_t n, const char *what,
    struct err *e)
{
	gpgme_ctx_t ctx;
	int status = write_ring(p, keys, n, e);

	if (status > 0) {
		if (keyring_expect_sockets(&p->ring, e) < 0 ||
		    gpg_take(&p->pool, &ctx, e) < 0)
			return -1;
		status = gpg_import(ctx, keys, n, what, e);
		gpg_give(&p->pool, ctx);
	}
	p->has_keys = true;
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
	gpg_pool_clear(&p->pool);
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

		gpg_failed(e, code, doing);
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
	struct gpg_wait w;
	gpgme_error_t code;
	gpgme_ctx_t ctx;
	int status;
	char *result;
	size_t size;

	if (gpg_take(&p->pool, &ctx, e) < 0)
		return -1;
	gpg_wait_begin(&w, ctx);
	code = gpg_lend(&in, text, n);
	if (code == 0 && plain == NULL)
		code = gpg_lend(&sig, signature, m);
	if (code == 0 && plain != NULL)
		code = gpgme_data_new(&out);
	if (code == 0)
		code = gpg_wait_end(&w, plain ?
		    gpgme_op_verify_start(ctx, in, NULL, out) :
		    gpgme_op_verify_start(ctx, sig, in, NULL));
	status = judge(ctx, code, what, e);
	if (out != NULL) {
		result = gpgme_data_release_and_get_mem(out, &size);
		if (status == 0)
			buf_add(plain, result, size);
		gpgme_free(result);
	}
	gpgme_data_release(in);
	gpgme_data_release(sig);
	gpg_give(&p->pool, ctx);
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
