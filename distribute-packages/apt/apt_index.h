/*
 * Packages, the index of one architecture of a suite: read, added to, written.
 */
#ifndef APT_INDEX_H
#define APT_INDEX_H

#include "distribute-packages/suite.h"
#include "lib/data/out.h"
#include "lib/deb/deb.h"
#include "lib/tree/tree.h"

/* Appends to s the packages that the tree's indexes of the suite list. */
int apt_index_read(struct suite *s, const struct tree *t, struct err *e);
/* Adds a package that was read from its file. */
void apt_index_add(struct suite *s, const struct deb *d);
/* Writes Packages of one architecture. */
void apt_index_write(const struct suite *s, const char *architecture,
    struct out *o);

/*
 * "apt/dists/<suite>/main/binary-<architecture>/<name>", yours: name is
 * Packages or Packages.gz.
 */
char *apt_index_path(const struct suite *s, const char *architecture,
    const char *name);
/* "apt/pool/<suite>/main/<name>_<version>_<arch>.deb", yours. */
char *apt_pool_path(const struct suite *s, const struct deb *d);

#endif
