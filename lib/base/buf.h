/*
 * A growing byte buffer that always ends in a NUL beyond its length, and a
 * list of strings. BUF_INIT / buf_* / buf_clear; STRV_INIT / strv_* /
 * strv_clear. clear accepts what was never used, and leaves it usable.
 */
#ifndef LIB_BASE_BUF_H
#define LIB_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *p;	/* NULL while nothing was added */
	size_t n;
	size_t cap;
};
#define BUF_INIT {NULL, 0, 0}

void buf_add(struct buf *b, const void *data, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes room for n more bytes and returns where they go; then b->n += used. */
char *buf_room(struct buf *b, size_t n);
/* The contents as a string: never NULL, valid until the next change. */
const char *buf_cstr(const struct buf *b);
/* The contents become yours; the buffer is empty again. */
char *buf_take(struct buf *b);
void buf_clear(struct buf *b);
/* The same, overwriting what it held. */
void buf_wipe(struct buf *b);

struct strv {
	char **v;
	size_t n;
	size_t cap;
};
#define STRV_INIT {NULL, 0, 0}

void strv_add(struct strv *s, const char *word);
void strv_take(struct strv *s, char *word);	/* word is given away */
/* Adds the words of text, separated by blanks, tabs or newlines. */
void strv_split(struct strv *s, const char *text);
bool strv_has(const struct strv *s, const char *word);
void strv_sort(struct strv *s);
void strv_clear(struct strv *s);

#endif
