/*
 * The packages of a job: found, opened as what they claim to be, and judged
 * before anything is sent.
 */
#ifndef PACKAGES_H
#define PACKAGES_H

#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/tree/package.h"

#define BUILD_NAME 48

struct found {
	char *path;
	const char *name;	/* in the drop: the last part of path */
	struct stat st;		/* as it was when it was read */
	struct package package;
};

struct packages {
	const struct conf *conf;
	struct package_rules rules;
	char build[BUILD_NAME];	/* "": not said yet */
	struct found *v;	/* sorted by name */
	size_t n;
};

/*
 * Finds the packages in args (files, directories, "-" for names on stdin), or
 * where Earthly leaves them; reads all of them; settles release and build.
 * release, build (or NULL) and may_be_older are the options. ERR_MISSING:
 * nothing is there; ERR_DATA: a package does not belong, or something there is
 * not a package.
 */
int packages_read(struct packages *c, const struct conf *conf, char **args,
    size_t n_args, const char *release, const char *build, bool may_be_older,
    struct err *e);
void packages_clear(struct packages *c);

/* Opens it again; ERR_DATA if it has changed since it was read. */
int found_open(const struct found *f, struct err *e);

#endif
