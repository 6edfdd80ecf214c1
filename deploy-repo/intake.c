#include "deploy-repo/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "deploy-repo/recycle.h"
#include "lib/base/path.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"
#include "lib/tree/tree.h"

/* -------------------------------------------------------------- judging */

static int
is_same(struct intake *in, uint64_t serial, bool *same, struct err *e)
{
	struct kept k = KEPT_INIT;
	int status = site_load(in->site, serial, &k, e);

	*same = status == 0 && hash_equal(k.manifest.self,
	    in->in.manifest.self);
	kept_clear(&k);
	return status;
}

/* "previous" makes a chain; a gap in it is worth a word. */
static void
say_chain(const struct intake *in)
{
	const struct manifest *m = &in->in.manifest;

	if (in->site->live == 0 || m->serial <= in->site->live)
		return;
	if (m->serial > in->site->live + 1)
		log_notice("generation %" PRIu64 " comes after the live %"
		    PRIu64 ": those between are skipped", m->serial,
		    in->site->live);
	else if (!m->has_previous ||
	    !hash_equal(m->previous, in->live.manifest.self))
		log_warning("generation %" PRIu64 " does not name the live one "
		    "as its predecessor: was the live one made elsewhere?",
		    m->serial);
}

/* The signature first: nothing else in the manifest is believed before. */
int
intake_judge(struct intake *in, struct err *e)
{
	struct manifest *m = &in->in.manifest;
	char name[SERIAL_TEXT];
	bool same = false;

	if (pgp_verify(in->trusted, buf_cstr(&in->in.text), in->in.text.n,
	    buf_cstr(&in->in.signature), in->in.signature.n,
	    MANIFEST_SIGNATURE, e) < 0 ||
	    manifest_parse(m, buf_cstr(&in->in.text), in->in.text.n, true,
	    MANIFEST_NAME, e) < 0)
		return -1;
	if (m->serial < in->site->live && !in->allow_older)
		return err_set(e, ERR_REFUSED, "serial %" PRIu64 " is older "
		    "than the live %" PRIu64 " (--allow-older, if that is "
		    "meant)", m->serial, in->site->live);
	snprintf(name, sizeof(name), "%" PRIu64, m->serial);
	if (fs_exists(in->site->releases, name)) {
		if (is_same(in, m->serial, &same, e) < 0)
			return -1;
		if (!same)
			return err_set(e, ERR_DATA, "another generation with "
			    "serial %s is here already", name);
		in->is_known = true;
		return 0;
	}
	in->placed = mem_zero(m->n, sizeof(*in->placed));
	in->reused = mem_zero(m->n, sizeof(*in->reused));
	if (in->site->live != 0 &&
	    site_load(in->site, in->site->live, &in->live, e) < 0)
		return -1;
	say_chain(in);
	return recycle_open(in, e);
}

/* --------------------------------------------------------------- placing */

bool
intake_is_live(const struct intake *in, const struct manifest_entry *f)
{
	const struct manifest_entry *same = manifest_find(&in->live.manifest,
	    f->path);

	return same != NULL && hash_equal(same->sha256, f->sha256);
}

/* A copy was sent: should the disk have damaged ours, it takes its place. */
static bool
is_intact(const struct intake *in, size_t index)
{
	const struct manifest_entry *f = &in->in.manifest.v[index];
	struct err ignored = ERR_INIT;
	struct digest d;
	bool intact = false;
	char *path = mem_format("%" PRIu64 "/%s", in->site->live, f->path);
	int fd = fs_open(in->site->releases, path, &ignored);

	if (fd >= 0) {
		intact = hash_fd(fd, path, &d, &ignored) == 0 &&
		    hash_equal(d.sha256, f->sha256);
		close(fd);
	}
	if (!intact)
		log_warning("'%s' is damaged: taking the copy that was sent",
		    path);
	free(path);
	return intact;
}

struct out *
intake_file(struct intake *in, size_t index, int *at, struct digest *d,
    struct err *e)
{
	const char *path = in->in.manifest.v[index].path;
	const char *base = path_base(path);
	char *parent;

	*at = -1;
	if (intake_is_live(in, &in->in.manifest.v[index]) &&
	    is_intact(in, index))
		return out_nowhere(d);

	if (fs_make_parents(in->dir, path, e) < 0)
		return NULL;
	parent = base > path ? mem_dupn(path, (size_t)(base - path) - 1) :
	    mem_dup(".");
	*at = base > path ? fs_open_subdir(in->dir, parent, e) :
	    fcntl(in->dir, F_DUPFD_CLOEXEC, 0);
	free(parent);
	if (*at < 0)
		return NULL;
	return out_file(*at, base, 0644, OUT_LATER, d);
}

static int
dress(struct intake *in, int dir, const char *name, struct err *e)
{
	struct timespec times[2] = {
		{.tv_sec = (time_t)in->in.manifest.date},
		{.tv_sec = (time_t)in->in.manifest.date},
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
	const struct manifest_entry *f = &in->in.manifest.v[index];
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

static int
write_manifest(struct intake *in, struct err *e)
{
	const struct kept *k = &in->in;

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
	struct tree tree = {.manifest = &in->in.manifest,
	    .known = &in->live.manifest};

	if (intake_link_rest(in, e) < 0 || write_manifest(in, e) < 0)
		return -1;
	tree.dir = in->dir;
	return tree_check(&tree, in->trusted, (int64_t)time(NULL), e);
}

int
intake_commit(struct intake *in, struct err *e)
{
	char name[SERIAL_TEXT];

	/* On the disk before it has the name that says it is whole. */
	if (fs_sync_all(in->dir, e) < 0)
		return -1;
	snprintf(name, sizeof(name), "%" PRIu64, in->in.manifest.serial);
	if (renameat(in->site->releases, in->name, in->site->releases,
	    name) < 0)
		return err_sys(e, "rename '%s' to '%s'", in->name, name);
	close(in->dir);
	in->dir = -1;
	return fs_sync_dir(in->site->releases, e);
}

void
intake_clear(struct intake *in)
{
	struct err ignored = ERR_INIT;

	if (in->dir >= 0) {
		close(in->dir);
		(void)fs_remove_tree(in->site->releases, in->name, &ignored);
	}
	kept_clear(&in->in);
	kept_clear(&in->live);
	free(in->placed);
	free(in->reused);
	*in = (struct intake)INTAKE_INIT;
}
