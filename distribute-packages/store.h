/*
 * The orchestrator's own copy of what is published:
 *
 *	<state>/lock
 *	<state>/objects/<sha256>		every file, named by its hash
 *	<state>/generations/<serial>/	SHA256SUMS, SHA256SUMS.asc, ledger,
 *					drops: names, where made of some
 *	<state>/unfinished		there while a run adds objects
 *
 * A generation is nothing but its manifest, so making one current is the
 * rename of one small directory, and the newest serial is the current one.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "distribute-packages/ledger.h"
#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/tree/manifest.h"
#include "lib/tree/tree.h"

struct store {
	char *path;	/* [repository] state */
	int dir;
	int objects;
	int generations;
	int lock;	/* -1: opened for reading */
	bool was_interrupted;
};
#define STORE_INIT {NULL, -1, -1, -1, -1, false}

struct generation {
	struct manifest manifest;	/* serial 0: there is none yet */
	struct buf text;
	struct buf signature;
	struct ledger ledger;
	struct strv drops;	/* made of these; for store_commit alone */
};
#define GENERATION_INIT {.manifest = MANIFEST_INIT}

/*
 * Opens [repository] state. For writing the directory is made where missing,
 * the lock is taken, and what an interrupted run has left is noted for
 * store_collect.
 */
int store_open(struct store *s, const struct conf *conf, bool for_writing,
    struct err *e);
void store_close(struct store *s);	/* accepts what was never opened */

/*
 * From here on the process can write only in the state, the caller's key ring
 * and, if asked for, the inbox of packages, where drops are removed.
 */
int store_sandbox(const struct store *s, const struct conf *conf,
    bool with_inbox, struct err *e);

/* Marks the store as unfinished: call it before the first object is added. */
int store_begin(struct store *s, struct err *e);

/*
 * Loads a generation; serial 0: the newest, an empty one where there is none.
 * ERR_MISSING: it is not kept. ERR_DATA: it is damaged; of the newest, the
 * text says what can be done about it.
 */
int store_load(const struct store *s, uint64_t serial, struct generation *g,
    struct err *e);
/*
 * For what can replace a damaged generation: loads the newest that is not
 * damaged, and warns of each that is passed over. *newest is the highest serial
 * of all, 0 where there is none.
 */
int store_load_readable(const struct store *s, struct generation *g,
    uint64_t *newest, struct err *e);
/* The serials that are kept, newest first; then free. */
int store_serials(const struct store *s, uint64_t **serials, size_t *n,
    struct err *e);
/*
 * Appends the names of the drops that the generations up to this serial were
 * made of, as far as these are kept; warns where a list cannot be read.
 */
int store_drops(const struct store *s, uint64_t serial, struct strv *names,
    struct err *e);
/* The generation's files as a tree. */
struct tree store_tree(const struct store *s, const struct generation *g);

/* Fills in the sizes that the manifest does not have, from the objects. */
int store_measure(const struct store *s, struct manifest *m, struct err *e);

/*
 * Makes g, which is complete and signed, the current one. A generation of the
 * same serial must be one that store_load_readable has passed over.
 */
int store_commit(struct store *s, const struct generation *g, struct err *e);

/*
 * Removes generations beyond the newest `keep` (at least one stays) and, if
 * there were any or a run was interrupted, the objects that no generation
 * lists. If a kept one cannot be read it warns, and leaves the objects to a
 * later run.
 */
int store_collect(struct store *s, uint64_t keep, struct err *e);

void generation_clear(struct generation *g);

#endif
