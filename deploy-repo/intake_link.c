#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deploy-repo/intake.h"
#include "lib/base/hashset.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/fs.h"

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
	uint64_t *serials;
	size_t n, i;
	int status = 0;

	if (site_serials(in->site, &serials, &n, e) < 0)
		return -1;
	s->kept = mem_zero(n, sizeof(*s->kept));
	for (i = 0; i < n && status == 0; i++) {
		status = site_load(in->site, serials[i], &s->kept[i], e);
		s->n_kept++;
		if (status == 0)
			add_sources(s, &s->kept[i].manifest, serials[i], NULL);
	}
	free(serials);
	add_sources(s, &in->in.manifest, 0, in->placed);
	hashset_sort(&s->by_hash);
	return status;
}

static void
sources_clear(struct sources *s)
{
	size_t i;

	for (i = 0; i < s->n_kept; i++)
		kept_clear(&s->kept[i]);
	free(s->kept);
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
		o = intake_file(in, index, &at, &d, e);
	if (o != NULL && intake_copy(fd, name, o, e) == 0) {
		status = intake_file_done(in, index, o, at, &d, e);
	} else if (o != NULL) {
		out_discard(o);
		close(at);
	}
	if (fd >= 0)
		close(fd);
	free(name);
	return status;
}

static int
take_by_hash(struct intake *in, struct sources *s,
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
		    (size_t)(f - in->in.manifest.v), e);
	return link_from(in, found->serial, found->path, f->path, e);
}

/* True if a and b lie in the same directory. */
static bool
same_parent(const char *a, const char *b)
{
	size_t n = (size_t)(path_base(a) - a);

	return n == (size_t)(path_base(b) - b) && memcmp(a, b, n) == 0;
}

int
intake_link_rest(struct intake *in, struct err *e)
{
	const struct manifest *m = &in->in.manifest;
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
		if (status == 0 && intake_is_live(in, f))
			status = link_from(in, in->site->live, f->path,
			    f->path, e);
		else if (status == 0)
			status = take_by_hash(in, &sources, f, e);
	}
	sources_clear(&sources);
	return status;
}
