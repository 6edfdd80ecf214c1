/*
 * Which release a job works on.
 */
#ifndef LIB_TREE_RELEASE_H
#define LIB_TREE_RELEASE_H

#include <stdbool.h>

#include "lib/base/err.h"

#define RELEASE_SIZE 129

/*
 * The release's id: the option if it is given, else $CI_COMMIT_TAG, else
 * "nightly-YYYYMMDD" of $CI_PIPELINE_CREATED_AT when IS_NIGHTLY is "true".
 */
int release_find(const char *option, char release[RELEASE_SIZE],
    struct err *e);

/* "nightly" for a nightly release, "stable" for a tag. */
const char *release_suite(const char *release);

/*
 * True if a package of this version belongs to the release: any version to a
 * nightly one; to a tag "v0.3.4" the versions 0.3.4 and 0.3.4-REVISION.
 */
bool release_has_version(const char *release, const char *version);

#endif
