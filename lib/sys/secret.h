/*
 * Keys, passphrases and tokens: in pages of their own that are locked into
 * memory, left out of core dumps, and wiped when closed.
 *
 *	struct secret s = SECRET_INIT;
 *	if (secret_read_file(&s, path, e) < 0) ...
 *	secret_clear(&s);
 */
#ifndef LIB_SYS_SECRET_H
#define LIB_SYS_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

#define SECRET_LIMIT ((size_t)256 << 10)	/* largest secret file, bytes */

struct secret {
	char *p;	/* NUL-terminated beyond n; NULL while empty */
	size_t n;
	size_t mapped;
};
#define SECRET_INIT {NULL, 0, 0}

/*
 * The directories in memory where secrets may be files (key rings, and the
 * sockets of their agents), then NULL.
 */
extern const char *const secret_places[];

/*
 * Called first in main. No core dump, no tracing by other processes of this
 * user; of the environment, which in a job is full of tokens, only what the
 * tools and their children (gpg, docker, podman) need. Descriptors 0 to 2 that
 * are closed are opened on /dev/null, the wrong way round: reading from 0 and
 * writing to 1 or 2 still fails with EBADF.
 */
void secret_harden_process(void);

/*
 * For a child that needs none of it: wipes the environment where the kernel
 * has put it, with what secret_harden_process has taken out of environ. Pages
 * of secrets are empty in children anyway.
 */
void secret_forget_environment(void);

/*
 * Reads a file that must be private: not readable or writable by group or
 * others, and owned by the caller or root. /dev/fd/N reads a descriptor. A
 * pipe or fifo is waited for until its writer closes it, or a signal comes.
 * ERR_REFUSED for a file that others can read, with the chmod that helps.
 */
int secret_read_file(struct secret *s, const char *path, struct err *e);

/*
 * Takes a token out of the environment; it can be taken once. False where it
 * is not set, or empty. secret_harden_process has moved the values of
 * SECRET_VARIABLES into secret memory and wiped them where they stood.
 */
#define SECRET_VARIABLES "DIGITALOCEAN_ACCESS_TOKEN", "GITLAB_TOKEN"
bool secret_take_variable(struct secret *s, const char *name);

/*
 * Becomes text followed by a copy of tail, NULL for none: a header with its
 * token. ERR_DATA where that is longer than a secret can be.
 */
int secret_join(struct secret *s, const char *text,
    const struct secret *tail, struct err *e);
/* Cuts one newline off the end: passphrase files have one. */
void secret_trim_newline(struct secret *s);
void secret_clear(struct secret *s);

#endif
