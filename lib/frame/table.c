#include "lib/frame/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/sys/screen.h"

#define GAP 2		/* between two columns */
#define INDENT 4	/* of the second and further lines of a record */
#define PROSE 24	/* columns in which broken text can still be read */

/* Where a column stands: in which line of its record, and from where. */
struct place {
	size_t line;
	size_t from;
	size_t width;
};

/* Where the next byte goes. */
struct pen {
	struct buf *out;
	size_t line;
	size_t column;
};

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t
longest_word(const char *text)
{
	size_t most = 0, n;

	while (*text != '\0') {
		n = strcspn(text, " ");
		most = larger(most, screen_width(text, n));
		text += n + strspn(text + n, " ");
	}
	return most;
}

/* Of column i: the widest cell, or the longest word in it. */
static size_t
widest(const struct strv *cells, size_t n, size_t i, bool words)
{
	size_t most = 0;

	for (; i < cells->n; i += n)
		most = larger(most, words ? longest_word(cells->v[i]) :
		    screen_width(cells->v[i], strlen(cells->v[i])));
	return most;
}

/* What does not fit beside the columns before it begins a line. */
static void
lay_out(struct place *places, const enum table_style *styles, size_t n,
    const struct strv *cells, size_t width)
{
	size_t i, from = 0, line = 0;
	bool is_broken;

	for (i = 0; i < n; i++) {
		struct place *p = &places[i];

		p->width = widest(cells, n, i, false);
		is_broken = styles[i] == TABLE_PROSE && from + PROSE <= width &&
		    from + widest(cells, n, i, true) <= width;
		if (from > 0 && from + p->width > width && !is_broken) {
			line++;
			from = INDENT;
		}
		p->line = line;
		p->from = from;
		from += p->width + GAP;
	}
}

static void
put(struct pen *pen, size_t line, size_t column, const char *text, size_t n)
{
	if (n == 0)
		return;		/* and no blanks for it */
	if (line != pen->line) {
		buf_str(pen->out, "\n");
		pen->line = line;
		pen->column = 0;
	}
	for (; pen->column < column; pen->column++)
		buf_str(pen->out, " ");
	buf_add(pen->out, text, n);
	pen->column += screen_width(text, n);
}

/* The text of a last column, broken at blanks. */
static void
put_prose(struct pen *pen, const struct place *p, const char *text,
    size_t width)
{
	size_t line = p->line, n, room = width > p->from ? width - p->from : 1;

	while (*text != '\0') {
		n = screen_fit(text, room);
		if (text[n] != '\0')
			while (n > 0 && text[n] != ' ')
				n--;
		if (n == 0)
			n = strcspn(text, " ");
		put(pen, line++, p->from, text, n);
		text += n;
		text += strspn(text, " ");
	}
}

static void
put_record(struct buf *out, const enum table_style *styles,
    const struct place *places, size_t n, char *const *cells, size_t width)
{
	struct pen pen = {.out = out};
	const struct place *p;
	size_t i, length, shift;

	for (i = 0; i < n; i++) {
		p = &places[i];
		length = strlen(cells[i]);
		shift = styles[i] == TABLE_RIGHT ?
		    p->width - screen_width(cells[i], length) : 0;
		if (styles[i] == TABLE_PROSE)
			put_prose(&pen, p, cells[i], width);
		else
			put(&pen, p->line, p->from + shift, cells[i], length);
	}
	buf_str(out, "\n");
}

void
table_add(struct buf *out, const enum table_style *styles, size_t n,
    const struct strv *cells, size_t width)
{
	struct place *places = mem_zero(n, sizeof(*places));
	size_t i;

	lay_out(places, styles, n, cells, width);
	for (i = 0; i + n <= cells->n; i += n)
		put_record(out, styles, places, n, cells->v + i, width);
	free(places);
}
