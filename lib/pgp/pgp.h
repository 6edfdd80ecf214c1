/*
 * OpenPGP signatures, by gpgme: verifying against a set of trusted keys, and
 * signing with a key that was looked at first.
 *
 *	struct pgp *p = pgp_open(keys, n, "trusted.asc", e);
 *	pgp_verify(p, text, n, signature, m, "SHA256SUMS.asc", e);
 *	pgp_close(p);
 *
 * A struct pgp may be used by several threads at once.
 */
#ifndef LIB_PGP_PGP_H
#define LIB_PGP_PGP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define PGP_KEY_LIMIT ((size_t)1 << 20)	/* largest public key file, bytes */

/* A throw-away key ring. Forks: call it while there is one thread. */
struct pgp *pgp_new(struct err *e);
/* Adds public keys, armoured or not. */
int pgp_trust(struct pgp *p, const void *keys, size_t n, const char *what,
    struct err *e);
/* Both at once. */
struct pgp *pgp_open(const void *keys, size_t n, const char *what,
    struct err *e);
void pgp_close(struct pgp *p);	/* accepts NULL */
/* Reads a file of public keys for pgp_open. */
int pgp_read_keys(const char *path, struct buf *keys, struct err *e);

/*
 * Is `signature` a detached signature over text by a trusted key? One good
 * one is enough where there are several. ERR_REFUSED and the reason else.
 */
int pgp_verify(struct pgp *p, const void *text, size_t n,
    const void *signature, size_t m, const char *what, struct err *e);
/* The same for a clear-signed message; its text goes to *plain. */
int pgp_verify_clear(struct pgp *p, const void *message, size_t n,
    struct buf *plain, const char *what, struct err *e);

/* What to sign with. Paths and names are borrowed; NULL: not given. */
struct signer_options {
	const char *key_file;		/* an armoured secret key */
	const char *key;		/* or: in the caller's own key ring */
	const char *passphrase_file;
	const char *next_key_file;	/* signs too, but not rpm metadata */
	unsigned min_days;		/* the key must last this long */
};

/* SIGN_BINARY: detached, and not armoured. */
enum sign_mode { SIGN_DETACHED, SIGN_CLEAR, SIGN_BINARY };

/*
 * Loads and judges the keys; nothing was signed yet when it refuses one.
 * ERR_MISSING: no such key. ERR_REFUSED: expired or soon to be, revoked,
 * weak, without its primary secret key, file open to others.
 */
struct signer *signer_open(const struct signer_options *o, struct err *e);
/* The same in two steps: only the first must be taken by a lone thread. */
struct signer *signer_new(struct err *e);
int signer_load(struct signer *s, const struct signer_options *o,
    struct err *e);
/*
 * A signature by the key and, unless first_only, by the next key.
 * It is checked that the primary keys made it. Threads may sign at once.
 */
int signer_sign(struct signer *s, enum sign_mode mode, const void *text,
    size_t n, bool first_only, struct buf *signature, struct err *e);
/* The public half, armoured and minimal. next: NULL where there is none. */
const struct buf *signer_public(const struct signer *s);
const struct buf *signer_public_next(const struct signer *s);
/* ERR_REFUSED unless the first key is RSA: rpms are to be signed. */
int signer_check_rsa(const struct signer *s, struct err *e);
/* The first key's primary fingerprint, in capital hexadecimal digits. */
const char *signer_fingerprint(const struct signer *s);
void signer_close(struct signer *s);	/* accepts NULL */

/*
 * The weakest digest algorithm among the signatures that bind a key (binary
 * packets, RFC 4880 4.2 and 5.2): its name if it is MD5, SHA-1 or RIPEMD-160,
 * "version 3" for a signature older than v4, "damaged" for what cannot be
 * read, NULL if all is well.
 */
const char *pgp_weak_binding(const void *key, size_t n);

/* How many signatures (binary packets); -1 if it is not only such. */
int pgp_count_signatures(const void *packets, size_t n);
/*
 * Appends the packets of an armoured "SIGNATURE" or "PUBLIC KEY BLOCK" (RFC
 * 4880 6.2). Strict: one block from the first byte to the last, and its
 * checksum, if there is one, is right; false for anything else.
 */
bool pgp_read_armour(const char *text, size_t n, const char *what,
    struct buf *packets);
/* Are the packets one public key, and nothing else? */
bool pgp_is_one_key(const void *packets, size_t n);

/* True if one of the signatures (binary packets) is for a time only. */
bool pgp_expires(const void *signatures, size_t n);

/*
 * The fingerprint of the key that a binary v4 signature says it is by (RFC
 * 4880bis 5.2.3.28, which gpg writes since 2.1), in capital hexadecimal
 * digits; false where it does not say.
 */
#define PGP_FINGERPRINT 41
bool pgp_issuer(const void *signature, size_t n,
    char fingerprint[PGP_FINGERPRINT]);

#endif
