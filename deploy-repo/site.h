/*
 * What the web server serves:
 *
 *	<root>/.releases/<serial>/	each generation, whole
 *	<root>/.releases/current	the link that is swapped: "<serial>"
 *	<root>/apt, rpm, gpg, ...	links through current
 *
 * A file that two generations share is one file with two names. Besides
 * generations, .releases holds:
 *
 *	next.<pid>	one on its way in; the next run removes it
 *	spare		one that was removed, and becomes the next one
 *	replaced.<n>	what stood in the root before the first deployment
 *	mark		see mark.h
 */
#ifndef SITE_H
#define SITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "deploy-repo/mark.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/pgp/pgp.h"
#include "lib/tree/manifest.h"

#define SITE_RELEASES ".releases"
#define SITE_CURRENT "current"
#define SITE_PREFIX SITE_RELEASES "/" SITE_CURRENT "/"
#define SITE_NEXT "next."
#define SITE_SPARE "spare"
#define SITE_REPLACED "replaced."
#define SERIAL_TEXT 24

struct site {
	const struct conf *conf;
	char *path;		/* of the root */
	int root;
	int releases;		/* -1: nothing was ever deployed */
	int inbox;		/* [deploy] inbox; -1: see no_inbox */
	struct err no_inbox;	/* why it is not open */
	int lock;		/* -1: opened for reading */
	uint64_t live;		/* 0: nothing is live */
	struct mark mark;	/* if opened for writing */
	uid_t owner;		/* (uid_t)-1: leave it */
	gid_t group;
};
#define SITE_INIT {.root = -1, .releases = -1, .inbox = -1, .lock = -1}

/*
 * Opens the root, which must exist, .releases and the inbox, and enters the
 * sandbox. For writing: makes .releases, takes the lock, and removes what an
 * interrupted run has left.
 */
int site_open(struct site *s, const struct conf *conf, bool for_writing,
    struct err *e);
void site_close(struct site *s);	/* accepts what was never opened */

/* A generation that is kept: its manifest as it lies in its directory. */
struct kept {
	struct manifest manifest;
	struct buf text;
	struct buf signature;
};
#define KEPT_INIT {.manifest = MANIFEST_INIT}

/* ERR_MISSING: this generation is not kept, or has lost its manifest. */
int site_load(const struct site *s, uint64_t serial, struct kept *k,
    struct err *e);
void kept_clear(struct kept *k);

/* Reads the two files of a manifest in dir; nothing is believed of them yet. */
int kept_read(int dir, struct kept *k, struct err *e);

/*
 * Why a generation could not be loaded: 0 if it may be passed over. -1 with *e
 * after a signal, and where descriptors or memory have run out, which says
 * nothing of the generation.
 */
int site_pass_over(const struct err *why, struct err *e);

/*
 * All generations that are kept, newest first; then site_free_all. One that
 * cannot be read is left out, and a warning names it.
 */
int site_load_all(const struct site *s, struct kept **all, size_t *n,
    struct err *e);
void site_free_all(struct kept *all, size_t n);

/*
 * May a generation go live whose serial is verified? is_asked: the user has
 * named it. ERR_REFUSED: an older one than was here, or one that was withdrawn.
 * ERR_MISSING: there are generations, but nothing says which one is live.
 */
int site_admit(const struct site *s, uint64_t serial, bool is_asked,
    bool allow_older, struct err *e);

/* The directory of a generation. ERR_MISSING: it is not kept. */
int site_open_generation(const struct site *s, uint64_t serial,
    struct err *e);

/* The key ring of [deploy] trusted-key. */
struct pgp *site_trusted(const struct conf *conf, struct err *e);
/* Signature, every hash, and the client's view of one kept generation. */
int site_verify(const struct site *s, uint64_t serial, struct err *e);

/*
 * Removes the generations beyond [deploy] keep, but never the live one. One
 * is set aside as the spare one; with `all` that one is removed, too, and so
 * are the directories that a first deployment has replaced.
 */
int site_prune(const struct site *s, bool all, bool is_dry_run,
    struct err *e);

#endif
