/*
 * The two halves of `pull`: the files of a public tree into the store, and
 * the ledger that the tree tells of.
 */
#ifndef PULL_H
#define PULL_H

#include "distribute-packages/store.h"
#include "lib/frame/conf.h"

/* What came of pull_files. */
struct pull_tally {
	size_t n;		/* files that were fetched, or would be */
	uint64_t bytes;
};

/*
 * Every file that the manifest, which is trusted, lists becomes an object: it
 * is there with its hash, or fetched from below url. With is_dry_run those
 * that are missing are counted. ERR_DATA: another hash than the listed one;
 * ERR_MISSING: not on the server; ERR_AGAIN: the server cannot be reached, or
 * was cut off; what has arrived by then stays.
 */
int pull_files(const struct store *store, const struct manifest *m,
    const char *url, bool is_dry_run, struct pull_tally *tally,
    struct err *e);

/*
 * Fills g's ledger: which of its files the present indexes need, and what its
 * packages are. What only older generations knew is taken from last.
 */
int pull_ledger(const struct conf *conf, const struct store *store,
    const struct ledger *last, struct generation *g, struct err *e);

/* The configuration has every suite of the tree: ERR_CONFIG. */
int pull_check_suites(const struct conf *conf, const struct manifest *m,
    struct err *e);

#endif
