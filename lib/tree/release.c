#include "lib/tree/release.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/date.h"
#include "lib/base/path.h"
#include "lib/tree/version.h"

#define NIGHTLY "nightly-"

/* ------------------------------------------------------------------ the id */

static int
find_nightly(char id[RELEASE_SIZE], struct err *e)
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
	snprintf(id, RELEASE_SIZE, NIGHTLY "%04d%02d%02d", year, month, day);
	return 0;
}

static int
find_id(const char *option, char id[RELEASE_SIZE], struct err *e)
{
	const char *text = option ? option : getenv("CI_COMMIT_TAG");
	const char *is_nightly = getenv("IS_NIGHTLY");

	if (text == NULL || text[0] == '\0') {
		if (is_nightly == NULL || strcmp(is_nightly, "true") != 0)
			return err_set(e, ERR_USAGE, "which release? give -r "
			    "TAG, or set CI_COMMIT_TAG");
		return find_nightly(id, e);
	}
	/* it names drops, and stands in the manifest */
	if (!path_is_name(text) || strlen(text) >= RELEASE_SIZE)
		return err_set(e, ERR_USAGE, "'%s' is not a valid release id",
		    text);
	strcpy(id, text);
	return 0;
}

static bool
is_day(const char *text)
{
	char date[DATE_SIZE];
	int64_t seconds;

	if (strlen(text) != 8 || strspn(text, "0123456789") != 8)
		return false;
	snprintf(date, sizeof(date), "%.4s-%.2s-%.2sT00:00:00Z", text,
	    text + 4, text + 6);
	return date_parse_exact(date, &seconds);
}

/* ----------------------------------------------------------------- the tag */

/* Numbers with dots between them; how many, 0 where there is none. */
static size_t
count_numbers(const char **p)
{
	size_t count = 0, digits;

	for (;;) {
		digits = strspn(*p, "0123456789");
		if (digits == 0)
			return 0;
		*p += digits;
		count++;
		if (**p != '.')
			return count;
		++*p;
	}
}

/* "rc1", "beta.2": letters first, so that it is no Debian revision. */
static bool
is_prerelease(const char *text)
{
	size_t n = strlen(text), i;

	if (n == 0 || !isalpha((unsigned char)text[0]) || text[n - 1] == '.')
		return false;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '.')
			return false;
	return true;
}

/* The version in a tag, written as packages write it: '-' becomes '~'. */
static bool
read_version(char *version, bool any_count)
{
	const char *p = version;
	size_t count = count_numbers(&p);

	if (count == 0 || (count != 3 && !any_count))
		return false;
	if (*p == '\0')
		return true;
	if (*p != '-' || !is_prerelease(p + 1))
		return false;
	version[p - version] = '~';
	return true;
}

/* The one "%v" or "%V" of the format, or NULL. */
static const char *
find_directive(const char *format)
{
	const char *at = strchr(format, '%');

	if (at == NULL || (at[1] != 'v' && at[1] != 'V') ||
	    strchr(at + 1, '%') != NULL)
		return NULL;
	return at;
}

static int
read_tag(struct release *r, const char *format, struct err *e)
{
	const char *at = find_directive(format);
	size_t before, after, n = strlen(r->id);

	if (at == NULL)
		return err_set(e, ERR_CONFIG, "[release] tag-format '%s': must "
		    "have %%v (or %%V) once, where the version stands",
		    format);
	before = (size_t)(at - format);
	after = strlen(at + 2);
	if (n > before + after && strncmp(r->id, format, before) == 0 &&
	    strcmp(r->id + n - after, at + 2) == 0) {
		memcpy(r->version, r->id + before, n - before - after);
		r->version[n - before - after] = '\0';
		if (read_version(r->version, at[1] == 'V'))
			return 0;
	}
	return err_set(e, ERR_USAGE, "'%s' is not a release id: must be a tag "
	    "of the form %.*s%s%s (with -rc1 or the like: a prerelease), or "
	    "nightly-YYYYMMDD; [release] tag-format sets the form", r->id,
	    (int)before, format, at[1] == 'v' ? "X.Y.Z" : "X[.Y...]", at + 2);
}

int
release_find(struct release *r, const char *option, const struct conf *conf,
    struct err *e)
{
	*r = (struct release){.suite = "stable",
	    .suffixes = conf_get(conf, "release", "version-suffixes")};
	if (find_id(option, r->id, e) < 0)
		return -1;
	if (path_starts_with(r->id, NIGHTLY)) {
		r->suite = "nightly";
		return is_day(r->id + strlen(NIGHTLY)) ? 0 : err_set(e,
		    ERR_USAGE, "'%s' is not a release id: must be "
		    "nightly-YYYYMMDD, with a date of the calendar", r->id);
	}
	if (read_tag(r, conf_get(conf, "release", "tag-format"), e) < 0)
		return -1;
	if (strchr(r->version, '~') == NULL)
		return 0;
	r->suite = conf_get(conf, "release", "prerelease-suite");
	if (r->suite == NULL || r->suite[0] == '\0')
		return err_set(e, ERR_CONFIG, "'%s' is a prerelease, and users "
		    "of stable must not get it: set [release] prerelease-suite "
		    "to the suite that prereleases go to", r->id);
	return 0;
}

/* ------------------------------------------------------------- its versions */

/* "-1", "+dfsg", "~deb12u1" as the configuration allows. */
static bool
is_allowed_suffix(const struct release *r, const char *suffix)
{
	struct strv patterns = STRV_INIT;
	const char *dash = strchr(suffix, '-');
	bool is_allowed = false;
	size_t i;

	/* a second dash: what is before it is another upstream version */
	if (strchr("-+~^", suffix[0]) == NULL ||
	    (dash != NULL && strchr(dash + 1, '-') != NULL))
		return false;
	strv_split(&patterns, r->suffixes);
	for (i = 0; i < patterns.n; i++)
		is_allowed |= fnmatch(patterns.v[i], suffix, 0) == 0;
	strv_clear(&patterns);
	/* the final release does not take its own prereleases */
	return is_allowed && !(suffix[0] == '~' &&
	    version_find_prerelease(suffix) != NULL);
}

int
release_check_version(const struct release *r, const char *version,
    struct err *e)
{
	const char *colon = strchr(version, ':');
	const char *upstream = colon ? colon + 1 : version;
	size_t n = strlen(r->version);

	if (n == 0)
		return 0;
	if (strncmp(upstream, r->version, n) == 0 &&
	    (upstream[n] == '\0' || is_allowed_suffix(r, upstream + n)))
		return 0;
	return err_set(e, ERR_DATA, "version is %s, but the release is %s, "
	    "which takes %s, alone or with an addition that [release] "
	    "version-suffixes allows (%s)", version, r->id, r->version,
	    r->suffixes);
}
