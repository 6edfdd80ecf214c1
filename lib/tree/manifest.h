/*
 * SHA256SUMS: the list of all files of a tree or a drop with their SHA-256,
 * in the form that `sha256sum -c` reads, sorted by path. The manifest of a
 * tree starts with comments that say which generation it is:
 *
 *	# serial 7
 *	# release v0.3.4
 *	# date 2026-11-22T15:04:05Z
 *	# previous <sha256 of the SHA256SUMS before it>
 *	# sizes 8123 1500 ...
 *
 * The sizes, in bytes, are those of the files in their order, in as many such
 * lines as they need; trees of before have none.
 * A drop of packages has no such lines, and names without a slash.
 */
#ifndef LIB_TREE_MANIFEST_H
#define LIB_TREE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/data/hash.h"

#define MANIFEST_NAME "SHA256SUMS"
#define MANIFEST_SIGNATURE "SHA256SUMS.asc"
#define MANIFEST_LIMIT ((size_t)256 << 20)	/* largest of a tree, bytes */
/*
 * A drop has the packages of one build, usually a handful: so many are
 * accepted, and bytes for as many lines with the longest file name there is.
 */
#define MANIFEST_DROP_FILES ((size_t)10000)
#define MANIFEST_DROP_LIMIT (MANIFEST_DROP_FILES * (2 * HASH_SIZE + 258))
#define MANIFEST_NO_SIZE UINT64_MAX
#define SIGNATURE_LIMIT ((size_t)64 << 10)

struct manifest_entry {
	const char *path;	/* safe in the sense of lib/base/path.h */
	uint8_t sha256[HASH_SIZE];
	uint64_t size;		/* bytes; MANIFEST_NO_SIZE: not known */
};

struct manifest {
	uint64_t serial;	/* 0: no generation */
	char release[129];
	int64_t date;		/* seconds since 1970 */
	bool has_previous;
	uint8_t previous[HASH_SIZE];
	uint8_t self[HASH_SIZE];	/* of the text; by parse and write */
	struct manifest_entry *v;
	size_t n;
	size_t cap;
	struct arena names;
	uint64_t *sizes;	/* while it is read */
	size_t n_sizes;
	size_t cap_sizes;
};
#define MANIFEST_INIT {.serial = 0}

/*
 * Reads a manifest that may be hostile: safe paths, sorted, none twice and
 * none the directory of another, at least one file. `what` is for messages.
 * A tree's manifest (is_tree) has the comment lines, a drop's has none,
 * and at most MANIFEST_DROP_FILES files.
 */
int manifest_parse(struct manifest *m, const char *text, size_t n,
    bool is_tree, const char *what, struct err *e);

/* Adds a copy of path, of no known size; order is restored by manifest_sort. */
void manifest_add(struct manifest *m, const char *path,
    const uint8_t sha256[HASH_SIZE]);
/* Sorts, and drops what is there twice with the same hash. */
void manifest_sort(struct manifest *m);

/* NULL where there is none. The manifest must be sorted. */
const struct manifest_entry *manifest_find(const struct manifest *m,
    const char *path);

/* Appends the text, with sizes if all are known, and sets m->self. */
void manifest_write(struct manifest *m, struct buf *text);

void manifest_clear(struct manifest *m);

/* Prints the generation's record: serial, release, date, files. */
int manifest_report(const struct manifest *m, bool wants_json,
    struct err *e);

#endif
