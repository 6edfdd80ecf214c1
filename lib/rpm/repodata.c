#include "lib/rpm/repodata.h"

#include <string.h>

#include "lib/rpm/xml.h"

/* ------------------------------------------------ lists, by their packages */

static bool
is_root(const struct tag *tag)
{
	return span_is(&tag->name, "metadata") ||
	    span_is(&tag->name, "filelists") ||
	    span_is(&tag->name, "otherdata");
}

/* The next package's first tag, beyond the root element's; 0: no more. */
static int
find_package(const char **p, const char *end, struct tag *tag, struct err *e)
{
	int status = tag_first(p, end, tag, e);

	if (status > 0 && is_root(tag) && !tag->is_end && !tag->is_empty)
		status = tag_next_outer(p, end, tag, e);
	if (status <= 0) {
		*p = end;
		return status;
	}
	if (is_root(tag) && (tag->is_end || tag->is_empty)) {
		if (xml_skip_blanks(*p, end) != end)
			return err_set(e, ERR_DATA, "something follows the "
			    "last tag");
		*p = end;
		return 0;
	}
	if (!span_is(&tag->name, "package") || tag->is_end)
		return err_set(e, ERR_DATA, "a tag is not <package>: '%.*s'",
		    tag->name.n > 40 ? 40 : (int)tag->name.n, tag->name.p);
	return 1;
}

enum primary_field {
	FIELD_NAME, FIELD_ARCH, FIELD_VERSION, FIELD_CHECKSUM, FIELD_SIZE,
	FIELD_LOCATION, FIELD_RANGE, PRIMARY_FIELDS
};
static const struct walk_field primary_fields[PRIMARY_FIELDS] = {
	[FIELD_NAME] = {"name", 1, "package"},
	[FIELD_ARCH] = {"arch", 1, "package"},
	[FIELD_VERSION] = {"version", 1, "package"},
	[FIELD_CHECKSUM] = {"checksum", 1, "package"},
	[FIELD_SIZE] = {"size", 1, "package"},
	[FIELD_LOCATION] = {"location", 1, "package"},
	[FIELD_RANGE] = {"rpm:header-range", 2, "format"},
};

static int
read_version(const struct tag *tag, struct repodata_package *k,
    struct err *e)
{
	if (tag_attribute(tag, "epoch", &k->epoch, e) < 0 ||
	    tag_attribute(tag, "ver", &k->version, e) < 0)
		return -1;
	return tag_attribute(tag, "rel", &k->release, e);
}

static int
read_primary(struct walk *w, const struct tag *tag, int field,
    struct repodata_package *k, struct err *e)
{
	switch (field) {
	case FIELD_NAME:
		return walk_text(w, tag, &k->name, e);
	case FIELD_ARCH:
		return walk_text(w, tag, &k->arch, e);
	case FIELD_VERSION:
		return read_version(tag, k, e);
	case FIELD_CHECKSUM:
		if (tag_check(tag, "pkgid", "YES", e) < 0)
			return -1;
		return walk_sha256(w, tag, k->sha256, e);
	case FIELD_SIZE:
		return tag_number(tag, "package", &k->size, e);
	case FIELD_LOCATION:
		return tag_href(tag, &k->href, e);
	case FIELD_RANGE:
		if (tag_number(tag, "start", &k->header_start, e) < 0)
			return -1;
		return tag_number(tag, "end", &k->header_end, e);
	default:
		return 0;
	}
}

static int
walk_primary(struct walk *w, struct repodata_package *k, struct err *e)
{
	struct span text;
	struct tag tag;
	unsigned seen = 0;
	int status, field;

	while ((status = walk_next(w, &tag, &text, e)) > 0) {
		field = walk_find(primary_fields, PRIMARY_FIELDS, w, &tag,
		    &seen, e);
		if (field < 0 || read_primary(w, &tag, field, k, e) < 0)
			return -1;
	}
	if (status < 0)
		return -1;
	return walk_check_seen(primary_fields, PRIMARY_FIELDS, seen, e);
}

int
repodata_next_primary(const char **p, const char *end,
    struct repodata_package *package, struct err *e)
{
	struct walk w;
	struct tag tag;
	int status = find_package(p, end, &tag, e);

	if (status <= 0)
		return status;
	*package = (struct repodata_package){.size = 0};
	if (tag_check(&tag, "type", "rpm", e) < 0 ||
	    walk_begin(&w, &tag, end, e) < 0)
		return -1;
	if (walk_primary(&w, package, e) < 0)
		return err_wrap(e, "package '%.*s'",
		    package->name.n > 99 ? 99 : (int)package->name.n,
		    package->name.p ? package->name.p : "");
	package->element = (struct span){tag.start, (size_t)(w.p - tag.start)};
	*p = w.p;
	return 1;
}

int
repodata_next_listed(const char **p, const char *end, struct span *element,
    uint8_t pkgid[HASH_SIZE], struct err *e)
{
	struct walk w;
	struct tag first, tag;
	struct span text;
	int status = find_package(p, end, &first, e);

	if (status <= 0)
		return status;
	if (tag_attribute(&first, "pkgid", &text, e) < 0)
		return -1;
	if (!span_sha256(&text, pkgid))
		return tag_malformed(&first, "pkgid", e);
	status = walk_begin(&w, &first, end, e);
	while (status == 0 && w.depth > 0)
		status = walk_next(&w, &tag, &text, e) < 0 ? -1 : 0;
	if (status < 0)
		return -1;
	*element = (struct span){first.start, (size_t)(w.p - first.start)};
	*p = w.p;
	return 1;
}

int
repodata_count(const char *p, size_t n, uint64_t *count, struct err *e)
{
	const char *end = p + n;
	struct tag tag;
	int status;

	status = tag_first(&p, end, &tag, e);
	if (status < 0)
		return -1;
	if (status == 0 || tag.is_end || !is_root(&tag))
		return err_set(e, ERR_DATA, "it is not a list of packages");
	return tag_number(&tag, "packages", count, e);
}

bool
repodata_ends(const char *p, size_t n, const char *root)
{
	size_t m = strlen(root);

	while (n > 0 && xml_is_blank(p[n - 1]))
		n--;
	return n >= m + 3 && p[n - 1] == '>' &&
	    memcmp(p + n - 1 - m, root, m) == 0 &&
	    memcmp(p + n - 3 - m, "</", 2) == 0;
}

/* ------------------------------------------------------------- repomd.xml */

enum data_field {
	DATA_CHECKSUM, DATA_LOCATION, DATA_SIZE, DATA_NEEDED,
	DATA_OPEN_CHECKSUM = DATA_NEEDED, DATA_OPEN_SIZE, DATA_FIELDS
};
static const struct walk_field data_fields[DATA_FIELDS] = {
	[DATA_CHECKSUM] = {"checksum", 2, "data"},
	[DATA_LOCATION] = {"location", 2, "data"},
	[DATA_SIZE] = {"size", 2, "data"},
	[DATA_OPEN_CHECKSUM] = {"open-checksum", 2, "data"},
	[DATA_OPEN_SIZE] = {"open-size", 2, "data"},
};

static int
read_data(struct walk *w, const struct tag *tag, int field,
    struct repomd_file *f, struct err *e)
{
	switch (field) {
	case DATA_CHECKSUM:
		return walk_sha256(w, tag, f->sha256, e);
	case DATA_LOCATION:
		return tag_href(tag, &f->href, e);
	case DATA_SIZE:
		return walk_number(w, tag, &f->size, e);
	case DATA_OPEN_CHECKSUM:
		return walk_sha256(w, tag, f->open_sha256, e);
	case DATA_OPEN_SIZE:
		return walk_number(w, tag, &f->open_size, e);
	default:
		return 0;
	}
}

/* All within one <data>. */
static int
walk_data(struct walk *w, struct repomd_file *f, struct err *e)
{
	struct span text;
	struct tag tag;
	unsigned seen = 0, open;
	int field;

	while (w->depth > 1) {
		if (walk_next(w, &tag, &text, e) < 0)
			return -1;
		field = walk_find(data_fields, DATA_FIELDS, w, &tag, &seen, e);
		if (field < 0 || read_data(w, &tag, field, f, e) < 0)
			return -1;
	}
	open = seen >> DATA_OPEN_CHECKSUM & 3;
	f->has_open = open == 3;
	/* neither or both */
	return walk_check_seen(data_fields, open ? DATA_FIELDS : DATA_NEEDED,
	    seen, e);
}

const struct repomd_file *
repomd_find(const struct repomd *md, const char *type)
{
	size_t i;

	for (i = 0; i < md->n; i++)
		if (span_is(&md->v[i].type, type))
			return &md->v[i];
	return NULL;
}

static int
add_data(struct walk *w, const struct tag *tag, struct repomd *md,
    struct err *e)
{
	struct repomd_file *f = &md->v[md->n];
	struct span type;
	size_t i;

	if (tag_attribute(tag, "type", &type, e) < 0)
		return -1;
	if (md->n == REPOMD_FILES)
		return err_set(e, ERR_DATA, "more than %d files are named",
		    REPOMD_FILES);
	for (i = 0; i < md->n; i++)
		if (span_same(&md->v[i].type, &type))
			return err_set(e, ERR_DATA, "'%.*s' is named twice",
			    type.n > 40 ? 40 : (int)type.n, type.p);
	*f = (struct repomd_file){.type = type};
	if (tag->is_empty)
		return tag_malformed(tag, "content", e);
	if (walk_data(w, f, e) < 0)
		return err_wrap(e, "'%.*s'", type.n > 40 ? 40 : (int)type.n,
		    type.p);
	md->n++;
	return 0;
}

static int
walk_repomd(struct walk *w, struct repomd *md, struct err *e)
{
	static const struct walk_field revision = {"revision", 1, "repomd"};
	unsigned seen = 0;
	struct span text;
	struct tag tag;
	int status, field;

	while ((status = walk_next(w, &tag, &text, e)) > 0) {
		field = walk_find(&revision, 1, w, &tag, &seen, e);
		if (field < 0)
			return -1;
		if (field == 0)
			status = walk_number(w, &tag, &md->revision, e);
		else if (!tag.is_end && span_is(&tag.name, "data"))
			status = w->depth != 2 - (size_t)tag.is_empty ?
			    tag_malformed(&tag, "place", e) :
			    add_data(w, &tag, md, e);
		if (status < 0)
			return -1;
	}
	return status;
}

int
repomd_parse(const char *p, size_t n, struct repomd *md, struct err *e)
{
	const char *end = p + n;
	struct walk w;
	struct tag tag;
	int status;

	md->revision = 0;
	md->n = 0;
	status = tag_first(&p, end, &tag, e);
	if (status < 0)
		return -1;
	if (status == 0 || tag.is_end || !span_is(&tag.name, "repomd"))
		return err_set(e, ERR_DATA, "it is not a repomd.xml");
	if (walk_begin(&w, &tag, end, e) < 0 || walk_repomd(&w, md, e) < 0)
		return -1;
	if (xml_skip_blanks(w.p, end) != end)
		return err_set(e, ERR_DATA, "something follows </repomd>");
	return 0;
}
