/*
 * What was ever published, and since when something is no longer used. The
 * ledger lies beside each generation's manifest, one line a file, by path:
 *
 *	<sha256>[:<content>] <state> <path>
 *
 * Content is what the name stands for: the file itself, or of an rpm, which
 * may be signed anew, the SHA-256 of its main header (lib/rpm/rpm.h: identity).
 *
 * State "live": the newest indexes need the file. A number: they have not
 * needed it since that time (seconds since 1970); it stays for the suite's
 * grace. "gone": the file has left the tree, but its name must never stand for
 * different contents.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/data/hash.h"

#define LEDGER_LIVE ((int64_t)0)
#define LEDGER_GONE ((int64_t)-1)

struct ledger_entry {
	const char *path;
	uint8_t sha256[HASH_SIZE];
	uint8_t content[HASH_SIZE];	/* of all but rpms: sha256 */
	int64_t state;	/* LEDGER_LIVE, LEDGER_GONE or the time it retired */
};

struct ledger {
	struct ledger_entry *v;
	size_t n;
	size_t cap;
	struct arena names;
};
#define LEDGER_INIT {NULL, 0, 0, ARENA_INIT}

/* A .deb of the pool, an rpm: its name stands for one content for good. */
bool ledger_is_package(const char *path);
/* Those, and what else a client that holds an older index may ask for. */
bool ledger_keeps(const char *path);

int ledger_parse(struct ledger *l, const char *text, size_t n, struct err *e);
/* content NULL: the same as sha256 */
void ledger_add(struct ledger *l, const char *path,
    const uint8_t sha256[HASH_SIZE], const uint8_t content[HASH_SIZE],
    int64_t state);
/* By path. A path may be added only once. */
void ledger_sort(struct ledger *l);
/* NULL where there is none. The ledger must be sorted. */
struct ledger_entry *ledger_find(const struct ledger *l, const char *path);
/*
 * Was this content published as path? 1: yes, and it is live. 0: yes, but it is
 * no longer live; or nothing was. -1 with ERR_DATA: another content was.
 */
int ledger_compare(const struct ledger *l, const char *path,
    const uint8_t content[HASH_SIZE], struct err *e);
void ledger_write(const struct ledger *l, struct buf *text);
void ledger_clear(struct ledger *l);

#endif
