/*
 * The packages that a release brings: from the drops in the inbox, or from
 * directories, each opened and checked, and copied into the store on the way;
 * rpms are signed on that way, too.
 */
#ifndef COLLECT_H
#define COLLECT_H

#include <stdbool.h>
#include <stddef.h>

#include "distribute-packages/publication.h"
#include "lib/base/err.h"
#include "lib/deb/deb.h"

struct collect_options {
	struct publication *p;		/* its signer is there */
	const char *release;
	const struct suite *suite;
	const struct strv *from;	/* directories; none: the inbox */
	bool is_partial;		/* a build may be missing */
	bool is_dry_run;		/* nothing is copied */
};

/* A package that was found good. */
struct item {
	enum package_format format;
	bool is_waiting;	/* an rpm that the container has to sign */
	struct deb deb;
	struct signed_rpm rpm;
};

struct collection {
	struct item *v;
	size_t n;
};

/*
 * ERR_MISSING: a build has no complete drop, a directory is not there.
 * ERR_DATA: a hash, a name, a version, an architecture, a package is wrong,
 * or, of an rpm, other content was published under its name; each of them is
 * reported.
 */
int collect(const struct collect_options *o, struct collection *c,
    struct err *e);
void collection_clear(struct collection *c);

#endif
