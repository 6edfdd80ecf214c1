#include "lib/tree/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/path.h"

#define NIGHTLY "nightly-"

static int
find_nightly(char release[RELEASE_SIZE], struct err *e)
{
	const char *created = getenv("CI_PIPELINE_CREATED_AT");
	int year, month, day;

	/* GitLab writes ISO 8601, 2026-11-22T01:02:03Z */
	if (created == NULL || sscanf(created, "%4d-%2d-%2dT", &year, &month,
	    &day) != 3 || year < 2000 || year > 9999 || month < 1 ||
	    month > 12 || day < 1 || day > 31)
		return err_set(e, ERR_USAGE, "IS_NIGHTLY is set, but "
		    "CI_PIPELINE_CREATED_AT is not a date: give -r "
		    "nightly-YYYYMMDD");
	snprintf(release, RELEASE_SIZE, NIGHTLY "%04d%02d%02d", year, month,
	    day);
	return 0;
}

int
release_find(const char *option, char release[RELEASE_SIZE], struct err *e)
{
	const char *id = option ? option : getenv("CI_COMMIT_TAG");
	const char *is_nightly = getenv("IS_NIGHTLY");

	if (id == NULL || id[0] == '\0') {
		if (is_nightly == NULL || strcmp(is_nightly, "true") != 0)
			return err_set(e, ERR_USAGE, "which release? give -r "
			    "TAG, or set CI_COMMIT_TAG");
		return find_nightly(release, e);
	}
	if (!path_is_name(id) || strlen(id) >= RELEASE_SIZE)
		return err_set(e, ERR_USAGE, "'%s' is not a valid release id",
		    id);
	strcpy(release, id);
	return 0;
}

const char *
release_suite(const char *release)
{
	return path_starts_with(release, NIGHTLY) ? "nightly" : "stable";
}

bool
release_has_version(const char *release, const char *version)
{
	const char *wanted = release + (release[0] == 'v'), *colon;
	size_t n = strlen(wanted);

	if (path_starts_with(release, NIGHTLY))
		return true;
	colon = strchr(version, ':');
	if (colon != NULL)
		version = colon + 1;
	if (strncmp(version, wanted, n) != 0)
		return false;
	/* nothing more, or a Debian revision, which has no further dash */
	return version[n] == '\0' ||
	    (version[n] == '-' && strchr(version + n + 1, '-') == NULL);
}
