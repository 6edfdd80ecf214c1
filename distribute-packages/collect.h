/*
 * The packages that a release brings: from the drops in the inbox, or from
 * directories. Each is opened, checked and copied into the store as it is read;
 * an rpm is signed at the same time.
 */
#ifndef COLLECT_H
#define COLLECT_H

#include <stdbool.h>
#include <stddef.h>

#include "distribute-packages/publication.h"
#include "distribute-packages/rpm/rpm_build.h"
#include "lib/base/err.h"
#include "lib/deb/deb.h"
#include "lib/tree/package.h"

struct collect_options {
	struct publication *p;		/* its signer is there */
	const struct package_rules *rules;
	const struct suite *suite;
	const struct strv *from;	/* directories; none: the inbox */
	const struct strv *drops;	/* of these builds, just these */
	bool is_partial;		/* a build may be missing */
	bool is_dry_run;		/* nothing is copied */
};

/* A package that was found good. */
struct item {
	enum package_format format;
	bool is_waiting;	/* an rpm for the container to sign */
	char *from;		/* DROP/FILE or DIR/FILE */
	struct deb deb;
	struct signed_rpm rpm;
};

struct collection {
	struct item *v;
	size_t n;
};

/*
 * Finds the files and reads all of them, in several threads. ERR_MISSING: a
 * build has no complete drop, or a directory does not exist. ERR_DATA: a
 * package is bad or does not belong here (hash, name, version, architecture),
 * or an rpm differs from the one that was published under its name. Each
 * failure is reported. Call collection_clear, also after a failure.
 */
int collection_read(struct collection *c, const struct collect_options *o,
    struct err *e);
void collection_clear(struct collection *c);

#endif
