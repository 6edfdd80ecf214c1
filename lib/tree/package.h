/*
 * A package of either format, and whether it belongs to a build and to a
 * release: what build machines check before they send, and the orchestrator
 * when it receives.
 */
#ifndef LIB_TREE_PACKAGE_H
#define LIB_TREE_PACKAGE_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/data/hash.h"
#include "lib/tree/build.h"

/* What a package says of itself; borrowed from what was read. */
struct package_claim {
	enum package_format format;
	const char *name;
	const char *version;
	const char *architecture;	/* Debian's name; NULL: all of them */
	const char *essential;	/* a deb's field that makes it so, or NULL */
};

struct package {
	struct package_claim claim;	/* the strings are its own */
	struct digest digest;		/* of the whole file */
};

/*
 * Reads a file, all of it, as the package that its name's ending says, and
 * unpacks what it installs, to nowhere: ERR_DATA where it is not a package, or
 * a damaged one, or has no file name ending in .deb or .rpm, or an
 * architecture without a name in Debian.
 */
int package_read(int fd, const char *file, struct package *p, struct err *e);
void package_clear(struct package *p);

/*
 * ERR_DATA unless the name is one of `allowed` (names and shell patterns), and
 * of `essential` where users could not remove it, the version belongs to the
 * release, and, where build is not NULL, format and architecture are the
 * build's.
 */
int package_judge(const struct package_claim *claim,
    const struct strv *allowed, const struct strv *essential,
    const char *release, const struct build *build, struct err *e);

/* The same as rpm says it, into Debian's name; NULL for noarch. ERR_DATA. */
int package_rpm_architecture(const char *arch, const char **architecture,
    struct err *e);

#endif
