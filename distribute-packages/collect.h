/*
 * The packages that a release brings: from the drops in the inbox, or from
 * directories, each opened and checked, and copied into the store on the way.
 */
#ifndef COLLECT_H
#define COLLECT_H

#include <stdbool.h>
#include <stddef.h>

#include "distribute-packages/store.h"
#include "lib/conf.h"
#include "lib/deb.h"
#include "lib/err.h"

struct collect_options {
	const struct conf *conf;
	const char *release;
	const struct strv *architectures;	/* of the suite */
	const struct strv *from;	/* directories; none: the inbox */
	bool is_partial;		/* a build may be missing */
	bool is_dry_run;		/* nothing is copied */
};

struct collection {
	struct deb *v;
	size_t n;
};

/*
 * ERR_MISSING: a build has no complete drop, a directory is not there.
 * ERR_DATA: a hash, a name, a version, an architecture, a package is wrong;
 * each of them is reported.
 */
int collect(struct store *store, const struct collect_options *o,
    struct collection *c, struct err *e);
void collection_clear(struct collection *c);

#endif
