/*
 * Versions of packages of either format, as clients order them: whoever gets a
 * package gets the newest version, and never an older one by itself.
 */
#ifndef LIB_TREE_VERSION_H
#define LIB_TREE_VERSION_H

#include "lib/base/err.h"
#include "lib/tree/build.h"

/*
 * <0, 0, >0, as dpkg or rpm: [epoch:]version[-revision], which must be valid
 * for its format.
 */
int version_compare(enum package_format format, const char *a, const char *b);

/* Both have the same epoch; none is 0. */
bool version_same_epoch(const char *a, const char *b);

/*
 * Where a version says that it is a prerelease: at a word of its own like
 * "alpha", "beta", "rc" or "pre". NULL where it does not.
 */
const char *version_find_prerelease(const char *version);

/*
 * ERR_DATA for a prerelease that clients take for newer than what it precedes,
 * as dpkg does 0.4.0-rc1 and 0.4.0rc1: whoever has it is never offered 0.4.0.
 * "~rc1" is before the end in both formats. release is that of an rpm, else
 * NULL.
 */
int version_check_prerelease(enum package_format format, const char *version,
    const char *release, struct err *e);

#endif
