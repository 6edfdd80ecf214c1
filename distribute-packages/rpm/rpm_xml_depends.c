#include "distribute-packages/rpm/rpm_xml_depends.h"

#include <stdlib.h>
#include <string.h>

#include "distribute-packages/rpm/rpm_xml_files.h"
#include "distribute-packages/rpm/rpm_xml_text.h"
#include "lib/base/mem.h"

/* rpm: include/rpm/rpmds.h */
enum {
	SENSE_COMPARISON = 0xf,
	SENSE_POSTTRANS = 1 << 5, SENSE_PREREQ = 1 << 6,
	SENSE_PRETRANS = 1 << 7, SENSE_PRE = 1 << 9, SENSE_POST = 1 << 10,
	SENSE_MISSINGOK = 1 << 19, SENSE_STRONG = 1 << 27
};

/* pre="1" of createrepo_c 1.2; its 0.17 says nothing of transactions. */
#define SENSE_BEFORE (SENSE_PREREQ | SENSE_PRE | SENSE_POST |		\
    SENSE_PRETRANS | SENSE_POSTTRANS)

/* Three tags that belong together, and which of their items are meant. */
struct source {
	uint32_t names;
	uint32_t flags;
	uint32_t versions;
	uint32_t mask;
	uint32_t value;		/* of the flags under the mask */
};

#define TAG_REQUIRENAME 1049
#define REQUIRES TAG_REQUIRENAME, 1048, 1050
/* As rpm before 4.12 had them on SUSE. */
#define OLD_SUGGESTS 1156, 1158, 1157
#define OLD_ENHANCES 1159, 1161, 1160

/* In the order of the file. A require that may be missing is a recommend. */
static const struct kind {
	const char *element;
	struct source from[3];
} kinds[] = {
	{"provides", {{1047, 1112, 1113, 0, 0}}},
	{"requires", {{REQUIRES, SENSE_MISSINGOK, 0}}},
	{"conflicts", {{1054, 1053, 1055, 0, 0}}},
	{"obsoletes", {{1090, 1114, 1115, 0, 0}}},
	{"suggests", {{5049, 5051, 5050, 0, 0},
	    {OLD_SUGGESTS, SENSE_STRONG, 0}}},
	{"enhances", {{5055, 5057, 5056, 0, 0},
	    {OLD_ENHANCES, SENSE_STRONG, 0}}},
	{"recommends", {{REQUIRES, SENSE_MISSINGOK, SENSE_MISSINGOK},
	    {5046, 5048, 5047, 0, 0},
	    {OLD_SUGGESTS, SENSE_STRONG, SENSE_STRONG}}},
	{"supplements", {{5052, 5054, 5053, 0, 0},
	    {OLD_ENHANCES, SENSE_STRONG, SENSE_STRONG}}},
};

struct depend {
	const char *name;
	const char *version;	/* as it stands in the header */
	const char *comparison;	/* "" if any version will do */
	bool is_pre;
	bool is_dropped;
	size_t place;
};

struct depends {
	struct depend *v;
	size_t n;
};

/* What the package has in itself, so that it need not ask for it. */
struct own {
	struct depends provides;	/* sorted */
	struct strv paths;		/* in primary.xml, sorted */
};

/* ---------------------------------------------------------------- reading */

static const char *
comparison(uint64_t flags)
{
	static const char *const words[SENSE_COMPARISON + 1] = {
		[2] = "LT", [4] = "GT", [8] = "EQ", [10] = "LE", [12] = "GE"
	};
	const char *word = words[flags & SENSE_COMPARISON];

	return word != NULL ? word : "";
}

static size_t
smallest(size_t a, size_t b, size_t c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* With a name, and an epoch, if any, that is a number. */
static bool
is_sound(const char *name, const char *version)
{
	const char *colon = strchr(version, ':');

	return name[0] != '\0' && (colon == NULL ||
	    strspn(version, "0123456789") == (size_t)(colon - version));
}

/* Three tags of unequal length are of use as far as the shortest goes. */
static void
depends_read(struct depends *d, const struct rpm *r, const struct source *from)
{
	size_t n_names, n_versions, n, i;
	const char **names = rpm_header_strings(&r->header, from->names,
	    &n_names);
	const char **versions = rpm_header_strings(&r->header, from->versions,
	    &n_versions);
	uint64_t flags;

	n = smallest(n_names, n_versions,
	    rpm_header_count(&r->header, from->flags));
	d->v = n > 0 ? mem_resize(d->v, d->n + n, sizeof(*d->v)) : d->v;
	for (i = 0; i < n; i++) {
		flags = rpm_header_number(&r->header, from->flags, i, 0);
		if ((flags & from->mask) != from->value ||
		    !is_sound(names[i], versions[i]))
			continue;
		d->v[d->n] = (struct depend){.name = names[i],
		    .version = versions[i], .comparison = comparison(flags),
		    .is_pre = flags & SENSE_BEFORE,
		    .place = d->n};
		d->n++;
	}
	free(names);
	free(versions);
}

/* ---------------------------------------------------------- leaving out */

static int
by_content(const void *a, const void *b)
{
	const struct depend *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = strcmp(x->version, y->version);
	return order != 0 ? order : strcmp(x->comparison, y->comparison);
}

static int
by_string(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
own_read(struct own *own, const struct rpm *r)
{
	depends_read(&own->provides, r, &kinds[0].from[0]);
	if (own->provides.n > 1)
		qsort(own->provides.v, own->provides.n,
		    sizeof(*own->provides.v), by_content);
	rpm_xml_primary_paths(r, &own->paths);
	strv_sort(&own->paths);
}

static void
own_clear(struct own *own)
{
	free(own->provides.v);
	strv_clear(&own->paths);
}

static bool
own_has(const struct own *own, const struct depend *d)
{
	if (own->provides.n > 0 && bsearch(d, own->provides.v,
	    own->provides.n, sizeof(*d), by_content) != NULL)
		return true;
	return own->paths.n > 0 && bsearch(&d->name, own->paths.v,
	    own->paths.n, sizeof(*own->paths.v), by_string) != NULL;
}

/* What rpm must be able to do is not for a repository to know. */
static void
drop_own(struct depends *d, const struct own *own)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		d->v[i].is_dropped = own_has(own, &d->v[i]) ||
		    strncmp(d->v[i].name, "rpmlib(", strlen("rpmlib(")) == 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct depend *x = *(struct depend *const *)a;
	const struct depend *y = *(struct depend *const *)b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->place > y->place) -
	    (x->place < y->place);
}

/* Drops what says the same as the one before it of that name. */
static void
drop_repeated(struct depends *d)
{
	struct depend **sorted = mem_alloc((d->n + 1) * sizeof(*sorted));
	size_t n = 0, i;

	for (i = 0; i < d->n; i++)
		if (!d->v[i].is_dropped)
			sorted[n++] = &d->v[i];
	if (n > 1)
		qsort(sorted, n, sizeof(*sorted), by_name);
	for (i = 1; i < n; i++)
		if (by_content(sorted[i - 1], sorted[i]) == 0 &&
		    sorted[i - 1]->is_pre == sorted[i]->is_pre)
			sorted[i]->is_dropped = true;
	free(sorted);
}

/* ------------------------------------------------------------- libc.so.6 */

/*
 * The order of "libc.so.6", "libc.so.6()(64bit)", "libc.so.6(GLIBC_2.34)":
 * createrepo_c's, found by showing it all pairs of such names. The letters
 * before a version do not count, nor does what follows the first parentheses.
 */

/* "libc.so.6(GLIBC_2.34)(64bit)": "2.34", yours; "" without digits. */
static char *
libc_version(const char *name)
{
	const char *open = strchr(name, '(');
	const char *close = open != NULL ? strchr(open, ')') : NULL;
	size_t skip;

	if (close == NULL)
		return mem_dup("");
	open++;
	skip = strcspn(open, "0123456789)");
	return mem_dupn(open + skip, (size_t)(close - open) - skip);
}

/* No parentheses, one, an empty pair, a version. */
static int
libc_rank(const char *name)
{
	const char *open = strchr(name, '(');

	if (open == NULL)
		return 0;
	if (strchr(open, ')') == NULL)
		return 1;
	return open[1] == ')' ? 2 : 3;
}

/* Are the symbols of a newer than those of b: libc.so.6(...)? */
static bool
libc_is_newer(const char *a, const char *b)
{
	int order = libc_rank(a) - libc_rank(b);
	char *x, *y;

	if (order == 0) {
		x = libc_version(a);
		y = libc_version(b);
		order = rpm_compare_versions(x, y);
		free(x);
		free(y);
	}
	return order > 0;
}

/*
 * Whoever has the newest symbols of the C library has the older ones, so only
 * the newest is listed, and last. A program asks for a dozen otherwise.
 */
static void
keep_newest_libc(struct depends *d)
{
	struct depend newest = {.name = NULL};
	size_t i;

	for (i = 0; i < d->n; i++) {
		if (d->v[i].is_dropped || strncmp(d->v[i].name, "libc.so.6",
		    strlen("libc.so.6")) != 0)
			continue;
		if (newest.name == NULL ||
		    libc_is_newer(d->v[i].name, newest.name))
			newest = d->v[i];
		d->v[i].is_dropped = true;
	}
	if (newest.name != NULL) {
		d->v = mem_resize(d->v, d->n + 1, sizeof(*d->v));
		d->v[d->n++] = newest;
	}
}

/* ---------------------------------------------------------------- writing */

/* An attribute of the first n bytes; none where there are none. */
static void
put_part(struct buf *text, const char *name, const char *value, size_t n)
{
	char *part = mem_dupn(value, n);

	if (n > 0)
		rpm_xml_attribute(text, name, part);
	free(part);
}

/* [epoch:]version[-release] */
static void
put_version(struct buf *text, const char *version)
{
	const char *colon = strchr(version, ':');
	size_t n;

	if (colon == NULL || colon == version)
		buf_str(text, " epoch=\"0\"");
	else
		put_part(text, "epoch", version, (size_t)(colon - version));
	version = colon != NULL ? colon + 1 : version;
	n = strcspn(version, "-");
	put_part(text, "ver", version, n);
	if (version[n] == '-')
		put_part(text, "rel", version + n + 1, strlen(version + n + 1));
}

static void
put_entry(struct buf *text, const struct depend *d, bool says_pre)
{
	buf_str(text, "      <rpm:entry");
	rpm_xml_attribute(text, "name", d->name);
	if (d->comparison[0] != '\0') {
		rpm_xml_attribute(text, "flags", d->comparison);
		if (d->version[0] != '\0')
			put_version(text, d->version);
	}
	if (says_pre && d->is_pre)
		buf_str(text, " pre=\"1\"");
	buf_str(text, "/>\n");
}

static void
put_kind(struct buf *text, const char *element, const struct depends *d)
{
	bool says_pre = strcmp(element, "requires") == 0;
	size_t i, written = 0;

	for (i = 0; i < d->n; i++) {
		if (d->v[i].is_dropped)
			continue;
		if (written++ == 0)
			buf_addf(text, "    <rpm:%s>\n", element);
		put_entry(text, &d->v[i], says_pre);
	}
	if (written > 0)
		buf_addf(text, "    </rpm:%s>\n", element);
}

void
rpm_xml_depends(const struct rpm *r, struct buf *text)
{
	struct own own = {.paths = STRV_INIT};
	size_t i, j;

	own_read(&own, r);
	for (i = 0; i < COUNT(kinds); i++) {
		const struct source *from = kinds[i].from;
		struct depends d = {.v = NULL};

		/* Where it comes from the requires, their rules hold. */
		depends_read(&d, r, &from[0]);
		if (from[0].names == TAG_REQUIRENAME)
			drop_own(&d, &own);
		for (j = 1; j < COUNT(kinds[i].from) && from[j].names; j++)
			depends_read(&d, r, &from[j]);
		if (strcmp(kinds[i].element, "requires") == 0) {
			drop_repeated(&d);
			keep_newest_libc(&d);
		}
		put_kind(text, kinds[i].element, &d);
		free(d.v);
	}
	own_clear(&own);
}
