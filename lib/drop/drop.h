/*
 * A drop: the directory in which one machine hands files to the next, in the
 * inbox of the receiving account. A name that ends in ".part" is not complete
 * yet. veilid-cicd-drop(5) is the whole of it.
 *
 *	<release>.<build>.<unique>/	packages, and their SHA256SUMS
 *	generation.<serial>.<unique>/	files of a tree at their paths, and the
 *					tree's SHA256SUMS and SHA256SUMS.asc
 */
#ifndef LIB_DROP_DROP_H
#define LIB_DROP_DROP_H

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/tree/manifest.h"

/*
 * The complete drop of this release and build: its name, yours, or NULL where
 * there is none (*e is then untouched: check e->kind). Of several, the one that
 * is named; ERR_DATA where none is and their packages are not the same.
 */
char *drop_find_packages(int inbox, const char *release, const char *build,
    const struct strv *named, struct err *e);

/*
 * Opens a drop of packages and checks that it holds just what its manifest
 * lists. Returns the directory's descriptor, or -1.
 */
int drop_open_packages(int inbox, const char *name, struct manifest *m,
    struct err *e);

struct drop {
	uint64_t serial;
	char *name;
};

/* The complete drops of generations, by serial; then drop_list_free. */
int drop_list_generations(int inbox, struct drop **drops, size_t *n,
    struct err *e);
void drop_list_free(struct drop *drops, size_t n);

#endif
