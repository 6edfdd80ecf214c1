#include "deploy-repo/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/hashset.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/fs.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/tree/tree.h"

#define CHUNK ((size_t)256 << 10)

/* --------------------------------------------------- the spare generation */

/* The spare generation, while it is turned into the next one. */
struct recycling {
	struct intake *in;
	int live;	/* directory of the live generation */
	size_t reused;
};

/* With the directories that are empty then. */
static int
remove_file(int dir, const char *path, struct err *e)
{
	char copy[PATH_LIMIT + 1], *slash;

	if (strlen(path) > PATH_LIMIT || unlinkat(dir, path, 0) < 0)
		return err_sys(e, "remove '%s'", path);
	strcpy(copy, path);
	while ((slash = strrchr(copy, '/')) != NULL) {
		*slash = '\0';
		if (unlinkat(dir, copy, AT_REMOVEDIR) < 0)
			break;
	}
	return 0;
}

/*
 * Only the very file that the live generation has is used again: another one
 * of the same name may be what the disk had damaged before it was replaced.
 */
static bool
is_the_live_file(const struct recycling *r, const char *path,
    const struct stat *st)
{
	struct stat live;

	return fstatat(r->live, path, &live, AT_SYMLINK_NOFOLLOW) == 0 &&
	    live.st_ino == st->st_ino && live.st_dev == st->st_dev;
}

static int
sort_out(const char *path, const struct stat *st, void *arg, struct err *e)
{
	struct recycling *r = arg;
	const struct manifest *m = &r->in->next.manifest;
	const struct manifest_entry *f = manifest_find(m, path);
	const struct manifest_entry *live = f ?
	    manifest_find(&r->in->live.manifest, path) : NULL;

	if (live == NULL || !S_ISREG(st->st_mode) ||
	    !hash_equal(live->sha256, f->sha256) ||
	    !is_the_live_file(r, path, st))
		return remove_file(r->in->dir, path, e);
	r->in->reused[f - m->v] = true;
	r->reused++;
	return 0;
}

static int
reuse(struct intake *in, struct err *e)
{
	struct recycling r = {.in = in};
	int status = -1;

	r.live = site_open_generation(in->site, in->site->live, e);
	if (r.live >= 0)
		status = fs_walk(in->dir, sort_out, &r, e);
	if (r.live >= 0)
		close(r.live);
	log_detail("reused %zu files of the spare generation", r.reused);
	return status;
}

/* False where there is no spare one, or it is of no use. */
static bool
open_spare(struct intake *in)
{
	int releases = in->site->releases;
	struct err e = ERR_INIT;

	if (renameat(releases, SITE_SPARE, releases, in->name) < 0)
		return false;
	in->dir = fs_open_subdir(releases, in->name, &e);
	if (in->dir >= 0 && reuse(in, &e) == 0)
		return true;
	log_detail("spare generation: %s", e.text);
	memset(in->reused, 0, in->next.manifest.n);
	if (in->dir >= 0)
		close(in->dir);
	in->dir = -1;
	if (fs_remove_tree(releases, in->name, &e) < 0)
		log_warning("'" SITE_RELEASES "': %s", e.text);
	return false;
}

/*
 * What fell off the end becomes the next one: most of its files are the next
 * one's too, and a name that is there already need not be made again. The
 * files that it shares with the live one, and that the new one needs, stay and
 * are marked as reused; all else in it is removed.
 */
static int
open_next(struct intake *in, struct err *e)
{
	snprintf(in->name, sizeof(in->name), SITE_NEXT "%ld", (long)getpid());
	if (open_spare(in))
		return 0;
	if (mkdirat(in->site->releases, in->name, 0755) < 0)
		return err_sys(e, "make directory '%s'", in->name);
	in->dir = fs_open_subdir(in->site->releases, in->name, e);
	return in->dir < 0 ? -1 : 0;
}

/* ------------------------------------------------------------- beginning */

/*
 * Is a generation of this serial here? Then it must be the same one; one that
 * cannot be read is made again.
 */
static int
find_known(struct intake *in, struct err *e)
{
	const struct manifest *m = &in->next.manifest;
	struct err unreadable = ERR_INIT;
	struct kept k = KEPT_INIT;
	char name[SERIAL_TEXT];
	int status;

	snprintf(name, sizeof(name), "%" PRIu64, m->serial);
	status = fs_exists(in->site->releases, name, e);
	if (status <= 0)
		return status;
	if (site_load(in->site, m->serial, &k, &unreadable) < 0) {
		status = site_pass_over(&unreadable, e);
		if (status == 0)
			log_warning("%s: it is replaced", unreadable.text);
		in->replaces = status == 0;
		return status;
	}
	in->is_known = hash_equal(k.manifest.self, m->self);
	kept_clear(&k);
	return in->is_known ? 0 : err_set(e, ERR_DATA, "generation %s is "
	    "kept already, with different contents", name);
}

static int
load_live(struct intake *in, struct err *e)
{
	struct err unreadable = ERR_INIT;

	if (in->site->live == 0 ||
	    site_load(in->site, in->site->live, &in->live, &unreadable) == 0)
		return 0;
	if (site_pass_over(&unreadable, e) < 0)
		return -1;
	log_warning("%s: none of its files are reused", unreadable.text);
	return 0;
}

/* "previous" makes a chain; a gap in it is worth a word. */
static void
warn_of_gap(const struct intake *in)
{
	const struct manifest *m = &in->next.manifest;
	uint64_t live = in->live.manifest.serial;

	if (live == 0 || m->serial <= live)
		return;
	if (m->serial > live + 1)
		log_notice("generation %" PRIu64 " comes after the live %"
		    PRIu64 ": those between are skipped", m->serial, live);
	else if (!m->has_previous ||
	    !hash_equal(m->previous, in->live.manifest.self))
		log_warning("generation %" PRIu64 " does not name the live one "
		    "as its predecessor: was the live one made from another "
		    "state?",
		    m->serial);
}

/*
 * What stands in the root beside these is not ours, and a name in a manifest
 * would take its place: only what distribute-packages makes is taken.
 */
static bool
is_of_a_tree(const char *path)
{
	static const char *const folders[] = {"apt/", "gpg/", "rpm/",
	    "snapshot/"};
	static const char *const files[] = {"index.html", "packages.json",
	    "feed.atom"};
	size_t i;

	for (i = 0; i < COUNT(folders); i++)
		if (path_starts_with(path, folders[i]))
			return true;
	for (i = 0; i < COUNT(files); i++)
		if (strcmp(path, files[i]) == 0)
			return true;
	return strchr(path, '/') == NULL &&
	    (path_ends_with(path, "-archive-keyring.deb") ||
	    path_ends_with(path, "-release.rpm"));
}

static int
check_names(const struct manifest *m, struct err *e)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (!is_of_a_tree(m->v[i].path))
			return err_set(e, ERR_DATA, MANIFEST_NAME " lists "
			    "'%s', which no repository has: nothing of the "
			    "root is replaced by it", m->v[i].path);
	return 0;
}

/* The signature first: nothing else in the manifest is believed before. */
static int
believe_manifest(struct intake *in, struct err *e)
{
	struct kept *k = &in->next;

	if (pgp_verify(in->trusted, buf_cstr(&k->text), k->text.n,
	    buf_cstr(&k->signature), k->signature.n, MANIFEST_SIGNATURE,
	    e) < 0 || manifest_parse(&k->manifest, buf_cstr(&k->text),
	    k->text.n, true, MANIFEST_NAME, e) < 0 ||
	    check_names(&k->manifest, e) < 0)
		return -1;
	return site_admit(in->site, k->manifest.serial,
	    k->manifest.serial == in->asked, in->allow_older, e);
}

int
intake_begin(struct intake *in, struct err *e)
{
	if (believe_manifest(in, e) < 0 || find_known(in, e) < 0)
		return -1;
	if (in->is_known)
		return 0;
	in->placed = mem_zero(in->next.manifest.n, sizeof(*in->placed));
	in->reused = mem_zero(in->next.manifest.n, sizeof(*in->reused));
	if (load_live(in, e) < 0)
		return -1;
	warn_of_gap(in);
	return open_next(in, e);
}

/* --------------------------------------------------------- file by file */

int
intake_copy(int fd, const char *path, struct out *o, struct err *e)
{
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;

	while ((n = io_read(fd, chunk, CHUNK, path, e)) > 0) {
		out_add(o, chunk, (size_t)n);
		log_progress_add((uint64_t)n);
	}
	free(chunk);
	return (int)n;
}

/* True if the live generation has it at this path with this hash. */
static bool
is_live(const struct intake *in, const struct manifest_entry *f)
{
	const struct manifest_entry *same = manifest_find(&in->live.manifest,
	    f->path);

	return same != NULL && hash_equal(same->sha256, f->sha256);
}

bool
intake_is_live(const struct intake *in, size_t index)
{
	return is_live(in, &in->next.manifest.v[index]);
}

int
intake_check_size(const struct intake *in, size_t index, uint64_t size,
    struct err *e)
{
	const struct manifest_entry *f = &in->next.manifest.v[index];

	if (f->size == MANIFEST_NO_SIZE || f->size == size)
		return 0;
	return err_set(e, ERR_DATA, "'%s' has %" PRIu64 " bytes, but %" PRIu64
	    " are listed", f->path, size, f->size);
}

int
intake_check_room(const struct intake *in, uint64_t bytes, struct err *e)
{
	struct statvfs fs;
	uint64_t room;

	if (fstatvfs(in->dir, &fs) < 0)
		return err_sys(e, "ask for the room in '%s'", in->site->path);
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	return bytes <= room ? 0 : err_set(e, ERR_IO, "'%s' has room for %"
	    PRIu64 " bytes, and %" PRIu64 " are to come: No space left on "
	    "device", in->site->path, room, bytes);
}

/*
 * A copy was sent: sets *intact to false, and says why, if it is to take the
 * place of what the live generation has.
 */
static int
check_live_file(struct intake *in, size_t index, bool *intact, struct err *e)
{
	const struct manifest_entry *f = &in->next.manifest.v[index];
	char *path = mem_format("%" PRIu64 "/%s", in->site->live, f->path);
	struct err why = ERR_INIT;
	struct digest d;
	int status = 0, fd = fs_open(in->site->releases, path, &why);

	*intact = fd >= 0 && hash_fd(fd, path, &d, &why) == 0 &&
	    hash_equal(d.sha256, f->sha256);
	if (fd >= 0)
		close(fd);
	if (!*intact && why.kind == ERR_NONE)
		log_warning("'%s' is damaged: taking the copy that was sent",
		    path);
	else if (!*intact && (status = cleanup_check(e)) == 0)
		log_warning("%s: taking the copy that was sent", why.text);
	free(path);
	return status;
}

struct out *
intake_file_open(struct intake *in, size_t index, int *at, struct digest *d,
    struct err *e)
{
	const struct manifest_entry *f = &in->next.manifest.v[index];
	const char *base = path_base(f->path);
	bool intact = false;
	char *parent;

	*at = -1;
	if (is_live(in, f) && check_live_file(in, index, &intact, e) < 0)
		return NULL;
	if (intact)
		return out_nowhere(d);
	if (fs_make_parents(in->dir, f->path, e) < 0)
		return NULL;
	parent = base > f->path ?
	    mem_dupn(f->path, (size_t)(base - f->path) - 1) : mem_dup(".");
	*at = fs_open_subdir(in->dir, parent, e);
	free(parent);
	return *at < 0 ? NULL : out_file(*at, base, 0644, OUT_LATER, d);
}

static int
dress(struct intake *in, int dir, const char *name, struct err *e)
{
	struct timespec times[2] = {
		{.tv_sec = (time_t)in->next.manifest.date},
		{.tv_sec = (time_t)in->next.manifest.date},
	};

	/* Web servers derive Last-Modified and ETag from it. */
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "set the time of '%s'", name);
	if (in->site->owner != (uid_t)-1 && fchownat(dir, name,
	    in->site->owner, in->site->group, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "set the owner of '%s'", name);
	return 0;
}

int
intake_file_done(struct intake *in, size_t index, struct out *o, int at,
    const struct digest *d, struct err *e)
{
	const struct manifest_entry *f = &in->next.manifest.v[index];
	int status = out_commit(o, e);

	if (status == 0 && !hash_equal(d->sha256, f->sha256))
		status = err_set(e, ERR_DATA, "'%s' does not have the hash "
		    "that is listed", f->path);
	if (at < 0)
		return status;
	if (status == 0)
		status = dress(in, at, path_base(f->path), e);
	close(at);
	in->placed[index] = status == 0;
	return status;
}

void
intake_file_discard(struct out *o, int at)
{
	out_discard(o);
	if (at >= 0)
		close(at);
}

/* ------------------------------------------------- linking what is here */

/* A file that some generation here has, or that was just placed. */
struct source {
	uint64_t serial;	/* 0: in the new generation itself */
	const char *path;
};

struct sources {
	struct kept *kept;
	size_t n_kept;
	struct hashset by_hash;	/* of struct source, which the arena holds */
	struct arena arena;
};

static void
add_sources(struct sources *s, const struct manifest *m, uint64_t serial,
    const bool *only)
{
	struct source *source;
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (only != NULL && !only[i])
			continue;
		source = arena_alloc(&s->arena, sizeof(*source));
		*source = (struct source){serial, m->v[i].path};
		hashset_add(&s->by_hash, m->v[i].sha256, source);
	}
}

/* Only needed when the live generation has not got the file at its path. */
static int
load_sources(struct intake *in, struct sources *s, struct err *e)
{
	size_t i;

	if (site_load_all(in->site, &s->kept, &s->n_kept, e) < 0)
		return -1;
	/* what was sent was hashed on its way: before what lies here */
	add_sources(s, &in->next.manifest, 0, in->placed);
	for (i = 0; i < s->n_kept; i++)
		add_sources(s, &s->kept[i].manifest,
		    s->kept[i].manifest.serial, NULL);
	hashset_sort(&s->by_hash);
	return 0;
}

static void
sources_clear(struct sources *s)
{
	site_free_all(s->kept, s->n_kept);
	hashset_clear(&s->by_hash);
	arena_clear(&s->arena);
}

static int
link_from(struct intake *in, uint64_t serial, const char *from,
    const char *path, struct err *e)
{
	char name[SERIAL_TEXT + PATH_LIMIT + 2];

	if (serial == 0)
		snprintf(name, sizeof(name), "%s/%s", in->name, from);
	else
		snprintf(name, sizeof(name), "%" PRIu64 "/%s", serial, from);
	if (linkat(in->site->releases, name, in->dir, path, 0) < 0)
		return err_sys(e, "link '%s' to '%s'", name, path);
	return 0;
}

/*
 * The content of another generation's file, in a file of its own. A name that
 * had another content until now needs a date that nobody has seen with it: two
 * files that came together have one date, and often the same size, from which
 * web servers and rsync take them for the same.
 */
static int
copy_from(struct intake *in, uint64_t serial, const char *from, size_t index,
    struct err *e)
{
	char *name = mem_format("%" PRIu64 "/%s", serial, from);
	int fd = fs_open(in->site->releases, name, e), at = -1, status = -1;
	struct out *o = NULL;
	struct digest d;

	if (fd >= 0)
		o = intake_file_open(in, index, &at, &d, e);
	if (o != NULL && intake_copy(fd, name, o, e) == 0) {
		status = intake_file_done(in, index, o, at, &d, e);
	} else if (o != NULL) {
		intake_file_discard(o, at);
	}
	if (fd >= 0)
		close(fd);
	free(name);
	return status;
}

static int
find_by_hash(struct intake *in, struct sources *s,
    const struct manifest_entry *f, struct err *e)
{
	const struct hashset_item *item;
	const struct source *found;

	if (s->kept == NULL && load_sources(in, s, e) < 0)
		return -1;
	item = hashset_find(&s->by_hash, f->sha256);
	if (item == NULL)
		return err_set(e, ERR_DATA, "'%s' is listed, but neither sent "
		    "nor in a generation that is kept here", f->path);
	found = item->of;
	if (found->serial != 0 &&
	    manifest_find(&in->live.manifest, f->path) != NULL)
		return copy_from(in, found->serial, found->path,
		    (size_t)(f - in->next.manifest.v), e);
	return link_from(in, found->serial, found->path, f->path, e);
}

/* True if a and b lie in the same directory. */
static bool
same_parent(const char *a, const char *b)
{
	size_t n = (size_t)(path_base(a) - a);

	return n == (size_t)(path_base(b) - b) && memcmp(a, b, n) == 0;
}

/* What was not sent. */
static int
link_rest(struct intake *in, struct err *e)
{
	const struct manifest *m = &in->next.manifest;
	const struct manifest_entry *f;
	struct sources sources = {.kept = NULL};
	const char *before = "";
	int status = 0;
	size_t i;

	for (i = 0; i < m->n && status == 0; i++) {
		if (in->placed[i] || in->reused[i])
			continue;
		f = &m->v[i];
		if (!same_parent(before, f->path))
			status = fs_make_parents(in->dir, f->path, e);
		before = f->path;
		if (status == 0 && is_live(in, f))
			status = link_from(in, in->site->live, f->path,
			    f->path, e);
		else if (status == 0)
			status = find_by_hash(in, &sources, f, e);
	}
	sources_clear(&sources);
	return status;
}

/* ---------------------------------------------------------------- the end */

static int
write_manifest(struct intake *in, struct err *e)
{
	const struct kept *k = &in->next;

	if (fs_write(in->dir, MANIFEST_NAME, k->text.p, k->text.n, 0644,
	    e) < 0 || fs_write(in->dir, MANIFEST_SIGNATURE, k->signature.p,
	    k->signature.n, 0644, e) < 0 ||
	    dress(in, in->dir, MANIFEST_NAME, e) < 0)
		return -1;
	return dress(in, in->dir, MANIFEST_SIGNATURE, e);
}

int
intake_complete(struct intake *in, struct err *e)
{
	struct tree tree = {.manifest = &in->next.manifest,
	    .known = &in->live.manifest};

	if (link_rest(in, e) < 0 || write_manifest(in, e) < 0)
		return -1;
	tree.dir = in->dir;
	return tree_check(&tree, in->trusted, (int64_t)time(NULL), e);
}

int
intake_commit(struct intake *in, struct err *e)
{
	int releases = in->site->releases;
	struct err unremoved = ERR_INIT;
	char name[SERIAL_TEXT];

	/* On the disk before it has the name that says it is whole. */
	if (fs_sync_all(in->dir, e) < 0)
		return -1;
	snprintf(name, sizeof(name), "%" PRIu64, in->next.manifest.serial);
	if (renameat2(releases, in->name, releases, name,
	    in->replaces ? RENAME_EXCHANGE : 0) < 0)
		return err_sys(e, "rename '%s' to '%s'", in->name, name);
	close(in->dir);
	in->dir = -1;
	if (fs_sync_dir(releases, e) < 0)
		return -1;
	/* the one that could not be read */
	if (in->replaces && fs_remove_tree(releases, in->name, &unremoved) < 0)
		log_warning("'" SITE_RELEASES "': %s", unremoved.text);
	return 0;
}

void
intake_clear(struct intake *in)
{
	struct err ignored = ERR_INIT;

	if (in->dir >= 0) {
		close(in->dir);
		(void)fs_remove_tree(in->site->releases, in->name, &ignored);
	}
	kept_clear(&in->next);
	kept_clear(&in->live);
	free(in->placed);
	free(in->reused);
	*in = (struct intake)INTAKE_INIT;
}
