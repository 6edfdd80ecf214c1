#include "distribute-packages/pull.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "distribute-packages/indexes.h"
#include "distribute-packages/rpm/rpm_index.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/data/out.h"
#include "lib/http/http.h"
#include "lib/rpm/rpm.h"
#include "lib/sys/clock.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"

#define FILE_LIMIT ((uint64_t)16 << 30)	/* of one file, bytes */
#define TRIES 3		/* of a file whose connection is cut */
#define MOST_CLIENTS 64
#define SHOW_BYTES ((uint64_t)4 << 20)

struct pull {
	const struct store *store;
	const char *url;
	bool is_dry_run;
	struct hashset files;	/* of manifest entries */
	pthread_mutex_t lock;
	struct http *idle[MOST_CLIENTS];	/* each with a connection */
	size_t n_idle;
	atomic_size_t done;
	atomic_size_t fetched;
	atomic_uint_least64_t bytes;
	atomic_bool is_over;	/* the server, or our disk, is gone */
};

/* One file on its way. */
struct arrival {
	struct pull *pull;
	struct hash *hash;
	struct out *out;
	uint64_t shown;		/* bytes since the last look */
	uint64_t left;		/* bytes that may still come */
	bool is_larger;
};

/* ------------------------------------------------------------ one file */

static void
show(struct pull *p)
{
	log_status("fetching: %zu of %zu files, %s", atomic_load(&p->done),
	    p->files.n, log_bytes(atomic_load(&p->bytes)));
}

static int
receive(const void *data, size_t n, void *arg)
{
	struct arrival *a = arg;

	/* nobody waits for what is not what was announced */
	a->is_larger = n > a->left;
	if (a->is_larger)
		return -1;
	a->left -= n;
	hash_add(a->hash, data, n);
	out_add(a->out, data, n);
	atomic_fetch_add(&a->pull->bytes, n);
	a->shown += n;
	if (a->shown >= SHOW_BYTES) {
		a->shown = 0;
		show(a->pull);
	}
	/* a full disk: what is still to come may be without end */
	return out_has_failed(a->out) ? -1 : 0;
}

static int
fetch_once(struct pull *p, struct http *h, const struct manifest_entry *f,
    struct err *e)
{
	struct digest listed = {.size = 0}, got;
	struct arrival a = {.pull = p, .hash = hash_open(),
	    .left = f->size != MANIFEST_NO_SIZE ? f->size : UINT64_MAX};
	int status;

	memcpy(listed.sha256, f->sha256, HASH_SIZE);
	a.out = out_object(p->store->objects, &listed);
	status = http_get_file(h, f->path, FILE_LIMIT, receive, &a, e);
	hash_close(a.hash, got.sha256);
	if (out_has_failed(a.out)) {
		*e = (struct err)ERR_INIT;
		return out_commit(a.out, e);
	}
	if (a.is_larger)
		status = err_set(e, ERR_DATA, "'%s' is larger than the %llu "
		    "bytes that are listed", f->path,
		    (unsigned long long)f->size);
	if (status == 0 && !hash_equal(got.sha256, f->sha256))
		status = err_set(e, ERR_DATA, "'%s' does not have the hash "
		    "that is listed", f->path);
	if (status == 0)
		return out_commit(a.out, e);
	out_discard(a.out);
	return -1;
}

static struct http *
borrow_client(struct pull *p, struct err *e)
{
	struct http *h = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->n_idle > 0)
		h = p->idle[--p->n_idle];
	pthread_mutex_unlock(&p->lock);
	return h ? h : http_open_files(p->url, e);
}

static void
return_client(struct pull *p, struct http *h)
{
	pthread_mutex_lock(&p->lock);
	if (p->n_idle < MOST_CLIENTS) {
		p->idle[p->n_idle++] = h;
		h = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	http_close(h);
}

static int
fetch(struct pull *p, const struct manifest_entry *f, struct err *e)
{
	struct http *h = borrow_client(p, e);
	int status = -1;
	unsigned tries;

	if (h == NULL)
		return -1;
	for (tries = 0; status < 0 && tries < TRIES; tries++) {
		*e = (struct err)ERR_INIT;
		status = fetch_once(p, h, f, e);
		if (status < 0 && e->kind != ERR_AGAIN)
			break;
	}
	return_client(p, h);
	return status;
}

/* A kill may have left it half written, and a disk may have damaged it. */
static bool
is_here(const struct store *store, const struct manifest_entry *f)
{
	struct err ignored = ERR_INIT;
	char hex[HASH_HEX];
	struct digest d;
	bool intact;
	int fd;

	hash_hex(f->sha256, hex);
	fd = fs_open(store->objects, hex, &ignored);
	if (fd < 0)
		return false;
	intact = hash_fd(fd, hex, &d, &ignored) == 0 &&
	    hash_equal(d.sha256, f->sha256);
	close(fd);
	return intact;
}

/*
 * A wrong file does not keep the others from coming, and each is reported.
 * When the server cannot be reached, one message is enough.
 */
static int
have_file(size_t i, void *arg, struct err *e)
{
	struct pull *p = arg;
	const struct manifest_entry *f = p->files.v[i].of;
	int status = 0;

	if (atomic_load(&p->is_over))
		return 0;
	if (!is_here(p->store, f)) {
		atomic_fetch_add(&p->fetched, 1);
		status = p->is_dry_run ? 0 : fetch(p, f, e);
	}
	atomic_fetch_add(&p->done, 1);
	show(p);
	if (status < 0 && e->kind != ERR_DATA && e->kind != ERR_MISSING)
		atomic_store(&p->is_over, true);
	return status;
}

/* ------------------------------------------------------------ all of them */

/* One file for each hash. */
static void
choose_files(struct pull *p, const struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		hashset_add(&p->files, m->v[i].sha256, &m->v[i]);
	hashset_sort(&p->files);
	hashset_unique(&p->files);
}

int
pull_files(const struct store *store, const struct manifest *m,
    const char *url, bool is_dry_run, struct pull_tally *tally,
    struct err *e)
{
	struct pull p = {.store = store, .url = url, .is_dry_run = is_dry_run};
	int64_t began = clock_ms();
	int status;

	choose_files(&p, m);
	pthread_mutex_init(&p.lock, NULL);
	status = par_each(p.files.n, have_file, &p, e);
	log_status("%s", "");
	while (p.n_idle > 0)
		http_close(p.idle[--p.n_idle]);
	pthread_mutex_destroy(&p.lock);
	hashset_clear(&p.files);
	tally->n = atomic_load(&p.fetched);
	tally->bytes = atomic_load(&p.bytes);
	if (status == 0 && !is_dry_run)
		log_notice("fetched %zu files, %s in %.1f s; %zu were here "
		    "already",
		    tally->n, log_bytes(tally->bytes),
		    (double)(clock_ms() - began) / 1000, p.files.n - tally->n);
	return status;
}

/* -------------------------------------------------------- the suites */

/* Calls visit for each suite that has a file in the manifest. */
static int
each_suite(const struct conf *conf, const struct manifest *m,
    int (*visit)(struct suite *s, void *arg, struct err *e), void *arg,
    struct err *e)
{
	struct strv names = STRV_INIT;
	struct suite s = {.name = NULL};
	int status = 0;
	size_t i;

	suite_names(m, &names);
	for (i = 0; i < names.n && status == 0; i++) {
		status = suite_open(&s, conf, names.v[i], e);
		if (status == 0 && visit != NULL)
			status = visit(&s, arg, e);
		suite_clear(&s);
	}
	strv_clear(&names);
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
	char *path = rpm_repomd_path(r);
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

	if (indexes_read(s, &x->tree, e) < 0)
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
enter_file(const struct needs *x, const struct ledger *last,
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
			status = enter_file(&x, last, &m->v[i], g, e);
	add_gone(last, g);
	ledger_sort(&g->ledger);
	manifest_clear(&x.paths);
	return status;
}
