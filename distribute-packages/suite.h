/*
 * The packages of one suite, of both formats: read from the indexes of the
 * last generation (indexes.h), changed, and written as new indexes (compose.h).
 * A package that was published already keeps what the indexes say of it, byte
 * for byte; nothing about it is computed again.
 */
#ifndef SUITE_H
#define SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/data/hash.h"
#include "lib/frame/conf.h"
#include "lib/rpm/repodata.h"
#include "lib/sys/fs.h"
#include "lib/tree/build.h"
#include "lib/tree/manifest.h"

/* The three lists of an rpm repository. */
enum rpm_list { RPM_PRIMARY, RPM_FILELISTS, RPM_OTHER, RPM_LISTS };

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
	const char *from;	/* of a new one: the file that brought it */
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
	bool has_apt;		/* apt/dists/<suite> exists or will be made */
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

/*
 * The suite as it is configured, without packages. ERR_CONFIG if there is no
 * [suite NAME]. The name is borrowed. Call suite_clear, also after a failure.
 */
int suite_open(struct suite *s, const struct conf *conf, const char *name,
    struct err *e);
void suite_clear(struct suite *s);

/* Of "apt/dists/<suite>/..." and the like, the suite: yours; else NULL. */
char *suite_of_path(const char *path);
/* Appends the names of the suites that have a file in the manifest. */
void suite_names(const struct manifest *m, struct strv *names);
/*
 * Of a path between prefix and suffix the first component, yours; NULL for
 * other paths.
 */
char *suite_component(const char *path, const char *prefix,
    const char *suffix);
/* The repository with this basearch; made where it is missing. */
struct rpm_repository *suite_repository(struct suite *s,
    const char *basearch);

/* A new, empty package at the end of s->v. */
struct pkg *suite_append(struct suite *s);
/* The indexes that list the package will be written anew. */
void suite_touch(struct suite *s, const struct pkg *p);
/* Every index of the suite will be written anew. */
void suite_touch_all(struct suite *s);
/* By format, repository, name, architecture, and version, oldest first. */
void suite_sort(struct suite *s);
/* Marks a package as dropped, and logs why; suite_compact removes it. */
void suite_drop(struct suite *s, struct pkg *p, const char *why);
void suite_compact(struct suite *s);

/* True if a and b are versions of the same package. */
bool pkg_is_same(const struct pkg *a, const struct pkg *b);
/* True if Packages of this architecture lists the package. */
bool pkg_fits(const struct pkg *p, const char *architecture);

#endif
