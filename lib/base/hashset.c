#include "lib/base/hashset.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

static bool
is_same(const struct hashset_item *a, const struct hashset_item *b)
{
	return memcmp(a->sha256, b->sha256, HASH_SIZE) == 0;
}

static int
by_hash(const void *a, const void *b)
{
	const struct hashset_item *x = a, *y = b;
	int order = memcmp(x->sha256, y->sha256, HASH_SIZE);

	return order != 0 ? order : (x->order > y->order) -
	    (x->order < y->order);
}

static void
must_be_sorted(const struct hashset *s)
{
	if (s->is_unsorted)
		abort();
}

void
hashset_add(struct hashset *s, const uint8_t sha256[HASH_SIZE],
    const void *of)
{
	struct hashset_item *item;

	if (s->n == s->cap) {
		s->cap = mem_grow(s->cap, s->n + 1);
		s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
	}
	item = &s->v[s->n];
	memcpy(item->sha256, sha256, HASH_SIZE);
	item->of = of;
	item->order = s->n++;
	s->is_unsorted = true;
}

void
hashset_sort(struct hashset *s)
{
	size_t i;

	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), by_hash);
	/* so that one that is added later comes after all of these */
	for (i = 0; i < s->n; i++)
		s->v[i].order = i;
	s->is_unsorted = false;
}

const struct hashset_item *
hashset_find(const struct hashset *s, const uint8_t sha256[HASH_SIZE])
{
	size_t low = 0, high = s->n, middle;

	must_be_sorted(s);
	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(s->v[middle].sha256, sha256, HASH_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == s->n || memcmp(s->v[low].sha256, sha256, HASH_SIZE) != 0)
		return NULL;
	return &s->v[low];
}

const struct hashset_item *
hashset_twin(const struct hashset *s)
{
	size_t i;

	must_be_sorted(s);
	for (i = 1; i < s->n; i++)
		if (is_same(&s->v[i - 1], &s->v[i]))
			return &s->v[i];
	return NULL;
}

bool
hashset_same(const struct hashset *a, const struct hashset *b)
{
	size_t i;

	must_be_sorted(a);
	must_be_sorted(b);
	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (!is_same(&a->v[i], &b->v[i]))
			return false;
	return true;
}

void
hashset_unique(struct hashset *s)
{
	size_t i, n = 0;

	must_be_sorted(s);
	for (i = 0; i < s->n; i++) {
		if (n > 0 && is_same(&s->v[n - 1], &s->v[i]))
			continue;
		s->v[n] = s->v[i];
		s->v[n].order = n;
		n++;
	}
	s->n = n;
}

void
hashset_clear(struct hashset *s)
{
	free(s->v);
	*s = (struct hashset)HASHSET_INIT;
}
