/*
 * The packages of one suite: read from the indexes of the last generation,
 * changed, and written as new indexes. A package that was published already
 * keeps its stanza, byte for byte; nothing about it is computed again.
 */
#ifndef INDEX_H
#define INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/conf.h"
#include "lib/deb.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/mem.h"
#include "lib/out.h"
#include "lib/tree.h"

struct pkg {
	const char *name;
	const char *version;
	const char *architecture;
	const char *path;	/* from the tree's root: apt/pool/... */
	uint8_t sha256[HASH_SIZE];
	uint64_t size;
	const char *stanza;	/* of Packages, without the empty line */
	size_t stanza_n;
	bool is_new;
	bool is_dropped;	/* until suite_compact */
};

struct suite {
	const char *name;
	char *section;		/* "suite NAME" of the configuration */
	struct strv architectures;
	struct pkg *v;
	size_t n;
	size_t cap;
	struct arena strings;
	struct fs_map *maps;	/* the indexes that stanzas point into */
	size_t n_maps;
	struct strv changed;	/* architectures whose index is not the old */
};

/* The suite as the configuration has it; ERR_CONFIG where it does not. */
int suite_open(struct suite *s, const struct conf *conf, const char *name,
    struct err *e);
void suite_clear(struct suite *s);

/* Reads the packages of the suite from the tree of a generation. */
int suite_read(struct suite *s, const struct tree *t, struct err *e);

/* Adds a package that was read from its file; the path is made here. */
void suite_add(struct suite *s, const struct deb *d);
/* Marks the indexes that package p stands in as changed. */
void suite_touch(struct suite *s, const struct pkg *p);
/* By name, architecture, and version, oldest first. */
void suite_sort(struct suite *s);
/* Marks a package to be dropped, and says so; then suite_compact. */
void suite_drop(struct suite *s, struct pkg *p, const char *why);
void suite_compact(struct suite *s);

/* True if the package stands in the index of this architecture. */
bool pkg_fits(const struct pkg *p, const char *architecture);

/* Writes the index of one architecture. */
void index_write(const struct suite *s, const char *architecture,
    struct out *o);

#endif
