#include "lib/rpm/rpm.h"

#include "lib/base/mem.h"

#define OLDFILENAMES 1027	/* before rpm 4 */
#define BASENAMES 1117
#define DIRNAMES 1118
#define DIRINDEXES 1116

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
	TABLE(1081, 1080, 1082),	/* changelog: name, time, text */
};

/* Of each file, where they are there. */
static const struct column file_columns[] = {
	{1028, RPM_INT32},		/* sizes */
	{1030, RPM_INT16},		/* modes */
	{1034, RPM_INT32},		/* times */
	{1035, RPM_STRING_ARRAY},	/* digests */
	{1036, RPM_STRING_ARRAY},	/* targets of links */
	{1037, RPM_INT32},		/* flags */
	{1039, RPM_STRING_ARRAY},	/* users */
	{1040, RPM_STRING_ARRAY},	/* groups */
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
	return check_directories(h, n, e);
}

int
rpm_check_counts(const struct rpm_header *h, struct err *e)
{
	size_t i;

	for (i = 0; i < COUNT(tables); i++)
		if (check_table(h, tables[i], e) < 0)
			return -1;
	return check_files(h, e);
}
