/*
 * The drops of generations that wait in the inbox. Whoever may write there
 * chooses the names: which generation a drop is, its signed manifest says.
 */
#ifndef WAITING_H
#define WAITING_H

#include <stddef.h>
#include <stdint.h>

#include "deploy-repo/site.h"
#include "lib/sys/tally.h"

struct waiting_drop {
	char *name;
	uint64_t serial;	/* the signed one */
};

struct waiting {
	struct waiting_drop *v;	/* the good ones, by serial */
	size_t n;
	struct tally bad;	/* why the others are not among them */
};
#define WAITING_INIT {.bad = TALLY_INIT}

/*
 * Reads and verifies the manifest of each complete drop of the site's inbox,
 * which is open. One that is not signed by [deploy] trusted-key, or whose name
 * has another serial, is bad. -1 where it cannot be looked at all.
 */
int waiting_find(const struct site *s, struct waiting *w, struct err *e);
void waiting_clear(struct waiting *w);

#endif
