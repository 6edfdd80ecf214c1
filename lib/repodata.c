#include "lib/repodata.h"

#include <string.h>

#define DEPTH 8		/* createrepo_c needs 4 */
#define DIGITS 18	/* of a number: fits in 63 bits */

/* <name a="b">, </name> or <name/>. */
struct tag {
	const char *start;	/* the "<" */
	const char *end;	/* beyond the ">" */
	struct span name;
	struct span attributes;	/* well-formed */
	bool is_end;
	bool is_empty;
};

bool
span_is(const struct span *s, const char *text)
{
	return strlen(text) == s->n && memcmp(s->p, text, s->n) == 0;
}

static bool
same(const struct span *a, const struct span *b)
{
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/* -------------------------------------------------------------------- tags */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
take_name(const char **p, const char *end, struct span *name)
{
	const char *c = *p;

	if (c == end || !is_letter(*c))
		return false;
	while (c < end && (is_letter(*c) || (*c >= '0' && *c <= '9') ||
	    *c == ':' || *c == '-' || *c == '.'))
		c++;
	*name = (struct span){*p, (size_t)(c - *p)};
	*p = c;
	return true;
}

/* name="value", or with the other quotes */
static bool
take_attribute(const char **p, const char *end, struct span *name,
    struct span *value)
{
	const char *from, *to;

	if (!take_name(p, end, name) || end - *p < 2 || **p != '=' ||
	    ((*p)[1] != '"' && (*p)[1] != '\''))
		return false;
	from = *p + 2;
	to = memchr(from, (*p)[1], (size_t)(end - from));
	if (to == NULL || memchr(from, '<', (size_t)(to - from)) != NULL)
		return false;
	*value = (struct span){from, (size_t)(to - from)};
	*p = to + 1;
	return true;
}

/* At "<". Comments, CDATA and instructions have no name, so are no tags. */
static bool
take_tag(const char *p, const char *end, struct tag *tag)
{
	struct span name, value;
	const char *at;

	*tag = (struct tag){.start = p++};
	if (p < end && *p == '/') {
		tag->is_end = true;
		p++;
	}
	if (!take_name(&p, end, &tag->name))
		return false;
	tag->attributes.p = p;
	while ((at = skip_blanks(p, end)) != p) {
		if (tag->is_end || !take_attribute(&at, end, &name, &value)) {
			p = skip_blanks(p, end);
			break;
		}
		p = at;
	}
	tag->attributes.n = (size_t)(p - tag->attributes.p);
	if (p < end && *p == '/' && !tag->is_end) {
		tag->is_empty = true;
		p++;
	}
	if (p == end || *p != '>')
		return false;
	tag->end = p + 1;
	return true;
}

/* The next tag and the text before it; 0 if there is only text. */
static int
next_tag(const char **p, const char *end, struct span *text, struct tag *tag,
    struct err *e)
{
	const char *at = memchr(*p, '<', (size_t)(end - *p));

	*text = (struct span){*p, (size_t)((at ? at : end) - *p)};
	if (at == NULL)
		return 0;
	if (!take_tag(at, end, tag))
		return err_set(e, ERR_DATA, "a tag is malformed or of a kind "
		    "that is not read: '%.*s'",
		    end - at > 40 ? 40 : (int)(end - at), at);
	*p = tag->end;
	return 1;
}

static int
malformed(const struct tag *tag, const char *attribute, struct err *e)
{
	return err_set(e, ERR_DATA, "<%.*s> has a bad %s",
	    tag->name.n > 40 ? 40 : (int)tag->name.n, tag->name.p, attribute);
}

/* ------------------------------------------------------------------ values */

/* What has an entity in it would have to be copied: no such value is taken. */
static bool
is_plain(const struct span *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->p[i] == '&' || (unsigned char)s->p[i] < ' ' ||
		    s->p[i] == 0x7f)
			return false;
	return s->n > 0;
}

static bool
parse_number(const struct span *s, uint64_t *number)
{
	size_t i;

	if (s->n == 0 || s->n > DIGITS || (s->p[0] == '0' && s->n > 1))
		return false;
	*number = 0;
	for (i = 0; i < s->n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t)(s->p[i] - '0');
	}
	return true;
}

static bool
parse_sha256(const struct span *s, uint8_t sha256[HASH_SIZE])
{
	return s->n == HASH_HEX - 1 && hash_parse(s->p, sha256);
}

/* How often the tag has the attribute; the value is the last one's. */
static int
find_attribute(const struct tag *tag, const char *name, struct span *value)
{
	const char *p = tag->attributes.p, *end = p + tag->attributes.n;
	struct span found, text;
	int count = 0;

	while ((p = skip_blanks(p, end)) < end &&
	    take_attribute(&p, end, &found, &text))
		if (span_is(&found, name)) {
			*value = text;
			count++;
		}
	return count;
}

static int
get_attribute(const struct tag *tag, const char *name, struct span *value,
    struct err *e)
{
	if (find_attribute(tag, name, value) != 1 || !is_plain(value))
		return malformed(tag, name, e);
	return 0;
}

static int
get_number(const struct tag *tag, const char *name, uint64_t *number,
    struct err *e)
{
	struct span value;

	if (get_attribute(tag, name, &value, e) < 0)
		return -1;
	return parse_number(&value, number) ? 0 : malformed(tag, name, e);
}

/* A client would look for the file elsewhere. */
static int
get_href(const struct tag *tag, struct span *href, struct err *e)
{
	struct span base;

	if (find_attribute(tag, "xml:base", &base) > 0)
		return err_set(e, ERR_DATA, "<location> has an xml:base");
	return get_attribute(tag, "href", href, e);
}

static int
check_value(const struct tag *tag, const char *name, const char *value,
    struct err *e)
{
	struct span found;

	if (get_attribute(tag, name, &found, e) < 0)
		return -1;
	return span_is(&found, value) ? 0 : malformed(tag, name, e);
}

/* ------------------------------------------------------------ the elements */

/* A look at all tags of one element, in order. */
struct walk {
	const char *p;
	const char *end;
	struct span open[DEPTH];	/* the names, outermost first */
	size_t depth;
};

static int
walk_open(struct walk *w, const struct tag *tag, struct err *e)
{
	if (tag->is_empty)
		return 0;
	if (w->depth == DEPTH)
		return err_set(e, ERR_DATA, "more than %d elements lie in one "
		    "another", DEPTH);
	w->open[w->depth++] = tag->name;
	return 0;
}

static int
walk_close(struct walk *w, const struct tag *tag, struct err *e)
{
	if (!same(&w->open[w->depth - 1], &tag->name))
		return err_set(e, ERR_DATA, "<%.*s> does not end",
		    w->open[w->depth - 1].n > 40 ? 40 :
		    (int)w->open[w->depth - 1].n, w->open[w->depth - 1].p);
	w->depth--;
	return 0;
}

/* Begins with the element's first tag. */
static int
walk_begin(struct walk *w, const struct tag *tag, const char *end,
    struct err *e)
{
	w->p = tag->end;
	w->end = end;
	w->depth = 0;
	return walk_open(w, tag, e);
}

/* The next tag within; 0 when the element has ended. */
static int
walk_next(struct walk *w, struct tag *tag, struct span *text, struct err *e)
{
	int status;

	if (w->depth == 0)
		return 0;
	status = next_tag(&w->p, w->end, text, tag, e);
	if (status == 0)
		return err_set(e, ERR_DATA, "the text ends within an element");
	if (status > 0)
		status = tag->is_end ? walk_close(w, tag, e) :
		    walk_open(w, tag, e);
	return status < 0 ? -1 : 1;
}

/* The text of the element whose first tag was just met. */
static int
walk_text(struct walk *w, const struct tag *tag, struct span *text,
    struct err *e)
{
	struct tag stop;

	if (tag->is_empty)
		return malformed(tag, "text", e);
	if (walk_next(w, &stop, text, e) < 0)
		return -1;
	return stop.is_end && is_plain(text) ? 0 : malformed(tag, "text", e);
}

static int
walk_number(struct walk *w, const struct tag *tag, uint64_t *number,
    struct err *e)
{
	struct span text;

	if (walk_text(w, tag, &text, e) < 0)
		return -1;
	return parse_number(&text, number) ? 0 : malformed(tag, "number", e);
}

static int
walk_sha256(struct walk *w, const struct tag *tag, uint8_t sha256[HASH_SIZE],
    struct err *e)
{
	struct span text;

	if (check_value(tag, "type", "sha256", e) < 0 ||
	    walk_text(w, tag, &text, e) < 0)
		return -1;
	return parse_sha256(&text, sha256) ? 0 : malformed(tag, "SHA-256", e);
}

/*
 * The elements that are taken. A tag is one of them if it begins an element
 * of that name in that place: depth counts those that it lies in.
 */
struct field {
	const char *name;
	size_t depth;
	const char *parent;
};

/* Its number, or n; -1 where it was seen before. */
static int
find_field(const struct field *fields, size_t n, const struct walk *w,
    const struct tag *tag, unsigned *seen, struct err *e)
{
	size_t depth = w->depth - (tag->is_empty || tag->is_end ? 0 : 1), i;

	for (i = 0; i < n && !tag->is_end; i++) {
		if (fields[i].depth != depth ||
		    !span_is(&tag->name, fields[i].name) ||
		    !span_is(&w->open[depth - 1], fields[i].parent))
			continue;
		if (*seen & 1u << i)
			return err_set(e, ERR_DATA, "<%s> is there twice",
			    fields[i].name);
		*seen |= 1u << i;
		return (int)i;
	}
	return (int)n;
}

static int
check_seen(const struct field *fields, size_t n, unsigned seen,
    struct err *e)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!(seen & 1u << i))
			return err_set(e, ERR_DATA, "<%s> is missing",
			    fields[i].name);
	return 0;
}

/* --------------------------------------------------------------- the lists */

static const char *
skip_declaration(const char *p, const char *end)
{
	const char *stop;

	if (end - p < 6 || memcmp(p, "<?xml ", 6) != 0)
		return p;
	stop = memmem(p, (size_t)(end - p), "?>", 2);
	return stop ? stop + 2 : p;
}

static bool
is_root(const struct tag *tag)
{
	return span_is(&tag->name, "metadata") ||
	    span_is(&tag->name, "filelists") ||
	    span_is(&tag->name, "otherdata");
}

/* The tag between packages; nothing but blanks may lie before it. */
static int
next_outer_tag(const char **p, const char *end, struct tag *tag,
    struct err *e)
{
	struct span text;
	int status = next_tag(p, end, &text, tag, e);

	if (status >= 0 && skip_blanks(text.p, text.p + text.n) !=
	    text.p + text.n)
		return err_set(e, ERR_DATA, "text lies between the packages");
	return status;
}

/* The next package's first tag, beyond the root element's; 0: no more. */
static int
find_package(const char **p, const char *end, struct tag *tag, struct err *e)
{
	int status;

	*p = skip_declaration(*p, end);
	status = next_outer_tag(p, end, tag, e);
	if (status > 0 && is_root(tag) && !tag->is_end && !tag->is_empty)
		status = next_outer_tag(p, end, tag, e);
	if (status <= 0) {
		*p = end;
		return status;
	}
	if (is_root(tag) && (tag->is_end || tag->is_empty)) {
		if (skip_blanks(*p, end) != end)
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
static const struct field primary_fields[PRIMARY_FIELDS] = {
	[FIELD_NAME] = {"name", 1, "package"},
	[FIELD_ARCH] = {"arch", 1, "package"},
	[FIELD_VERSION] = {"version", 1, "package"},
	[FIELD_CHECKSUM] = {"checksum", 1, "package"},
	[FIELD_SIZE] = {"size", 1, "package"},
	[FIELD_LOCATION] = {"location", 1, "package"},
	[FIELD_RANGE] = {"rpm:header-range", 2, "format"},
};

static int
take_version(const struct tag *tag, struct repodata_package *k,
    struct err *e)
{
	if (get_attribute(tag, "epoch", &k->epoch, e) < 0 ||
	    get_attribute(tag, "ver", &k->version, e) < 0)
		return -1;
	return get_attribute(tag, "rel", &k->release, e);
}

static int
take_primary(struct walk *w, const struct tag *tag, int field,
    struct repodata_package *k, struct err *e)
{
	switch (field) {
	case FIELD_NAME:
		return walk_text(w, tag, &k->name, e);
	case FIELD_ARCH:
		return walk_text(w, tag, &k->arch, e);
	case FIELD_VERSION:
		return take_version(tag, k, e);
	case FIELD_CHECKSUM:
		if (check_value(tag, "pkgid", "YES", e) < 0)
			return -1;
		return walk_sha256(w, tag, k->sha256, e);
	case FIELD_SIZE:
		return get_number(tag, "package", &k->size, e);
	case FIELD_LOCATION:
		return get_href(tag, &k->href, e);
	case FIELD_RANGE:
		if (get_number(tag, "start", &k->header_start, e) < 0)
			return -1;
		return get_number(tag, "end", &k->header_end, e);
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
		field = find_field(primary_fields, PRIMARY_FIELDS, w, &tag,
		    &seen, e);
		if (field < 0 || take_primary(w, &tag, field, k, e) < 0)
			return -1;
	}
	if (status < 0)
		return -1;
	return check_seen(primary_fields, PRIMARY_FIELDS, seen, e);
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
	if (check_value(&tag, "type", "rpm", e) < 0 ||
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
	if (get_attribute(&first, "pkgid", &text, e) < 0)
		return -1;
	if (!parse_sha256(&text, pkgid))
		return malformed(&first, "pkgid", e);
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

	p = skip_declaration(p, end);
	status = next_outer_tag(&p, end, &tag, e);
	if (status < 0)
		return -1;
	if (status == 0 || tag.is_end || !is_root(&tag))
		return err_set(e, ERR_DATA, "it is no list of packages");
	return get_number(&tag, "packages", count, e);
}

bool
repodata_ends(const char *p, size_t n, const char *root)
{
	size_t m = strlen(root);

	while (n > 0 && is_blank(p[n - 1]))
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
static const struct field data_fields[DATA_FIELDS] = {
	[DATA_CHECKSUM] = {"checksum", 2, "data"},
	[DATA_LOCATION] = {"location", 2, "data"},
	[DATA_SIZE] = {"size", 2, "data"},
	[DATA_OPEN_CHECKSUM] = {"open-checksum", 2, "data"},
	[DATA_OPEN_SIZE] = {"open-size", 2, "data"},
};

static int
take_data(struct walk *w, const struct tag *tag, int field,
    struct repomd_file *f, struct err *e)
{
	switch (field) {
	case DATA_CHECKSUM:
		return walk_sha256(w, tag, f->sha256, e);
	case DATA_LOCATION:
		return get_href(tag, &f->href, e);
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
		field = find_field(data_fields, DATA_FIELDS, w, &tag, &seen,
		    e);
		if (field < 0 || take_data(w, &tag, field, f, e) < 0)
			return -1;
	}
	open = seen >> DATA_OPEN_CHECKSUM & 3;
	f->has_open = open == 3;
	/* neither or both */
	return check_seen(data_fields, open ? DATA_FIELDS : DATA_NEEDED, seen,
	    e);
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

	if (get_attribute(tag, "type", &type, e) < 0)
		return -1;
	if (md->n == REPOMD_FILES)
		return err_set(e, ERR_DATA, "more than %d files are named",
		    REPOMD_FILES);
	for (i = 0; i < md->n; i++)
		if (same(&md->v[i].type, &type))
			return err_set(e, ERR_DATA, "'%.*s' is named twice",
			    type.n > 40 ? 40 : (int)type.n, type.p);
	*f = (struct repomd_file){.type = type};
	if (tag->is_empty)
		return malformed(tag, "content", e);
	if (walk_data(w, f, e) < 0)
		return err_wrap(e, "'%.*s'", type.n > 40 ? 40 : (int)type.n,
		    type.p);
	md->n++;
	return 0;
}

static int
walk_repomd(struct walk *w, struct repomd *md, struct err *e)
{
	static const struct field revision = {"revision", 1, "repomd"};
	unsigned seen = 0;
	struct span text;
	struct tag tag;
	int status, field;

	while ((status = walk_next(w, &tag, &text, e)) > 0) {
		field = find_field(&revision, 1, w, &tag, &seen, e);
		if (field < 0)
			return -1;
		if (field == 0)
			status = walk_number(w, &tag, &md->revision, e);
		else if (!tag.is_end && span_is(&tag.name, "data"))
			status = w->depth != 2 - (size_t)tag.is_empty ?
			    malformed(&tag, "place", e) :
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
	p = skip_declaration(p, end);
	status = next_outer_tag(&p, end, &tag, e);
	if (status < 0)
		return -1;
	if (status == 0 || tag.is_end || !span_is(&tag.name, "repomd"))
		return err_set(e, ERR_DATA, "it is no repomd.xml");
	if (walk_begin(&w, &tag, end, e) < 0 || walk_repomd(&w, md, e) < 0)
		return -1;
	if (skip_blanks(w.p, end) != end)
		return err_set(e, ERR_DATA, "something follows </repomd>");
	return 0;
}
