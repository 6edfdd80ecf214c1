/*
 * Sorted SHA-256s, each with a pointer to what it is the hash of: which files
 * are there already, which appear twice.
 *
 *	struct hashset s = HASHSET_INIT;
 *	for (i = 0; i < m->n; i++)
 *		hashset_add(&s, m->v[i].sha256, &m->v[i]);
 *	hashset_sort(&s);
 *	f = hashset_find(&s, sha256);
 *	hashset_clear(&s);
 *
 * Adding costs nothing but memory (48 bytes a hash), sorting is done once, and
 * finding is a binary search. A hash may be there several times; items with one
 * hash stay in the order in which they were added, and stand side by side.
 */
#ifndef LIB_BASE_HASHSET_H
#define LIB_BASE_HASHSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_SIZE 32	/* bytes of a SHA-256 */

struct hashset_item {
	uint8_t sha256[HASH_SIZE];
	const void *of;		/* borrowed; may be NULL */
	size_t order;		/* how many were added before it */
};

struct hashset {
	struct hashset_item *v;
	size_t n;
	size_t cap;
	bool is_unsorted;
};
#define HASHSET_INIT {NULL, 0, 0, false}

/* Copies the hash, borrows what it is of. */
void hashset_add(struct hashset *s, const uint8_t sha256[HASH_SIZE],
    const void *of);
/* Only a sorted set may be asked: the functions below abort otherwise. */
void hashset_sort(struct hashset *s);

/* The first item with this hash, NULL where there is none. */
const struct hashset_item *hashset_find(const struct hashset *s,
    const uint8_t sha256[HASH_SIZE]);
/* The first item whose hash is the one before it, too; NULL: none twice. */
const struct hashset_item *hashset_twin(const struct hashset *s);
/* True if both have the same hashes, each as often. */
bool hashset_same(const struct hashset *a, const struct hashset *b);
/* Of the items with one hash, only the first stays. */
void hashset_unique(struct hashset *s);

/* Accepts what was never used, and leaves it usable. */
void hashset_clear(struct hashset *s);

#endif
