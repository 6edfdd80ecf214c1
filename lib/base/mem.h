/*
 * Memory that is there or the program is not: every function here returns
 * memory or ends the process with status 71 after one line on stderr.
 *
 * An arena hands out many small pieces that are freed together: the names
 * and fields of ten thousand packages. ARENA_INIT, arena_*, arena_clear.
 */
#ifndef LIB_BASE_MEM_H
#define LIB_BASE_MEM_H

#include <stddef.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void *mem_alloc(size_t n);
void *mem_zero(size_t count, size_t size);
void *mem_resize(void *p, size_t count, size_t size);
char *mem_dup(const char *s);
char *mem_dupn(const char *s, size_t n);
/* Formats into memory that is yours. */
char *mem_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * From now on these wait until there is memory: for a process that has to do
 * what it is there for, however long that takes.
 */
void mem_be_patient(void);

/* The capacity that holds `need` items after `cap` did not: doubles. */
size_t mem_grow(size_t cap, size_t need);

struct arena {
	struct arena_block *last;
	size_t used;
	size_t size;
};
#define ARENA_INIT {NULL, 0, 0}

void *arena_alloc(struct arena *a, size_t n);
char *arena_dupn(struct arena *a, const char *s, size_t n);
char *arena_format(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void arena_clear(struct arena *a);

#endif
