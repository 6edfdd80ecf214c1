/*
 * The keys of a run: one or two key rings that sign, and one that checks as
 * clients do, with public keys alone.
 *
 *	struct keys k = KEYS_INIT;
 *	if (keys_open(&k, conf, e) < 0) ...	one thread; starts the loading
 *	... read what is published ...
 *	if (keys_await(&k, e) < 0) ...		before anything is built
 *	... signer_sign(k.signer, ...), keys_signer(&k, i) ...
 *	keys_end(&k);				beside other work
 *	keys_close(&k);				also after a failure
 */
#ifndef KEYS_H
#define KEYS_H

#include <stddef.h>

#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/pgp/pgp.h"

#define KEYS_MANY_RPMS 16	/* to sign: they are worth a second agent */

struct keys {
	const struct conf *conf;
	struct signer *signer;		/* the first; after keys_await */
	struct signer *signers[2];	/* it, and one more for many rpms */
	size_t n_rings;
	size_t n_loaded;
	struct pgp *public;		/* trusts nothing yet */
	struct background *loading;
	struct background *closing;
};
#define KEYS_INIT {.conf = NULL}

/*
 * Makes the key rings, which forks: call it while there is one thread. Begins
 * to load and judge the key that is configured. conf is borrowed.
 */
int keys_open(struct keys *k, const struct conf *conf, struct err *e);
/* Waits until the key is loaded; says why it is refused. */
int keys_await(struct keys *k, struct err *e);
/* Loads the second signer if it is not loaded yet. One thread only. */
int keys_widen(struct keys *k, struct err *e);
/* The signer for the i-th of many things. */
struct signer *keys_signer(struct keys *k, size_t i);
/* Begins to end all key rings, beside other work. */
void keys_end(struct keys *k);
void keys_close(struct keys *k);

/* ------------------------------------------ what the configuration says */

/* Loads and judges the configured key, and the next one. */
int keys_load(const struct conf *conf, struct signer *signer, struct err *e);
/*
 * The configured key file, else the one that a GitLab secure file becomes;
 * yours. NULL where a key of the caller's own key ring is configured.
 */
char *keys_file(const struct conf *conf);
/*
 * Where the tree has the public key: "gpg/<prefix>-packages-key.public", yours;
 * suffix "" or "-next".
 */
char *keys_public_path(const struct conf *conf, const char *suffix);

#endif
