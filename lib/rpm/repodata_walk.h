/*
 * One element of a list or of repomd.xml, for the files that read these:
 *
 *	struct walk w;
 *	walk_begin(&w, &tag, end, e);
 *	while ((status = walk_next(&w, &tag, &text, e)) > 0) {
 *		field = walk_find(fields, n, &w, &tag, &seen, e);
 *		...
 *	}
 *	walk_check_seen(fields, n, seen, e);
 */
#ifndef LIB_RPM_REPODATA_WALK_H
#define LIB_RPM_REPODATA_WALK_H

#include "lib/rpm/repodata_xml.h"

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
