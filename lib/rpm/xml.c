/*
 * The scanner: from one tag to the next, and the values in a tag. It knows as
 * much of XML as createrepo_c writes.
 */
#include "lib/rpm/xml.h"

#include <string.h>

#include "lib/base/text.h"

/* ------------------------------------------------------------------- text */

bool
xml_is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

const char *
xml_skip_blanks(const char *p, const char *end)
{
	while (p < end && xml_is_blank(*p))
		p++;
	return p;
}

bool
span_is_plain(const struct span *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->p[i] == '&' || (unsigned char)s->p[i] < ' ' ||
		    s->p[i] == 0x7f)
			return false;
	return s->n > 0;
}

bool
span_number(const struct span *s, uint64_t *number)
{
	return decimal_read(s->p, s->n, number);
}

bool
span_sha256(const struct span *s, uint8_t sha256[HASH_SIZE])
{
	return s->n == HASH_HEX - 1 && hash_parse(s->p, sha256);
}

/* ------------------------------------------------------------------- tags */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
read_name(const char **p, const char *end, struct span *name)
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
read_attribute(const char **p, const char *end, struct span *name,
    struct span *value)
{
	const char *from, *to;

	if (!read_name(p, end, name) || end - *p < 2 || **p != '=' ||
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
read_tag(const char *p, const char *end, struct tag *tag)
{
	struct span name, value;
	const char *at;

	*tag = (struct tag){.start = p++};
	if (p < end && *p == '/') {
		tag->is_end = true;
		p++;
	}
	if (!read_name(&p, end, &tag->name))
		return false;
	tag->attributes.p = p;
	while ((at = xml_skip_blanks(p, end)) != p) {
		if (tag->is_end || !read_attribute(&at, end, &name, &value)) {
			p = xml_skip_blanks(p, end);
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

int
tag_next(const char **p, const char *end, struct span *text, struct tag *tag,
    struct err *e)
{
	const char *at = memchr(*p, '<', (size_t)(end - *p));

	*text = (struct span){*p, (size_t)((at ? at : end) - *p)};
	if (at == NULL)
		return 0;
	if (!read_tag(at, end, tag))
		return err_set(e, ERR_DATA, "a tag is malformed or of a kind "
		    "that is not read: '%.*s'",
		    end - at > 40 ? 40 : (int)(end - at), at);
	*p = tag->end;
	return 1;
}

int
tag_next_outer(const char **p, const char *end, struct tag *tag,
    struct err *e)
{
	struct span text;
	int status = tag_next(p, end, &text, tag, e);

	if (status >= 0 && xml_skip_blanks(text.p, text.p + text.n) !=
	    text.p + text.n)
		return err_set(e, ERR_DATA, "there is text between the "
		    "packages");
	return status;
}

static const char *
skip_declaration(const char *p, const char *end)
{
	const char *stop;

	if (end - p < 6 || memcmp(p, "<?xml ", 6) != 0)
		return p;
	stop = memmem(p, (size_t)(end - p), "?>", 2);
	return stop ? stop + 2 : p;
}

int
tag_first(const char **p, const char *end, struct tag *tag, struct err *e)
{
	*p = skip_declaration(*p, end);
	return tag_next_outer(p, end, tag, e);
}

int
tag_malformed(const struct tag *tag, const char *attribute, struct err *e)
{
	return err_set(e, ERR_DATA, "<%.*s> has a bad %s",
	    tag->name.n > 40 ? 40 : (int)tag->name.n, tag->name.p, attribute);
}

/* ------------------------------------------------------------- attributes */

/* How often the tag has the attribute; the value is the last one's. */
static int
find_attribute(const struct tag *tag, const char *name, struct span *value)
{
	const char *p = tag->attributes.p, *end = p + tag->attributes.n;
	struct span found, text;
	int count = 0;

	while ((p = xml_skip_blanks(p, end)) < end &&
	    read_attribute(&p, end, &found, &text))
		if (span_is(&found, name)) {
			*value = text;
			count++;
		}
	return count;
}

int
tag_attribute(const struct tag *tag, const char *name, struct span *value,
    struct err *e)
{
	if (find_attribute(tag, name, value) != 1 || !span_is_plain(value))
		return tag_malformed(tag, name, e);
	return 0;
}

int
tag_number(const struct tag *tag, const char *name, uint64_t *number,
    struct err *e)
{
	struct span value;

	if (tag_attribute(tag, name, &value, e) < 0)
		return -1;
	return span_number(&value, number) ? 0 : tag_malformed(tag, name, e);
}

/* A client would look for the file elsewhere. */
int
tag_href(const struct tag *tag, struct span *href, struct err *e)
{
	struct span base;

	if (find_attribute(tag, "xml:base", &base) > 0)
		return err_set(e, ERR_DATA, "<location> has an xml:base");
	return tag_attribute(tag, "href", href, e);
}

int
tag_check(const struct tag *tag, const char *name, const char *value,
    struct err *e)
{
	struct span found;

	if (tag_attribute(tag, name, &found, e) < 0)
		return -1;
	return span_is(&found, value) ? 0 : tag_malformed(tag, name, e);
}

/* ------------------------------------------------------------ one element */

static int
walk_open(struct walk *w, const struct tag *tag, struct err *e)
{
	if (tag->is_empty)
		return 0;
	if (w->depth == WALK_DEPTH)
		return err_set(e, ERR_DATA, "elements are nested more than "
		    "%d deep", WALK_DEPTH);
	w->open[w->depth++] = tag->name;
	return 0;
}

static int
walk_close(struct walk *w, const struct tag *tag, struct err *e)
{
	if (!span_same(&w->open[w->depth - 1], &tag->name))
		return err_set(e, ERR_DATA, "<%.*s> does not end",
		    w->open[w->depth - 1].n > 40 ? 40 :
		    (int)w->open[w->depth - 1].n, w->open[w->depth - 1].p);
	w->depth--;
	return 0;
}

int
walk_begin(struct walk *w, const struct tag *tag, const char *end,
    struct err *e)
{
	w->p = tag->end;
	w->end = end;
	w->depth = 0;
	return walk_open(w, tag, e);
}

int
walk_next(struct walk *w, struct tag *tag, struct span *text, struct err *e)
{
	int status;

	if (w->depth == 0)
		return 0;
	status = tag_next(&w->p, w->end, text, tag, e);
	if (status == 0)
		return err_set(e, ERR_DATA, "the text ends within an element");
	if (status > 0)
		status = tag->is_end ? walk_close(w, tag, e) :
		    walk_open(w, tag, e);
	return status < 0 ? -1 : 1;
}

int
walk_text(struct walk *w, const struct tag *tag, struct span *text,
    struct err *e)
{
	struct tag stop;

	if (tag->is_empty)
		return tag_malformed(tag, "text", e);
	if (walk_next(w, &stop, text, e) < 0)
		return -1;
	return stop.is_end && span_is_plain(text) ? 0 :
	    tag_malformed(tag, "text", e);
}

int
walk_number(struct walk *w, const struct tag *tag, uint64_t *number,
    struct err *e)
{
	struct span text;

	if (walk_text(w, tag, &text, e) < 0)
		return -1;
	return span_number(&text, number) ? 0 : tag_malformed(tag, "number", e);
}

int
walk_sha256(struct walk *w, const struct tag *tag, uint8_t sha256[HASH_SIZE],
    struct err *e)
{
	struct span text;

	if (tag_check(tag, "type", "sha256", e) < 0 ||
	    walk_text(w, tag, &text, e) < 0)
		return -1;
	return span_sha256(&text, sha256) ? 0 :
	    tag_malformed(tag, "SHA-256", e);
}

int
walk_find(const struct walk_field *fields, size_t n, const struct walk *w,
    const struct tag *tag, unsigned *seen, struct err *e)
{
	size_t depth = w->depth - (tag->is_empty || tag->is_end ? 0 : 1), i;

	for (i = 0; i < n && !tag->is_end; i++) {
		if (fields[i].depth != depth ||
		    !span_is(&tag->name, fields[i].name) ||
		    !span_is(&w->open[depth - 1], fields[i].parent))
			continue;
		if (*seen & 1u << i)
			return err_set(e, ERR_DATA, "<%s> appears twice",
			    fields[i].name);
		*seen |= 1u << i;
		return (int)i;
	}
	return (int)n;
}

int
walk_check_seen(const struct walk_field *fields, size_t n, unsigned seen,
    struct err *e)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!(seen & 1u << i))
			return err_set(e, ERR_DATA, "<%s> is missing",
			    fields[i].name);
	return 0;
}
