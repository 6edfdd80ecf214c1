#include "lib/base/mem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define ARENA_BLOCK ((size_t)64 << 10)

struct arena_block {
	struct arena_block *before;
	max_align_t data[];
};

static bool is_patient;

void
mem_be_patient(void)
{
	is_patient = true;
}

static void
die_no_memory(void)
{
	fputs("out of memory\n", stderr);
	_Exit(EX_OSERR);
}

static void
no_memory(void)
{
	static const struct timespec pause = {.tv_nsec = 100000000};

	if (!is_patient)
		die_no_memory();
	nanosleep(&pause, NULL);
}

void *
mem_alloc(size_t n)
{
	void *p;

	while ((p = malloc(n ? n : 1)) == NULL)
		no_memory();
	return p;
}

void *
mem_zero(size_t count, size_t size)
{
	void *p;

	while ((p = calloc(count ? count : 1, size ? size : 1)) == NULL)
		no_memory();
	return p;
}

void *
mem_resize(void *p, size_t count, size_t size)
{
	void *q;

	while ((q = reallocarray(p, count ? count : 1, size ? size : 1)) ==
	    NULL)
		no_memory();
	return q;
}

char *
mem_dup(const char *s)
{
	return mem_dupn(s, strlen(s));
}

char *
mem_dupn(const char *s, size_t n)
{
	char *p = mem_alloc(n + 1);

	if (n > 0)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
mem_format(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	for (;;) {
		va_start(ap, fmt);
		n = vasprintf(&s, fmt, ap);
		va_end(ap);
		if (n >= 0)
			return s;
		no_memory();
	}
}

size_t
mem_grow(size_t cap, size_t need)
{
	size_t n = cap ? cap : 16;

	while (n < need) {
		if (n > SIZE_MAX / 2)
			die_no_memory();
		n *= 2;
	}
	return n;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b;
	size_t size;
	void *p;

	if (n > SIZE_MAX / 2)
		die_no_memory();
	n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) *
	    sizeof(max_align_t);
	if (a->last == NULL || n > a->size - a->used) {
		size = n > ARENA_BLOCK ? n : ARENA_BLOCK;
		b = mem_alloc(sizeof(*b) + size);
		b->before = a->last;
		a->last = b;
		a->used = 0;
		a->size = size;
	}
	p = (char *)a->last->data + a->used;
	a->used += n;
	return p;
}

char *
arena_dupn(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (n > 0)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
arena_format(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s, *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		die_no_memory();
	p = arena_dupn(a, s, (size_t)n);
	free(s);
	return p;
}

void
arena_clear(struct arena *a)
{
	struct arena_block *b, *before;

	for (b = a->last; b != NULL; b = before) {
		before = b->before;
		free(b);
	}
	*a = (struct arena)ARENA_INIT;
}
