#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "distribute-packages/publication.h"
#include "distribute-packages/pull.h"
#include "lib/base/path.h"
#include "lib/rpm/rpm.h"

/* Calls visit for each suite that has a file in the manifest. */
static int
each_suite(const struct conf *conf, const struct manifest *m,
    int (*visit)(struct suite *s, void *arg, struct err *e), void *arg,
    struct err *e)
{
	struct strv done = STRV_INIT;
	struct suite s = {.name = NULL};
	int status = 0;
	char *name;
	size_t i;

	for (i = 0; i < m->n && status == 0; i++) {
		name = suite_of_path(m->v[i].path);
		if (name != NULL && !strv_has(&done, name)) {
			strv_add(&done, name);
			status = suite_open(&s, conf, name, e);
			if (status == 0 && visit != NULL)
				status = visit(&s, arg, e);
			suite_clear(&s);
		}
		free(name);
	}
	strv_clear(&done);
	return status;
}

int
pull_check_suites(const struct conf *conf, const struct manifest *m,
    struct err *e)
{
	return each_suite(conf, m, NULL, NULL, e);
}

/* ------------------------------------------- what the indexes need */

struct needs {
	struct tree tree;
	struct manifest paths;	/* sorted when all are in it */
};

static int
add_lists(struct needs *x, const struct rpm_repository *r, struct err *e)
{
	char *path = mem_format("%s/repodata/repomd.xml", r->dir);
	struct repomd md;
	struct fs_map map;
	int status = tree_map(&x->tree, path, &map, e);
	size_t i;

	free(path);
	if (status < 0)
		return -1;
	status = repomd_parse(map.p, map.n, &md, e);
	for (i = 0; i < md.n && status == 0; i++) {
		path = mem_format("%s/%.*s", r->dir, (int)md.v[i].href.n,
		    md.v[i].href.p);
		manifest_add(&x->paths, path, md.v[i].sha256);
		free(path);
	}
	fs_unmap(&map);
	return status;
}

static int
add_suite(struct suite *s, void *arg, struct err *e)
{
	struct needs *x = arg;
	size_t i;

	if (suite_read(s, &x->tree, e) < 0)
		return -1;
	for (i = 0; i < s->n; i++)
		manifest_add(&x->paths, s->v[i].path, s->v[i].sha256);
	for (i = 0; i < s->n_repositories; i++)
		if (add_lists(x, &s->repositories[i], e) < 0)
			return -1;
	return 0;
}

/* Is "<dir>/by-hash/SHA256/<hex>" what lies at <dir>/name now? */
static bool
is_index(const struct manifest *m, const struct manifest_entry *f,
    const char *name)
{
	const char *end = strstr(f->path, "/by-hash/");
	const struct manifest_entry *index;
	char *path;

	if (end == NULL)
		return false;
	path = mem_format("%.*s/%s", (int)(end - f->path), f->path, name);
	index = manifest_find(m, path);
	free(path);
	return index != NULL && hash_equal(index->sha256, f->sha256);
}

static bool
is_needed(const struct needs *x, const struct manifest_entry *f)
{
	return manifest_find(&x->paths, f->path) != NULL ||
	    is_index(x->tree.manifest, f, "Packages") ||
	    is_index(x->tree.manifest, f, "Packages.gz");
}

/* ------------------------------------------------------------ the ledger */

/* What the name of an rpm stands for: its header. */
static int
read_content(const struct tree *t, const struct manifest_entry *f,
    uint8_t content[HASH_SIZE], struct err *e)
{
	struct rpm r = RPM_INIT;
	int fd = tree_open(t, f, e), status;

	if (fd < 0)
		return -1;
	status = rpm_read(fd, f->path, &r, e);
	memcpy(content, r.identity, HASH_SIZE);
	rpm_clear(&r);
	close(fd);
	return status;
}

static int
add_file(const struct needs *x, const struct ledger *last,
    const struct manifest_entry *f, struct generation *g, struct err *e)
{
	const struct ledger_entry *old = ledger_find(last, f->path);
	int64_t state = LEDGER_LIVE;
	uint8_t content[HASH_SIZE];

	if (old != NULL && !hash_equal(old->sha256, f->sha256))
		old = NULL;
	memcpy(content, old ? old->content : f->sha256, HASH_SIZE);
	if (old == NULL && path_ends_with(f->path, ".rpm") &&
	    read_content(&x->tree, f, content, e) < 0)
		return -1;
	/* When it retired is not to be seen: its grace begins anew. */
	if (!is_needed(x, f))
		state = old != NULL && old->state > 0 ? old->state :
		    g->manifest.date;
	ledger_add(&g->ledger, f->path, f->sha256, content, state);
	return 0;
}

/* Names that were given away stay so. */
static void
add_gone(const struct ledger *last, struct generation *g)
{
	const struct ledger_entry *old;
	size_t i;

	for (i = 0; i < last->n; i++) {
		old = &last->v[i];
		if (ledger_is_package(old->path) &&
		    manifest_find(&g->manifest, old->path) == NULL)
			ledger_add(&g->ledger, old->path, old->sha256,
			    old->content, LEDGER_GONE);
	}
}

int
pull_ledger(const struct conf *conf, const struct store *store,
    const struct ledger *last, struct generation *g, struct err *e)
{
	struct needs x = {.tree = store_tree(store, g)};
	const struct manifest *m = &g->manifest;
	int status = each_suite(conf, m, add_suite, &x, e);
	size_t i;

	manifest_sort(&x.paths);
	for (i = 0; i < m->n && status == 0; i++)
		if (ledger_keeps(m->v[i].path))
			status = add_file(&x, last, &m->v[i], g, e);
	add_gone(last, g);
	ledger_sort(&g->ledger);
	manifest_clear(&x.paths);
	return status;
}
