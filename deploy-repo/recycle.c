#include "deploy-repo/recycle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/path.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"

int
recycle_keep(const struct site *s, const char *name, struct err *e)
{
	if (renameat2(s->releases, name, s->releases, RECYCLE_SPARE,
	    RENAME_NOREPLACE) == 0)
		return 0;
	return fs_remove_tree(s->releases, name, e);
}

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
	const struct manifest *m = &r->in->in.manifest;
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
	log_detail("%zu files are there from the spare generation", r.reused);
	return status;
}

int
recycle_open(struct intake *in, struct err *e)
{
	int releases = in->site->releases;
	struct err unusable = ERR_INIT;

	snprintf(in->name, sizeof(in->name), "next.%ld", (long)getpid());
	if (renameat(releases, RECYCLE_SPARE, releases, in->name) == 0) {
		in->dir = fs_open_subdir(releases, in->name, e);
		if (in->dir < 0)
			return -1;
		if (reuse(in, &unusable) == 0)
			return 0;
		log_detail("spare generation: %s", unusable.text);
		memset(in->reused, 0, in->in.manifest.n);
		close(in->dir);
		in->dir = -1;
		if (fs_remove_tree(releases, in->name, e) < 0)
			return -1;
	}
	if (mkdirat(releases, in->name, 0755) < 0)
		return err_sys(e, "make directory '%s'", in->name);
	in->dir = fs_open_subdir(releases, in->name, e);
	return in->dir < 0 ? -1 : 0;
}
