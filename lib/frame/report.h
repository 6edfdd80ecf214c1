/*
 * Results on stdout: records of fields. Into a pipe or a file one record a
 * line, its fields separated by TABs, no header; with --json one array of
 * objects; on a terminal a table for people.
 *
 *	static const struct report_column columns[] = {
 *		{"serial", REPORT_NUMBER}, {"release", REPORT_TEXT}};
 *	struct report *r = report_open(columns, 2, json);
 *	report_row(r, "7", "v0.3.4");
 *	report_close(r, e);
 *
 * The table has a header and aligned columns, so nothing is printed before
 * report_close. A record that is wider than the terminal continues on the next
 * line, indented, and so does the header; the text of a last column is broken
 * at blanks. Nothing is cut off but a SHA-256, to twelve digits.
 */
#ifndef LIB_FRAME_REPORT_H
#define LIB_FRAME_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/* How a value is given, and what becomes of it in JSON and on a terminal. */
enum report_type {
	REPORT_TEXT,
	REPORT_NUMBER,	/* decimal digits, or "" for unknown */
	REPORT_BYTES,	/* a number; terminal: 10.0 MiB */
	REPORT_SECONDS,	/* a number; terminal: 3 h 5 min, below "age" */
			/* where the column's name is "age-seconds" */
	REPORT_SHA256,	/* text, 64 digits; terminal: 12 of them */
	REPORT_BOOL	/* text: the column's name or ""; JSON: true, false */
};

struct report_column {
	const char *name;
	enum report_type type;
};

/* columns is borrowed until report_close. */
struct report *report_open(const struct report_column *columns, size_t n,
    bool wants_json);
/*
 * One const char * per column, copied. Text from outside is made harmless, but
 * for JSON, which escapes control characters below 0x20 alone.
 */
void report_row(struct report *r, ...);
/* For a value that no column has the type of: is it a table for people? */
bool report_is_table(const struct report *r);
/* Prints and frees. */
int report_close(struct report *r, struct err *e);

#endif
