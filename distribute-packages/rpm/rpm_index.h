/*
 * The three lists of an rpm repository, the repomd.xml over them, and the .repo
 * file for its users: read, added to, written.
 */
#ifndef RPM_INDEX_H
#define RPM_INDEX_H

#include "distribute-packages/rpm/rpm_build.h"
#include "distribute-packages/suite.h"
#include "lib/data/out.h"
#include "lib/tree/tree.h"

/* "primary", "filelists", "other" */
const char *rpm_list_name(enum rpm_list list);

/* Appends to s the packages of all repositories of the suite in the tree. */
int rpm_index_read(struct suite *s, const struct tree *t, struct err *e);
/* Adds a signed package to the repository of this basearch. */
void rpm_index_add(struct suite *s, const struct signed_rpm *r,
    const char *basearch);
/* From now on r is the file of p, which keeps its name. */
void rpm_index_replace(struct suite *s, struct pkg *p,
    const struct signed_rpm *r);
/* Writes one list of a repository. */
void rpm_index_write(const struct suite *s, const char *basearch,
    enum rpm_list list, struct out *o);

/*
 * Appends the basearches of the repositories that an rpm of this architecture
 * belongs in: its own, or, of noarch, all that exist or are configured.
 */
void rpm_basearches(const struct suite *s, const char *arch,
    struct strv *basearches);
/* "rpm/<suite>/<basearch>/<file>", yours. */
char *rpm_path(const struct suite *s, const char *basearch, const char *file);
/* "<dir>/repodata/<sha256>-<list>.xml.gz", yours: by r->packed. */
char *rpm_list_path(const struct rpm_repository *r, enum rpm_list list);
/* "<dir>/repodata/repomd.xml", yours. */
char *rpm_repomd_path(const struct rpm_repository *r);

/* Appends repomd.xml over r's lists, of which the digests must be known. */
void rpm_repomd_write(const struct rpm_repository *r, int64_t date,
    struct buf *text);
/*
 * Takes the digests of r's lists from its repomd.xml in the tree: for new
 * signatures over the same lists. ERR_DATA if one is not described.
 */
int rpm_repomd_read(struct rpm_repository *r, const struct tree *t,
    struct err *e);

/* The [id] of the repository in its .repo file, yours. */
char *rpm_repo_id(const struct conf *conf, const struct suite *s,
    const struct rpm_repository *r);
/* Appends the .repo file that users of the repository save. */
void rpm_repo_write(const struct conf *conf, const struct suite *s,
    const struct rpm_repository *r, struct buf *text);

#endif
