#include "distribute-packages/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/hashset.h"
#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"
#include "lib/sys/sandbox.h"

#define LEDGER "ledger"
#define DROPS "drops"
#define DROPS_LIMIT ((size_t)1 << 20)
#define GENERATIONS "generations"
#define UNFINISHED "unfinished"
#define NEXT "next"		/* a generation before it has its serial */
#define SERIAL_TEXT 24

static int
open_sub(int dir, const char *name, bool make, struct err *e)
{
	if (make && mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make directory '%s'", name);
	return fs_open_subdir(dir, name, e);
}

int
store_open(struct store *s, const struct conf *conf, bool for_writing,
    struct err *e)
{
	int exists;

	s->path = conf_path(conf, "repository", "state");
	s->dir = for_writing ? fs_make_dir(s->path, 0755, e) :
	    fs_open_dir(s->path, e);
	if (s->dir < 0)
		return err_wrap(e, "[repository] state");
	if (for_writing) {
		s->lock = fs_lock(s->dir, "lock", e);
		if (s->lock < 0)
			goto fail;
	}
	s->objects = open_sub(s->dir, "objects", for_writing, e);
	s->generations = s->objects < 0 ? -1 :
	    open_sub(s->dir, GENERATIONS, for_writing, e);
	if (s->generations < 0)
		goto fail;
	exists = fs_exists(s->dir, UNFINISHED, e);
	if (exists < 0)
		goto fail;
	s->was_interrupted = exists > 0;
	return 0;
fail:
	err_wrap(e, "state '%s'", s->path);
	store_close(s);
	return -1;
}

void
store_close(struct store *s)
{
	const int fds[] = {s->dir, s->objects, s->generations, s->lock};
	size_t i;

	for (i = 0; i < COUNT(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(s->path);
	*s = (struct store)STORE_INIT;
}

int
store_sandbox(const struct store *s, const struct conf *conf,
    bool with_inbox, struct err *e)
{
	const char *home = getenv("GNUPGHOME");
	struct strv writable = STRV_INIT;
	int status;

	strv_add(&writable, s->path);
	if (with_inbox)
		strv_take(&writable, conf_path(conf, "repository", "inbox"));
	/* gpg keeps its locks and trust database beside the caller's keys */
	if (conf_get(conf, "signing", "key") != NULL)
		strv_take(&writable, home ? mem_dup(home) :
		    fs_expand_home("~/.gnupg"));
	status = sandbox_enter(&writable, e);
	strv_clear(&writable);
	return status;
}

int
store_begin(struct store *s, struct err *e)
{
	return fs_write(s->dir, UNFINISHED, "", 0, 0644, e);
}

struct tree
store_tree(const struct store *s, const struct generation *g)
{
	return (struct tree){.manifest = &g->manifest, .dir = s->objects,
	    .is_store = true};
}

int
store_measure(const struct store *s, struct manifest *m, struct err *e)
{
	char hex[HASH_HEX];
	struct stat st;
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (m->v[i].size != MANIFEST_NO_SIZE)
			continue;
		hash_hex(m->v[i].sha256, hex);
		if (fstatat(s->objects, hex, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "stat object '%s' ('%s')", hex,
			    m->v[i].path);
		m->v[i].size = (uint64_t)st.st_size;
	}
	return 0;
}

static int
newest_first(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x > *y ? -1 : *x < *y;
}

int
store_serials(const struct store *s, uint64_t **serials, size_t *n,
    struct err *e)
{
	struct strv names = STRV_INIT;
	size_t i;

	*n = 0;
	*serials = NULL;
	if (fs_list(s->generations, &names, e) < 0) {
		strv_clear(&names);
		return -1;
	}
	*serials = mem_zero(names.n, sizeof(**serials));
	for (i = 0; i < names.n; i++)
		*n += serial_read(names.v[i], &(*serials)[*n]);
	strv_clear(&names);
	if (*n > 1)
		qsort(*serials, *n, sizeof(**serials), newest_first);
	return 0;
}

static int
load_files(int dir, struct generation *g, struct err *e)
{
	struct buf ledger = BUF_INIT;
	int status = -1;

	if (fs_read(dir, MANIFEST_NAME, MANIFEST_LIMIT, &g->text, e) == 0 &&
	    fs_read(dir, MANIFEST_SIGNATURE, SIGNATURE_LIMIT, &g->signature,
	    e) == 0 &&
	    fs_read(dir, LEDGER, MANIFEST_LIMIT, &ledger, e) == 0 &&
	    manifest_parse(&g->manifest, buf_cstr(&g->text), g->text.n, true,
	    MANIFEST_NAME, e) == 0)
		status = ledger_parse(&g->ledger, buf_cstr(&ledger), ledger.n,
		    e);
	buf_clear(&ledger);
	return status;
}

static int
load(const struct store *s, uint64_t serial, struct generation *g,
    struct err *e)
{
	char name[SERIAL_TEXT];
	int dir, status;

	snprintf(name, sizeof(name), "%" PRIu64, serial);
	status = fs_exists(s->generations, name, e);
	if (status < 0)
		return -1;
	if (status == 0)
		return err_set(e, ERR_MISSING, "generation %s never existed "
		    "or is no longer kept", name);
	dir = fs_open_subdir(s->generations, name, e);
	status = dir < 0 ? -1 : load_files(dir, g, e);
	if (dir >= 0)
		close(dir);
	if (status == 0 && g->manifest.serial != serial)
		status = err_set(e, ERR_DATA, "its serial is %" PRIu64,
		    g->manifest.serial);
	if (status == 0)
		return 0;
	generation_clear(g);
	/* a file that it lacks is damage, and not an input of ours */
	if (e->kind == ERR_MISSING)
		e->kind = ERR_DATA;
	return err_wrap(e, "generation %s cannot be read", name);
}

/* What has run out, and a signal, say nothing of the generation. */
static bool
says_nothing(const struct err *e)
{
	return e->kind == ERR_RESOURCE || e->kind == ERR_SIGNAL;
}

static int
load_newest(const struct store *s, uint64_t serial, struct generation *g,
    struct err *e)
{
	char *why;

	if (load(s, serial, g, e) == 0)
		return 0;
	if (says_nothing(e))
		return -1;
	/* The next one would have its serial, or not know its names. */
	why = mem_dup(e->text);
	err_set(e, e->kind, "%s; it is the newest: if it is public, run "
	    "distribute-packages pull; if it was never sent, remove '%s/"
	    GENERATIONS "/%" PRIu64 "'", why, s->path, serial);
	free(why);
	return -1;
}

int
store_load(const struct store *s, uint64_t serial, struct generation *g,
    struct err *e)
{
	uint64_t *serials;
	int status = 0;
	size_t n;

	if (serial != 0)
		return load(s, serial, g, e);
	if (store_serials(s, &serials, &n, e) < 0)
		return -1;
	if (n > 0)
		status = load_newest(s, serials[0], g, e);
	free(serials);
	return status;
}

int
store_load_readable(const struct store *s, struct generation *g,
    uint64_t *newest, struct err *e)
{
	uint64_t *serials;
	int status = 0;
	size_t n, i;

	if (store_serials(s, &serials, &n, e) < 0)
		return -1;
	*newest = n > 0 ? serials[0] : 0;
	for (i = 0; i < n; i++) {
		status = load(s, serials[i], g, e);
		if (status == 0 || says_nothing(e))
			break;
		log_warning("%s", e->text);
		*e = (struct err)ERR_INIT;
		status = 0;
	}
	free(serials);
	return status;
}

static int
add_drops(const struct store *s, uint64_t serial, struct strv *names,
    struct err *e)
{
	char *path = mem_format("%" PRIu64 "/" DROPS, serial);
	struct buf text = BUF_INIT;
	int status = fs_exists(s->generations, path, e);

	if (status > 0)
		status = fs_read(s->generations, path, DROPS_LIMIT, &text, e);
	if (status == 0)
		strv_split(names, buf_cstr(&text));
	buf_clear(&text);
	free(path);
	return status;
}

int
store_drops(const struct store *s, uint64_t serial, struct strv *names,
    struct err *e)
{
	struct err one = ERR_INIT;
	uint64_t *serials;
	size_t n, i;

	if (store_serials(s, &serials, &n, e) < 0)
		return -1;
	for (i = 0; i < n; i++)
		if (serials[i] <= serial &&
		    add_drops(s, serials[i], names, &one) < 0)
			log_warning("the drops of generation %" PRIu64 " are "
			    "not known: %s", serials[i], one.text);
	free(serials);
	return cleanup_check(e);
}

static int
write_drops(int dir, const struct strv *names, struct err *e)
{
	struct buf text = BUF_INIT;
	size_t i;
	int status;

	if (names->n == 0)
		return 0;
	for (i = 0; i < names->n; i++)
		buf_addf(&text, "%s\n", names->v[i]);
	status = fs_write(dir, DROPS, text.p, text.n, 0644, e);
	buf_clear(&text);
	return status;
}

static int
write_generation(int dir, const struct generation *g, struct err *e)
{
	struct buf ledger = BUF_INIT;
	int status = -1;

	ledger_write(&g->ledger, &ledger);
	if (fs_write(dir, MANIFEST_NAME, buf_cstr(&g->text), g->text.n, 0644,
	    e) == 0 && fs_write(dir, MANIFEST_SIGNATURE,
	    buf_cstr(&g->signature), g->signature.n, 0644, e) == 0)
		status = fs_write(dir, LEDGER, buf_cstr(&ledger), ledger.n,
		    0644, e);
	if (status == 0)
		status = write_drops(dir, &g->drops, e);
	buf_clear(&ledger);
	return status;
}

/* What has the name already is damaged: pull replaces it. */
static int
name_generation(const struct store *s, const char *name, struct err *e)
{
	int exists = fs_exists(s->generations, name, e);
	unsigned flags = exists > 0 ? RENAME_EXCHANGE : 0;

	if (exists < 0)
		return -1;
	if (renameat2(s->generations, NEXT, s->generations, name, flags) < 0)
		return err_sys(e, "rename the generation to '%s'", name);
	if (fs_sync_dir(s->generations, e) < 0)
		return -1;
	return flags == 0 ? 0 : fs_remove_tree(s->generations, NEXT, e);
}

int
store_commit(struct store *s, const struct generation *g, struct err *e)
{
	char name[SERIAL_TEXT];
	int dir, status;

	snprintf(name, sizeof(name), "%" PRIu64, g->manifest.serial);
	if (fs_remove_tree(s->generations, NEXT, e) < 0)
		return -1;
	dir = open_sub(s->generations, NEXT, true, e);
	if (dir < 0)
		return -1;
	status = write_generation(dir, g, e);
	close(dir);
	/* Data first, then the name that makes it count. */
	if (status == 0)
		status = fs_sync_all(s->dir, e);
	if (status == 0)
		status = name_generation(s, name, e);
	return status;
}

/* ------------------------------------------------------------ collecting */

/*
 * No more of a manifest is looked at than its first line, its last byte and the
 * hashes that lines begin with.
 */
static int
add_hashes(const struct store *s, uint64_t serial, struct hashset *h,
    struct err *e)
{
	char *path = mem_format("%" PRIu64 "/" MANIFEST_NAME, serial);
	char *first = mem_format("# serial %" PRIu64 "\n", serial);
	struct buf text = BUF_INIT;
	uint8_t sha256[HASH_SIZE];
	const char *p, *end;
	int status = fs_read(s->generations, path, MANIFEST_LIMIT, &text, e);

	p = buf_cstr(&text);
	end = p + text.n;
	if (status == 0 && (!path_starts_with(p, first) || end[-1] != '\n'))
		status = err_set(e, ERR_DATA, "'%s' is damaged", path);
	while (status == 0 && p < end) {
		if (end - p > 2 * HASH_SIZE && hash_parse(p, sha256))
			hashset_add(h, sha256, NULL);
		else if (*p != '#')
			status = err_set(e, ERR_DATA, "'%s' is damaged", path);
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : end;
	}
	free(first);
	free(path);
	buf_clear(&text);
	return status;
}

/*
 * 1: the hashes that the newest `keep` generations list, sorted. 0: one of them
 * cannot be read; if it is restored it needs objects that no other lists.
 */
static int
list_needed(const struct store *s, const uint64_t *serials, size_t n,
    struct hashset *h, struct err *e)
{
	struct err one = ERR_INIT;
	bool is_whole = true;
	size_t i;

	for (i = 0; i < n; i++) {
		if (add_hashes(s, serials[i], h, &one) == 0)
			continue;
		log_warning("generation %" PRIu64 " cannot be read, so no "
		    "object is removed while it is kept: %s", serials[i],
		    one.text);
		is_whole = false;
	}
	hashset_sort(h);
	return cleanup_check(e) < 0 ? -1 : is_whole;
}

static int
remove_unlisted(const struct store *s, const struct hashset *h,
    struct err *e)
{
	struct strv names = STRV_INIT;
	uint8_t sha256[HASH_SIZE];
	size_t i, removed = 0;
	int status = fs_list(s->objects, &names, e);

	for (i = 0; i < names.n && status == 0; i++) {
		if (strlen(names.v[i]) == 2 * HASH_SIZE &&
		    hash_parse(names.v[i], sha256) &&
		    hashset_find(h, sha256) != NULL)
			continue;
		if (unlinkat(s->objects, names.v[i], 0) < 0)
			status = err_sys(e, "remove object '%s'", names.v[i]);
		removed++;
	}
	log_detail("removed %zu objects that no generation needs", removed);
	strv_clear(&names);
	return status;
}

/* Of a run that was killed while it removed: they count for nothing. */
static void
remove_leftovers(int dir, const char *path)
{
	struct err e = ERR_INIT;

	if (fs_remove_leftovers(dir, "", &e) < 0)
		log_warning("state '%s': %s", path, e.text);
}

static int
prune(struct store *s, const uint64_t *serials, size_t n, uint64_t keep,
    bool *pruned, struct err *e)
{
	char name[SERIAL_TEXT];
	size_t i;

	remove_leftovers(s->generations, s->path);
	remove_leftovers(s->dir, s->path);
	for (i = (size_t)keep; i < n; i++) {
		snprintf(name, sizeof(name), "%" PRIu64, serials[i]);
		if (fs_remove_tree(s->generations, name, e) < 0)
			return -1;
		*pruned = true;
	}
	return fs_remove_tree(s->generations, NEXT, e);
}

/* 1; 0: nothing was removed, since what is needed is not known. */
static int
collect_objects(struct store *s, const uint64_t *serials, size_t n,
    struct err *e)
{
	struct hashset needed = HASHSET_INIT;
	int status = list_needed(s, serials, n, &needed, e);

	if (status > 0)
		status = remove_unlisted(s, &needed, e) < 0 ? -1 : 1;
	hashset_clear(&needed);
	return status;
}

int
store_collect(struct store *s, uint64_t keep, struct err *e)
{
	bool pruned = s->was_interrupted;
	uint64_t *serials;
	size_t n;
	int status;

	if (keep == 0)
		keep = 1;
	if (store_serials(s, &serials, &n, e) < 0)
		return -1;
	status = prune(s, serials, n, keep, &pruned, e) < 0 ? -1 : 1;
	if (status > 0 && pruned)
		status = collect_objects(s, serials, n < keep ? n :
		    (size_t)keep, e);
	free(serials);
	/* as long as the mark is there, the next run looks at the objects */
	if (status <= 0)
		return status;
	if (unlinkat(s->dir, UNFINISHED, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove '" UNFINISHED "'");
	s->was_interrupted = false;
	return 0;
}

void
generation_clear(struct generation *g)
{
	manifest_clear(&g->manifest);
	buf_clear(&g->text);
	buf_clear(&g->signature);
	ledger_clear(&g->ledger);
	strv_clear(&g->drops);
	*g = (struct generation)GENERATION_INIT;
}
