/*
 * A tree as its readers will see it: a signed manifest, and the files that it
 * lists either at their paths or in a store that names them by their hash.
 */
#ifndef LIB_TREE_TREE_H
#define LIB_TREE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/pgp/pgp.h"
#include "lib/sys/fs.h"
#include "lib/tree/manifest.h"

struct tree {
	const struct manifest *manifest;
	int dir;		/* borrowed */
	bool is_store;		/* files are named by their hash */
	/*
	 * Another tree's manifest, or NULL: what it lists with the same path
	 * and hash was checked with that tree, and its size is not checked.
	 */
	const struct manifest *known;
};

/* True if the file was checked with the known tree. */
bool tree_is_known(const struct tree *t, const struct manifest_entry *f);
/* A descriptor of the file, yours; ERR_DATA where it is missing. */
int tree_open(const struct tree *t, const struct manifest_entry *f,
    struct err *e);
int tree_size(const struct tree *t, const struct manifest_entry *f,
    uint64_t *size, struct err *e);
/*
 * The whole file as memory; then fs_unmap. Only for files that nobody else can
 * shorten meanwhile. tree_map_most: ERR_DATA where it has more than max bytes.
 */
int tree_map(const struct tree *t, const char *path, struct fs_map *map,
    struct err *e);
int tree_map_most(const struct tree *t, const char *path, size_t max,
    struct fs_map *map, struct err *e);

/* Every file is there and has its hash. Each failure is reported. */
int tree_check_hashes(const struct tree *t, struct err *e);

/*
 * All that apt would check, for every suite: InRelease and Release.gpg by a
 * trusted key, Date and Valid-Until against `now`, Release over its indexes,
 * each index over its packages, the packed forms, the names by hash. The
 * files' hashes are taken from the manifest: check those first.
 */
int tree_check_apt(const struct tree *t, struct pgp *trusted, int64_t now,
    struct err *e);

/*
 * All that dnf and zypper would check, for every repository below rpm/:
 * repomd.xml by one signature of a trusted key, its revision against `now`,
 * repomd.xml over its lists, the lists over the same packages, primary over
 * the files, and each package's own signature and header. The files' hashes
 * are taken from the manifest: check those first.
 */
int tree_check_rpm(const struct tree *t, struct pgp *trusted, int64_t now,
    struct err *e);

/* Both. */
int tree_check(const struct tree *t, struct pgp *trusted, int64_t now,
    struct err *e);

#endif
