/*
 * Many things were asked for, and some failed: the work continues, each failure
 * is reported, and the worst one decides the exit status.
 *
 * Only main prints the error of a verb. A loop that continues after a failure
 * has more errors than it can return, so it hands each to a tally: the only
 * failure is returned as it is, and of several each is printed when it comes,
 * and what is returned says how many there were.
 *
 *	struct tally failed = TALLY_INIT;
 *	for (i = 0; i < n; i++) {
 *		struct err one = ERR_INIT;
 *		if (f(&v[i], &one) < 0)
 *			tally_add(&failed, &one);
 *	}
 *	return tally_end(&failed, "machines", e);
 *
 * A tally holds no memory: nothing to free. It belongs to one thread.
 */
#ifndef LIB_SYS_TALLY_H
#define LIB_SYS_TALLY_H

#include <stddef.h>

#include "lib/base/err.h"

struct tally {
	struct err first;
	enum err_kind worst;
	size_t n;
};
#define TALLY_INIT {.first = ERR_INIT}

/*
 * Counts a failure. The first is kept, not printed, until a second one comes;
 * from then on each is printed at once, up to a hundred of them: whatever
 * fails ten thousand times fails for one reason.
 */
void tally_add(struct tally *t, const struct err *e);

/*
 * 0 where nothing failed. Else -1, and *e is the only failure, or "3 machines
 * failed" with the worst kind by err_worst. `things` is a plural.
 */
int tally_end(const struct tally *t, const char *things, struct err *e);

#endif
