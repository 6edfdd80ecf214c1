/*
 * What was ever published, and since when something is no longer used. The
 * ledger lies beside each generation's manifest, one line a file, by path:
 *
 *	<sha256> <state> <path>
 *
 * State "live": the present indexes need it. A number: they have not since
 * that time (seconds since 1970), it stays for the suite's grace. "gone": no
 * longer in the tree, but its name may never stand for another content.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/mem.h"

#define LEDGER_LIVE ((int64_t)0)
#define LEDGER_GONE ((int64_t)-1)

struct ledger_entry {
	const char *path;
	uint8_t sha256[HASH_SIZE];
	int64_t state;	/* LEDGER_LIVE, LEDGER_GONE or the time it retired */
};

struct ledger {
	struct ledger_entry *v;
	size_t n;
	size_t cap;
	struct arena names;
};
#define LEDGER_INIT {NULL, 0, 0, ARENA_INIT}

int ledger_parse(struct ledger *l, const char *text, size_t n, struct err *e);
void ledger_add(struct ledger *l, const char *path,
    const uint8_t sha256[HASH_SIZE], int64_t state);
/* By path. A path may be added only once. */
void ledger_sort(struct ledger *l);
/* NULL where there is none. The ledger must be sorted. */
struct ledger_entry *ledger_find(const struct ledger *l, const char *path);
void ledger_write(const struct ledger *l, struct buf *text);
void ledger_clear(struct ledger *l);

#endif
