/*
 * Several things were asked for and some failed: each failure is reported,
 * and the worst status is returned.
 *
 *	struct tally t = TALLY_INIT;
 *	for (...)
 *		if (f(&one) < 0)
 *			tally_add(&t, &one);
 *	return tally_end(&t, "machines", e);
 */
#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>

#include "lib/base/err.h"

struct tally {
	struct err first;
	enum err_kind worst;
	size_t n;
};
#define TALLY_INIT {.first = ERR_INIT}

/* Takes note of an error; prints it where it is not the only one. */
void tally_add(struct tally *t, const struct err *e);

/*
 * 0 where nothing failed; else -1, with the only error, or with how many
 * `things` failed and the worst kind.
 */
int tally_end(const struct tally *t, const char *things, struct err *e);

#endif
