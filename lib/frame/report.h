/*
 * Results on stdout: records of fields, one a line and separated by TABs,
 * under a header only on a terminal; with --json one array of objects.
 *
 *	static const struct report_column columns[] = {
 *		{"serial", REPORT_NUMBER}, {"release", REPORT_TEXT}};
 *	struct report *r = report_open(columns, 2, json);
 *	report_row(r, "7", "v0.3.4");
 *	report_close(r, e);
 */
#ifndef LIB_FRAME_REPORT_H
#define LIB_FRAME_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

enum report_type {
	REPORT_TEXT,
	REPORT_NUMBER,	/* decimal digits, or "" for unknown */
	REPORT_BOOL	/* text: the column's name or ""; JSON: true, false */
};

struct report_column {
	const char *name;
	enum report_type type;
};

/* columns is borrowed until report_close. */
struct report *report_open(const struct report_column *columns, size_t n,
    bool wants_json);
/* One const char * per column; text from outside is made harmless. */
void report_row(struct report *r, ...);
/* Prints and frees. */
int report_close(struct report *r, struct err *e);

#endif
