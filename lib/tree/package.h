/*
 * A package of either format, and whether it belongs to a build and to a
 * release: what build machines check before they send, and the orchestrator
 * when it receives.
 */
#ifndef LIB_TREE_PACKAGE_H
#define LIB_TREE_PACKAGE_H

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/data/hash.h"
#include "lib/tree/build.h"
#include "lib/tree/release.h"

/* What a package says of itself; borrowed from what was read. */
struct package_claim {
	enum package_format format;
	const char *name;
	const char *version;
	const char *release;	/* of an rpm; NULL: not known, or a .deb */
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

/* What the packages of a job are judged by. */
struct package_rules {
	struct release release;
	struct strv allowed;	/* names, and shell patterns */
	struct strv essential;	/* the same, of what users may not remove */
	uint64_t max_size;	/* of a package, bytes */
	bool may_be_older;	/* --allow-older-version */
};

/* As configured; release is the option, or NULL. Clear it in any case. */
int package_rules_read(struct package_rules *rules, const struct conf *conf,
    const char *release, struct err *e);
void package_rules_clear(struct package_rules *rules);

/*
 * ERR_DATA for a file that is not to be read at all: larger than max_size, or
 * most of it a hole, which would be gigabytes here that it never was there.
 * fd is open for reading; its position stays.
 */
int package_check_file(int fd, const struct package_rules *rules,
    struct err *e);

/*
 * ERR_DATA unless the name is allowed, and as essential where users could not
 * remove it, the version belongs to the release and is no prerelease that
 * passes for newer than its release, and, where build is not NULL, format and
 * architecture are the build's.
 */
int package_judge(const struct package_claim *claim,
    const struct package_rules *rules, const struct build *build,
    struct err *e);

/* The same as rpm says it, into Debian's name; NULL for noarch. ERR_DATA. */
int package_rpm_architecture(const char *arch, const char **architecture,
    struct err *e);

#endif
