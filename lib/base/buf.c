#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

char *
buf_room(struct buf *b, size_t n)
{
	if (n >= SIZE_MAX / 4 || b->n >= SIZE_MAX / 4)
		abort();
	if (b->n + n + 1 > b->cap) {
		b->cap = mem_grow(b->cap ? b->cap : 64, b->n + n + 1);
		b->p = mem_resize(b->p, b->cap, 1);
		b->p[b->n] = '\0';
	}
	return b->p + b->n;
}

void
buf_add(struct buf *b, const void *data, size_t n)
{
	char *room = buf_room(b, n);

	if (n > 0)
		memcpy(room, data, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	buf_room(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

const char *
buf_cstr(const struct buf *b)
{
	return b->p ? b->p : "";
}

char *
buf_take(struct buf *b)
{
	char *p = b->p ? b->p : mem_dup("");

	*b = (struct buf)BUF_INIT;
	return p;
}

void
buf_clear(struct buf *b)
{
	free(b->p);
	*b = (struct buf)BUF_INIT;
}

void
buf_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_clear(b);
}

void
strv_take(struct strv *s, char *word)
{
	if (s->n == s->cap) {
		s->cap = mem_grow(s->cap, s->n + 1);
		s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = word;
}

void
strv_add(struct strv *s, const char *word)
{
	strv_take(s, mem_dup(word));
}

void
strv_split(struct strv *s, const char *text)
{
	static const char blanks[] = " \t\r\n";
	size_t n;

	for (text += strspn(text, blanks); *text != '\0';
	    text += strspn(text, blanks)) {
		n = strcspn(text, blanks);
		strv_take(s, mem_dupn(text, n));
		text += n;
	}
}

bool
strv_has(const struct strv *s, const char *word)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->v[i], word) == 0)
			return true;
	return false;
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
strv_sort(struct strv *s)
{
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), compare_strings);
}

void
strv_clear(struct strv *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strv)STRV_INIT;
}
