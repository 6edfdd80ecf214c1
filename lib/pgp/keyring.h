/*
 * A throw-away home directory for gpg: in memory (tmpfs), its agent stopped
 * and its files gone at every kind of end. A small process of its own, the
 * keeper, waits for the end of this one and clears up: also after kill -9.
 * What a keeper that was killed too has left, the next keyring_open removes.
 *
 * keyring_open forks: call it while the process has one thread.
 */
#ifndef LIB_PGP_KEYRING_H
#define LIB_PGP_KEYRING_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/err.h"

struct keyring {
	char *home;	/* GNUPGHOME; NULL while closed */
	pid_t keeper;
	int alive;	/* the keeper acts when the last copy is closed */
};
#define KEYRING_INIT {NULL, 0, -1}

/*
 * Without secrets, gpg starts no agent. ERR_UNAVAILABLE where there is no
 * directory in memory, or no gpg that works.
 */
int keyring_open(struct keyring *k, bool has_secrets, struct err *e);
/*
 * To be called before gpg does more there than verify: it then makes a
 * directory for its agent's sockets, which keyring_close removes.
 */
int keyring_expect_sockets(const struct keyring *k, struct err *e);
/*
 * The directory in memory where key rings are, if it is full: gpg does not say
 * so. NULL: it has room, or there was no key ring yet.
 */
const char *keyring_full_place(void);
/*
 * Returns when agent and files are gone: some seconds at most. Accepts what
 * was never opened.
 */
void keyring_close(struct keyring *k);

#endif
