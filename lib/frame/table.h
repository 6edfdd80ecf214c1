/*
 * A table for people, as lib/frame/report.h shows it on a terminal.
 */
#ifndef LIB_FRAME_TABLE_H
#define LIB_FRAME_TABLE_H

#include <stddef.h>

#include "lib/base/buf.h"

enum table_style {
	TABLE_LEFT,
	TABLE_RIGHT,	/* numbers */
	TABLE_PROSE	/* of the last column: broken at blanks */
};

/*
 * Appends the records, each n cells (text that log_harmless has made), the
 * header first. What does not fit into `width` columns of the screen continues
 * on the next line. A line is wider only where one word is: whoever copies a
 * path wants it in one piece.
 */
void table_add(struct buf *out, const enum table_style *styles, size_t n,
    const struct strv *cells, size_t width);

#endif
