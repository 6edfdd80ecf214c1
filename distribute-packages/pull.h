/*
 * The two halves of `pull`: the files of a public tree are fetched into the
 * store, and the ledger is rebuilt from the tree.
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
 * Makes an object of every file that the manifest lists, which must be trusted:
 * unless the store has it with its hash, it is fetched from below url. With
 * is_dry_run the missing ones are only counted. ERR_DATA: a file does
 * not have the listed hash; ERR_MISSING: it is not on the server; ERR_AGAIN:
 * the server cannot be reached, or the connection was cut. What has arrived by
 * then stays.
 */
int pull_files(const struct store *store, const struct manifest *m,
    const char *url, bool is_dry_run, struct pull_tally *tally,
    struct err *e);

/*
 * Fills g's ledger: which of its files the indexes need, and what its packages
 * are. What only older generations knew is taken from the ledger `last`.
 */
int pull_ledger(const struct conf *conf, const struct store *store,
    const struct ledger *last, struct generation *g, struct err *e);

/* ERR_CONFIG if a suite of the tree is not configured. */
int pull_check_suites(const struct conf *conf, const struct manifest *m,
    struct err *e);

#endif
