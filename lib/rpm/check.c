#include "lib/rpm/rpm.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"

#define OLDFILENAMES 1027	/* before rpm 4 */
#define PREFIXES 1098	/* no other type of strings: rpm dies of it */
#define BASENAMES 1117
#define DIRNAMES 1118
#define DIRINDEXES 1116
#define REQUIREFLAGS 1048
#define REQUIRENAME 1049
#define REQUIREVERSION 1050

/* include/rpm/rpmds.h */
#define SENSE_LESS (1U << 1)
#define SENSE_GREATER (1U << 2)
#define SENSE_EQUAL (1U << 3)
#define SENSE_MISSINGOK (1U << 19)
#define SENSE_RPMLIB (1U << 24)

struct column {
	uint32_t tag;
	uint32_t type;
};

/*
 * Arrays that belong together item by item. All are there and of one length,
 * or none is. include/rpm/rpmtag.h
 */
static const struct column tables[][3] = {
#define TABLE(name, flags, version) {{name, RPM_STRING_ARRAY},		\
	{flags, RPM_INT32}, {version, RPM_STRING_ARRAY}}
	TABLE(1047, 1112, 1113),	/* provides */
	TABLE(1049, 1048, 1050),	/* requires */
	TABLE(1054, 1053, 1055),	/* conflicts */
	TABLE(1090, 1114, 1115),	/* obsoletes */
	TABLE(5046, 5048, 5047),	/* recommends */
	TABLE(5049, 5051, 5050),	/* suggests */
	TABLE(5052, 5054, 5053),	/* supplements */
	TABLE(5055, 5057, 5056),	/* enhances */
	TABLE(5035, 5037, 5036),	/* order */
	TABLE(1156, 1158, 1157),	/* suggests, enhances: SUSE's before */
	TABLE(1159, 1161, 1160),
	TABLE(5069, 5072, 5071),	/* triggers by files */
	TABLE(5079, 5082, 5081),
	TABLE(1081, 1080, 1082),	/* changelog: name, time, text */
};
#define DEPENDENCIES (COUNT(tables) - 1)	/* all but the last */

/* Of each file, where they are there. */
static const struct column file_columns[] = {
	{1028, RPM_INT32},		/* sizes */
	{1029, RPM_CHAR},		/* states */
	{1033, RPM_INT16},		/* devices */
	{1030, RPM_INT16},		/* modes */
	{1034, RPM_INT32},		/* times */
	{1035, RPM_STRING_ARRAY},	/* digests */
	{1036, RPM_STRING_ARRAY},	/* targets of links */
	{1037, RPM_INT32},		/* flags */
	{1039, RPM_STRING_ARRAY},	/* users */
	{1040, RPM_STRING_ARRAY},	/* groups */
	{1096, RPM_INT32},		/* inodes */
	{1120, RPM_STRING_ARRAY},	/* names before they were relocated */
	{1140, RPM_INT32},		/* colours */
	{5010, RPM_STRING_ARRAY},	/* capabilities */
	{5008, RPM_INT64},		/* sizes, if one is beyond 4 GiB */
};

/* Items of the tag, 0 where it is missing; -1 if it has another type. */
static int
count_items(const struct rpm_header *h, const struct column *c, size_t *n,
    struct err *e)
{
	struct rpm_entry entry;

	*n = 0;
	if (rpm_header_count(h, c->tag) == 0)
		return 0;
	rpm_header_find(h, c->tag, &entry);
	if (entry.type != c->type)
		return err_set(e, ERR_DATA, "tag %u is of type %u, not %u",
		    c->tag, entry.type, c->type);
	*n = entry.count;
	return 0;
}

/* first is a column with n items; so has c. */
static int
check_same(const struct rpm_header *h, const struct column *first, size_t n,
    const struct column *c, struct err *e)
{
	size_t items;

	if (count_items(h, c, &items, e) < 0)
		return -1;
	if (items != n)
		return err_set(e, ERR_DATA, "tag %u has %zu items, but tag "
		    "%u has %zu", first->tag, n, c->tag, items);
	return 0;
}

static int
check_table(const struct rpm_header *h, const struct column table[3],
    struct err *e)
{
	size_t n;

	if (count_items(h, &table[0], &n, e) < 0 ||
	    check_same(h, &table[0], n, &table[1], e) < 0)
		return -1;
	return check_same(h, &table[0], n, &table[2], e);
}

static int
check_directories(const struct rpm_header *h, size_t files, struct err *e)
{
	static const struct column dirnames = {DIRNAMES, RPM_STRING_ARRAY};
	size_t i, dirs;
	uint64_t at;

	if (count_items(h, &dirnames, &dirs, e) < 0)
		return -1;
	for (i = 0; i < files; i++) {
		at = rpm_header_number(h, DIRINDEXES, i, UINT64_MAX);
		if (at >= dirs)
			return err_set(e, ERR_DATA, "file %zu is in "
			    "directory %llu of %zu", i,
			    (unsigned long long)at, dirs);
	}
	return 0;
}

static int
check_files(const struct rpm_header *h, struct err *e)
{
	static const struct column basenames = {BASENAMES, RPM_STRING_ARRAY};
	static const struct column indexes = {DIRINDEXES, RPM_INT32};
	/* modes, users, groups */
	static const uint32_t needed[] = {1030, 1039, 1040};
	const struct column *c;
	size_t i, n;

	if (rpm_header_count(h, OLDFILENAMES) > 0)
		return err_set(e, ERR_DATA, "made by an rpm older than 4, has "
		    "whole paths for file names");
	if (count_items(h, &basenames, &n, e) < 0 ||
	    check_same(h, &basenames, n, &indexes, e) < 0)
		return -1;
	for (i = 0; i < COUNT(file_columns); i++) {
		c = &file_columns[i];
		if (rpm_header_count(h, c->tag) > 0 &&
		    check_same(h, &basenames, n, c, e) < 0)
			return -1;
	}
	for (i = 0; i < COUNT(needed) && n > 0; i++)
		if (rpm_header_count(h, needed[i]) == 0)
			return err_set(e, ERR_DATA, "has files, but not tag "
			    "%u of them", needed[i]);
	return check_directories(h, n, e);
}

/* ------------------------------------------------------------------ types */

/*
 * rpm takes these over from the signature header, and refuses a package that
 * has them in the main one (lib/package.c, headerMergeLegacySigs).
 */
static bool
is_of_signatures(uint32_t tag)
{
	static const uint32_t tags[] = {257, 259, 261, 262, 267, 268, 269, 270,
	    271, 273, 276, 277};
	size_t i;

	for (i = 0; i < COUNT(tags); i++)
		if (tags[i] == tag)
			return true;
	return false;
}

static int
check_tags(const struct rpm_header *h, struct err *e)
{
	struct rpm_entry entry;
	uint32_t i;

	for (i = 1; i < h->n; i++) {
		rpm_header_entry(h, i, &entry);
		if (!rpm_tag_has_type(entry.tag, entry.type) ||
		    (entry.tag == PREFIXES && entry.type != RPM_STRING_ARRAY))
			return err_set(e, ERR_DATA, "tag %u is of type %u, "
			    "which rpm refuses", entry.tag, entry.type);
		if (is_of_signatures(entry.tag))
			return err_set(e, ERR_DATA, "tag %u belongs into the "
			    "signature header", entry.tag);
	}
	return 0;
}

/* ------------------------------------------------------------------ names */

/*
 * The lists are XML, which cannot hold every character: without it the name
 * would be another. In what is not UTF-8, 0x80 to 0xbf are no letters.
 */
static bool
is_printable(const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	size_t left = strlen(name), n;
	bool is_latin = true;
	uint32_t c;

	for (; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			return false;
		is_latin = is_latin && (*p < 0x80 || *p >= 0xc0);
	}
	for (; left > 0; name += n, left -= n) {
		n = utf8_read(name, left, &c);
		if (n == 0)
			return is_latin;
		if (c == 0xfffe || c == 0xffff)
			return false;
	}
	return true;
}

static int
check_names(const struct rpm_header *h, uint32_t tag, bool may_be_rich,
    struct err *e)
{
	size_t n, i;
	const char **names = rpm_header_strings(h, tag, &n);
	int status = 0;

	for (i = 0; i < n && status == 0; i++) {
		if (!is_printable(names[i]))
			status = err_set(e, ERR_DATA, "tag %u: '%.80s' has a "
			    "character that the lists of packages cannot hold",
			    tag, names[i]);
		else if (may_be_rich && names[i][0] == '(')
			status = rpm_check_rich(names[i], e);
	}
	free(names);
	return status;
}

static int
check_depends(const struct rpm_header *h, const struct column table[3],
    struct err *e)
{
	if (check_names(h, table[0].tag, true, e) < 0)
		return -1;
	return check_names(h, table[2].tag, false, e);
}

/*
 * What a package may ask of rpm itself: lib/rpmds.c of rpm 4.14 to 6.0. No
 * package can provide it, and lists do not say it: with another name dnf would
 * choose the package, and rpm refuse it, here and everywhere.
 */
static const struct feature {
	const char *name;
	const char *version;	/* the release of each is 1 */
} features[] = {
	{"rpmlib(BuiltinLuaScripts)", "4.2.2"},
	{"rpmlib(CaretInVersions)", "4.15.0"},
	{"rpmlib(CompressedFileNames)", "3.0.4"},
	{"rpmlib(ConcurrentAccess)", "4.1"},
	{"rpmlib(DynamicBuildRequires)", "4.15.0"},
	{"rpmlib(ExplicitPackageProvide)", "4.0"},
	{"rpmlib(FileCaps)", "4.6.1"},
	{"rpmlib(FileDigests)", "4.6.0"},
	{"rpmlib(HeaderLoadSortsTags)", "4.0.1"},
	{"rpmlib(LargeFiles)", "4.12.0"},
	{"rpmlib(PartialHardlinkSets)", "4.0.4"},
	{"rpmlib(PayloadFilesHavePrefix)", "4.0"},
	{"rpmlib(PayloadIsBzip2)", "3.0.5"},
	{"rpmlib(PayloadIsLzma)", "4.4.2"},
	{"rpmlib(PayloadIsXz)", "5.2"},
	{"rpmlib(PayloadIsZstd)", "5.4.18"},
	{"rpmlib(RichDependencies)", "4.12.0"},
	{"rpmlib(ScriptletExpansion)", "4.9.0"},
	{"rpmlib(ScriptletInterpreterArgs)", "4.0.3"},
	{"rpmlib(TildeInVersions)", "4.10.0"},
	{"rpmlib(VersionedDependencies)", "3.0.3"},
};

/* Releases are compared where both have one. */
static bool
has_version(const struct feature *f, const char *wanted, uint64_t flags)
{
	const char *dash = strrchr(wanted, '-');
	char *version = mem_format("%s%s", f->version, dash == NULL ? "" :
	    dash[1] == '\0' ? "-" : "-1");
	int order = rpm_compare_evr(version, wanted);

	free(version);
	if (wanted[0] == '\0' ||
	    !(flags & (SENSE_LESS | SENSE_GREATER | SENSE_EQUAL)))
		return true;
	return flags & (order < 0 ? SENSE_LESS :
	    order > 0 ? SENSE_GREATER : SENSE_EQUAL);
}

static bool
is_feature(const char *name, const char *version, uint64_t flags)
{
	size_t i;

	for (i = 0; i < COUNT(features); i++)
		if (strcmp(features[i].name, name) == 0)
			return has_version(&features[i], version, flags);
	return false;
}

/* After check_table: there are as many flags and versions. */
static int
check_features(const struct rpm_header *h, struct err *e)
{
	size_t n, i;
	const char **names = rpm_header_strings(h, REQUIRENAME, &n);
	const char **versions = rpm_header_strings(h, REQUIREVERSION, &n);
	uint64_t flags;
	int status = 0;

	for (i = 0; i < n && status == 0; i++) {
		flags = rpm_header_number(h, REQUIREFLAGS, i, 0);
		if ((flags & SENSE_RPMLIB) && !(flags & SENSE_MISSINGOK) &&
		    !is_feature(names[i], versions[i], flags))
			status = err_set(e, ERR_DATA, "requires '%.80s' of "
			    "rpm itself, which no rpm has in that version",
			    names[i]);
	}
	free(names);
	free(versions);
	return status;
}

int
rpm_check_counts(const struct rpm_header *h, struct err *e)
{
	size_t i;

	for (i = 0; i < COUNT(tables); i++)
		if (check_table(h, tables[i], e) < 0 ||
		    (i < DEPENDENCIES && check_depends(h, tables[i], e) < 0))
			return -1;
	if (check_features(h, e) < 0 ||
	    check_files(h, e) < 0 ||
	    check_names(h, BASENAMES, false, e) < 0 ||
	    check_names(h, DIRNAMES, false, e) < 0)
		return -1;
	return check_tags(h, e);
}
