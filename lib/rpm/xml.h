/*
 * As much of XML as the metadata of rpm repositories need (repodata.c): tags
 * and the values in them, and a look at all that lies in one element.
 *
 *	struct walk w;
 *	walk_begin(&w, &tag, end, e);
 *	while ((status = walk_next(&w, &tag, &text, e)) > 0) {
 *		field = walk_find(fields, n, &w, &tag, &seen, e);
 *		...
 *	}
 *	walk_check_seen(fields, n, seen, e);
 *
 * The text is not copied; what fails is ERR_DATA.
 */
#ifndef LIB_RPM_XML_H
#define LIB_RPM_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/text.h"
#include "lib/data/hash.h"

/* <name a="b">, </name> or <name/>. */
struct tag {
	const char *start;	/* the "<" */
	const char *end;	/* beyond the ">" */
	struct span name;
	struct span attributes;	/* well-formed */
	bool is_end;
	bool is_empty;
};

bool xml_is_blank(char c);
const char *xml_skip_blanks(const char *p, const char *end);

/* What has an entity in it would have to be copied: no such value is taken. */
bool span_is_plain(const struct span *s);
bool span_number(const struct span *s, uint64_t *number);
bool span_sha256(const struct span *s, uint8_t sha256[HASH_SIZE]);

/* The next tag and the text before it; 0 if there is only text. */
int tag_next(const char **p, const char *end, struct span *text,
    struct tag *tag, struct err *e);
/* The tag between packages; nothing but blanks may lie before it. */
int tag_next_outer(const char **p, const char *end, struct tag *tag,
    struct err *e);
/* The same where a text begins: its declaration <?xml ...?> is skipped. */
int tag_first(const char **p, const char *end, struct tag *tag,
    struct err *e);
/* Sets *e and returns -1. */
int tag_malformed(const struct tag *tag, const char *attribute,
    struct err *e);

/* Its attributes: the name must be there, and once. */
int tag_attribute(const struct tag *tag, const char *name, struct span *value,
    struct err *e);
int tag_number(const struct tag *tag, const char *name, uint64_t *number,
    struct err *e);
/* The href of <location>. */
int tag_href(const struct tag *tag, struct span *href, struct err *e);
/* Fails unless it has that value. */
int tag_check(const struct tag *tag, const char *name, const char *value,
    struct err *e);

/* ------------------------------------------------------------ one element */

enum { WALK_DEPTH = 8 };	/* createrepo_c needs 4 */

/* A look at all tags of one element, in order. */
struct walk {
	const char *p;
	const char *end;
	struct span open[WALK_DEPTH];	/* the names, outermost first */
	size_t depth;
};

/* Begins with the element's first tag. */
int walk_begin(struct walk *w, const struct tag *tag, const char *end,
    struct err *e);
/* The next tag within; 0 when the element has ended. */
int walk_next(struct walk *w, struct tag *tag, struct span *text,
    struct err *e);

/* The text of the element whose first tag was just met. */
int walk_text(struct walk *w, const struct tag *tag, struct span *text,
    struct err *e);
int walk_number(struct walk *w, const struct tag *tag, uint64_t *number,
    struct err *e);
int walk_sha256(struct walk *w, const struct tag *tag,
    uint8_t sha256[HASH_SIZE], struct err *e);

/*
 * The elements that are taken. A tag is one of them if it begins an element
 * of that name in that place: depth counts those that it lies in.
 */
struct walk_field {
	const char *name;
	size_t depth;
	const char *parent;
};

/* Its number, or n; -1 where it was seen before. */
int walk_find(const struct walk_field *fields, size_t n, const struct walk *w,
    const struct tag *tag, unsigned *seen, struct err *e);
/* Fails unless all were seen. */
int walk_check_seen(const struct walk_field *fields, size_t n, unsigned seen,
    struct err *e);

#endif
