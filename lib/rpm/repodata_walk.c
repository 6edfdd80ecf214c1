/*
 * A look at one element: that what lies in it ends where it should, and which
 * of it is taken.
 */
#include "lib/rpm/repodata_walk.h"

static int
walk_open(struct walk *w, const struct tag *tag, struct err *e)
{
	if (tag->is_empty)
		return 0;
	if (w->depth == WALK_DEPTH)
		return err_set(e, ERR_DATA, "more than %d elements lie in one "
		    "another", WALK_DEPTH);
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
			return err_set(e, ERR_DATA, "<%s> is there twice",
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
