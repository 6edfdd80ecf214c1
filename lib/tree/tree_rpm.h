/*
 * What the checks of one rpm repository share: tree_rpm.c, which begins with
 * repomd.xml and ends with the packages, and tree_rpm_lists.c between them.
 */
#ifndef LIB_TREE_TREE_RPM_H
#define LIB_TREE_TREE_RPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/data/hash.h"
#include "lib/rpm/repodata.h"
#include "lib/sys/fs.h"
#include "lib/tree/tree.h"

enum list { PRIMARY, FILELISTS, OTHER, LISTS };

struct repository_check {
	const struct tree *tree;
	struct pgp *trusted;
	int64_t now;
	const char *dir;	/* "rpm/stable/x86_64" */
	bool is_known;		/* repomd.xml was checked before */
	struct fs_map repomd;
	struct repomd md;
	struct buf primary;	/* unpacked; packages point into it */
	struct repodata_package *packages;
	size_t n;
	struct hashset ids[LISTS];	/* of the packages in each list */
};

/* A file of the repository, at a path that comes from outside. */
const struct manifest_entry *tree_rpm_find(const struct repository_check *c,
    const struct span *href, struct err *e);

/*
 * Every file that c->md names is what it says, and the lists are of the same
 * packages, none of them twice. Fills in packages, n and ids.
 */
int tree_rpm_check_lists(struct repository_check *c, struct err *e);

#endif
