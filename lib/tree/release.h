/*
 * Which release a job works on, and which versions belong to it.
 */
#ifndef LIB_TREE_RELEASE_H
#define LIB_TREE_RELEASE_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/frame/conf.h"

#define RELEASE_SIZE 129

struct release {
	char id[RELEASE_SIZE];		/* "v0.4.0-rc1", "nightly-20261122" */
	/* As packages write it, "0.4.0~rc1"; "" of a nightly release: any. */
	char version[RELEASE_SIZE];
	/* Borrowed from the configuration. */
	const char *suite;
	const char *suffixes;
};

/*
 * The release whose id is the option if it is given, else $CI_COMMIT_TAG, else
 * "nightly-YYYYMMDD" of $CI_PIPELINE_CREATED_AT when IS_NIGHTLY is "true".
 * ERR_USAGE for an id that is neither nightly-YYYYMMDD nor a tag as [release]
 * tag-format has it; ERR_CONFIG for a prerelease without prerelease-suite.
 */
int release_find(struct release *r, const char *option,
    const struct conf *conf, struct err *e);

/*
 * ERR_DATA unless a package of this version belongs to the release: any version
 * to a nightly one; to a tag its own version, alone or with an addition that
 * matches [release] version-suffixes. An epoch does not matter.
 */
int release_check_version(const struct release *r, const char *version,
    struct err *e);

#endif
