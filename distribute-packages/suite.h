/*
 * The packages of one suite, of both formats: read from the indexes of the
 * last generation, changed, and written as new indexes. A package that was
 * published already keeps what the indexes say of it, byte for byte; nothing
 * about it is computed again.
 */
#ifndef SUITE_H
#define SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include "distribute-packages/rpm/rpm_build.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/data/out.h"
#include "lib/deb/deb.h"
#include "lib/frame/conf.h"
#include "lib/rpm/repodata.h"
#include "lib/sys/fs.h"
#include "lib/tree/build.h"
#include "lib/tree/tree.h"

struct pkg {
	enum package_format format;
	const char *name;
	const char *version;	/* of an rpm: [epoch:]version-release */
	const char *architecture;
	const char *basearch;	/* of the rpm's repository; NULL for a .deb */
	const char *path;	/* from the tree's root: apt/pool/... */
	uint8_t sha256[HASH_SIZE];
	uint64_t size;
	uint8_t content[HASH_SIZE];	/* as in the ledger; of new ones */
	/*
	 * What the indexes say: of a .deb its stanza of Packages, without the
	 * empty line, alone; of an rpm its element in each of the lists.
	 */
	struct span entries[RPM_LISTS];
	bool is_new;
	bool is_dropped;	/* until suite_compact */
};

/* An rpm repository: rpm/<suite>/<basearch>. */
struct rpm_repository {
	char *basearch;
	char *dir;
	bool is_changed;	/* its lists are not the old ones */
	struct digest packed[RPM_LISTS];	/* of the lists */
	struct digest plain[RPM_LISTS];
};

struct suite {
	const char *name;
	char *section;		/* "suite NAME" of the configuration */
	struct strv architectures;
	bool has_apt;		/* apt/dists/<suite> is there, or to be made */
	struct rpm_repository *repositories;
	size_t n_repositories;
	struct strv rpm_builds;	/* basearches of the configured builds */
	struct pkg *v;
	size_t n;
	size_t cap;
	struct arena strings;
	struct fs_map *maps;	/* the indexes that stanzas point into */
	size_t n_maps;
	struct buf *texts;	/* the lists that elements point into */
	size_t n_texts;
	struct strv changed;	/* architectures whose Packages is new */
};

/* The suite as the configuration has it; ERR_CONFIG where it does not. */
int suite_open(struct suite *s, const struct conf *conf, const char *name,
    struct err *e);
void suite_clear(struct suite *s);

/* Reads the packages of the suite from the tree of a generation. */
int suite_read(struct suite *s, const struct tree *t, struct err *e);

/* A new, empty package at the end of s->v. */
struct pkg *suite_append(struct suite *s);
/* Add a package that was read from its file; the paths are made here. */
void suite_add_deb(struct suite *s, const struct deb *d);
void suite_add_rpm(struct suite *s, const struct signed_rpm *r,
    const char *basearch);
/* An rpm's file and elements are now these. */
void suite_set_signed(struct suite *s, struct pkg *p,
    const struct signed_rpm *r);
/* "apt/pool/..." or, of one repository, "rpm/...": yours. */
char *suite_deb_path(const struct suite *s, const struct deb *d);
char *suite_rpm_path(const struct suite *s, const char *basearch,
    const char *file);
/*
 * Appends the basearches of the repositories that an rpm of this architecture
 * belongs in: its own, or, of noarch, all that are there or configured.
 */
void suite_basearches(const struct suite *s, const char *arch,
    struct strv *basearches);
/* Every index of the suite will be written anew. */
void suite_touch_all(struct suite *s);
/* By format, repository, name, architecture, and version, oldest first. */
void suite_sort(struct suite *s);
/* True if a and b are versions of the same package. */
bool pkg_is_same(const struct pkg *a, const struct pkg *b);
/* Marks a package to be dropped, and says so; then suite_compact. */
void suite_drop(struct suite *s, struct pkg *p, const char *why);
void suite_compact(struct suite *s);

/*
 * Of a path between prefix and suffix the first component, yours; NULL for
 * other paths.
 */
char *suite_component(const char *path, const char *prefix,
    const char *suffix);
/* The repository with this basearch; made where it is missing. */
struct rpm_repository *suite_repository(struct suite *s,
    const char *basearch);

/* ----------------------------------------------------------- index_apt.c */

/* True if the package stands in the index of this architecture. */
bool pkg_fits(const struct pkg *p, const char *architecture);
int apt_index_read(struct suite *s, const struct tree *t, struct err *e);
/* Writes Packages of one architecture. */
void apt_index_write(const struct suite *s, const char *architecture,
    struct out *o);

/* ----------------------------------------------------------- index_rpm.c */

int rpm_index_read(struct suite *s, const struct tree *t, struct err *e);
/* Writes one list of a repository. */
void rpm_index_write(const struct suite *s, const char *basearch,
    enum rpm_list list, struct out *o);
/* "primary", "filelists", "other" */
const char *rpm_list_name(enum rpm_list list);

#endif
