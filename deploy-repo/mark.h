/*
 * What was here before, in a file of its own, .releases/mark: the link to what
 * is live can be lost, and generations are pruned.
 *
 *	highest 7	the highest serial that was verified and made live
 *	withdrawn 7	after a rollback: up to this one, and above the live one
 */
#ifndef MARK_H
#define MARK_H

#include <stdint.h>

#include "lib/base/err.h"

#define MARK_NAME "mark"

struct mark {
	uint64_t highest;	/* 0: nothing was ever live */
	uint64_t withdrawn;	/* 0: nothing is */
};

/* All 0 where there is no file. ERR_DATA: it is damaged, and how to mend it. */
int mark_read(int releases, struct mark *m, struct err *e);
/* Synchronised to the disk. With highest 0 the file goes. */
int mark_write(int releases, const struct mark *m, struct err *e);

/* What becomes of it when `to` takes the place of `from`; 0: of nothing. */
struct mark mark_after(struct mark m, uint64_t from, uint64_t to);

#endif
