#include "lib/rpm/rpm.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME_LIMIT 255	/* NAME_MAX of Linux */

/* include/rpm/rpmtag.h */
enum {
	SIGTAG_SHA3_256 = 279, SIGTAG_RESERVED = 999,
	TAG_NAME = 1000, TAG_VERSION = 1001, TAG_RELEASE = 1002,
	TAG_EPOCH = 1003, TAG_ARCH = 1022, TAG_SOURCERPM = 1044,
	TAG_SOURCEPACKAGE = 1106, TAG_RPMFORMAT = 5114
};

/* docs/manual/format_v6.md; before it there was no such tag. */
static int
check_format(struct rpm *r, struct err *e)
{
	uint64_t format = rpm_header_number(&r->header, TAG_RPMFORMAT, 0, 0);
	struct rpm_entry last;

	if (rpm_header_count(&r->header, TAG_RPMFORMAT) == 0)
		return 0;
	if (format != 6)
		return err_set(e, ERR_DATA, "package format %llu is unknown",
		    (unsigned long long)format);
	r->is_v6 = true;
	if (rpm_header_count(&r->signature, SIGTAG_SHA3_256) == 0)
		return err_set(e, ERR_DATA, "of format 6, but has no SHA3-256 "
		    "of its header");
	rpm_header_entry(&r->signature, r->signature.n - 1, &last);
	if (last.tag > SIGTAG_RESERVED)
		return err_set(e, ERR_DATA, "of format 6, but has tag %u in "
		    "its signature header", last.tag);
	return 0;
}

static int
check_kind(const struct rpm *r, struct err *e)
{
	if (rpm_header_count(&r->header, TAG_SOURCEPACKAGE) > 0 ||
	    rpm_header_count(&r->header, TAG_SOURCERPM) == 0)
		return err_set(e, ERR_DATA, "a source package by its header, "
		    "only binary ones are published");
	return 0;
}

/* Of characters for a file's name; never hidden, an option or a path. */
static bool
is_fit(const char *s, bool dash)
{
	const char *p;

	if (*s == '\0' || *s == '.' || *s == '-')
		return false;
	for (p = s; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || strchr("._+~^", *p) ||
		    (dash && *p == '-')))
			return false;
	return true;
}

static int
take_part(const struct rpm *r, uint32_t tag, const char *what, bool dash,
    const char **part, struct err *e)
{
	struct rpm_entry entry;

	if (!rpm_header_find(&r->header, tag, &entry) ||
	    entry.type != RPM_STRING)
		return err_set(e, ERR_DATA, "has no %s", what);
	*part = (const char *)entry.data;
	if (!is_fit(*part, dash))
		return err_set(e, ERR_DATA, "bad %s '%.64s'", what, *part);
	return 0;
}

static int
take_names(struct rpm *r, struct err *e)
{
	char *file;
	size_t n;

	if (take_part(r, TAG_NAME, "name", true, &r->name, e) < 0 ||
	    take_part(r, TAG_VERSION, "version", false, &r->version, e) < 0 ||
	    take_part(r, TAG_RELEASE, "release", false, &r->release, e) < 0 ||
	    take_part(r, TAG_ARCH, "architecture", true, &r->arch, e) < 0)
		return -1;
	file = rpm_file_name(r);
	n = strlen(file);
	free(file);
	if (n > FILE_NAME_LIMIT)
		return err_set(e, ERR_DATA, "the file's name would have %zu "
		    "characters, allowed are %d", n, FILE_NAME_LIMIT);
	return 0;
}

static int
take_epoch(struct rpm *r, struct err *e)
{
	struct rpm_entry entry;

	if (!rpm_header_find(&r->header, TAG_EPOCH, &entry))
		return 0;
	if (entry.type != RPM_INT32 || entry.count != 1)
		return err_set(e, ERR_DATA, "the epoch is not one number");
	r->has_epoch = true;
	r->epoch = (uint32_t)rpm_header_number(&r->header, TAG_EPOCH, 0, 0);
	return 0;
}

int
rpm_check_claims(struct rpm *r, struct err *e)
{
	if (check_kind(r, e) < 0 ||
	    check_format(r, e) < 0 ||
	    take_names(r, e) < 0)
		return -1;
	return take_epoch(r, e);
}
