#include "distribute-packages/collect.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/drop.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/par.h"
#include "lib/path.h"
#include "lib/release.h"

/* A directory that packages lie in. */
struct place {
	char *label;		/* for messages */
	int dir;
	char *architecture;	/* of its build; NULL: any of the suite's */
	bool is_drop;
	struct manifest manifest;	/* of a drop */
};

struct file {
	size_t place;
	char *name;
};

struct collecting {
	struct store *store;
	const struct collect_options *options;
	struct strv allowed;	/* names and patterns */
	struct place *places;
	size_t n_places;
	struct file *files;
	size_t n_files;
	size_t cap_files;
	struct deb *debs;	/* one for each file */
	uint64_t bytes;
};

static struct place *
add_place(struct collecting *c, char *label, int dir)
{
	struct place *p;

	c->places = mem_resize(c->places, c->n_places + 1, sizeof(*c->places));
	p = &c->places[c->n_places++];
	*p = (struct place){.label = label, .dir = dir};
	return p;
}

static void
add_file(struct collecting *c, const char *name, uint64_t size)
{
	if (c->n_files == c->cap_files) {
		c->cap_files = mem_grow(c->cap_files, c->n_files + 1);
		c->files = mem_resize(c->files, c->cap_files,
		    sizeof(*c->files));
	}
	c->files[c->n_files++] = (struct file){c->n_places - 1, mem_dup(name)};
	c->bytes += size;
}

/* ------------------------------------------------------- finding the files */

/* "amd64-deb": amd64, yours; NULL for a build of another format. */
static char *
build_architecture(const char *build)
{
	return path_ends_with(build, "-deb") ?
	    mem_dupn(build, strlen(build) - strlen("-deb")) : NULL;
}

static int
find_drop(struct collecting *c, int inbox, const char *build, struct err *e)
{
	char *name = drop_find_packages(inbox, c->options->release, build, e);
	struct place *p;
	struct stat st;
	size_t i;
	int dir;

	if (name == NULL && e->kind != ERR_NONE)
		return -1;
	if (name == NULL)
		return err_set(e, ERR_MISSING, "no complete drop of build %s "
		    "of release %s in the inbox: run its job again, or give "
		    "--partial", build, c->options->release);
	log_notice("build %s: drop %s", build, name);
	p = add_place(c, name, -1);
	p->architecture = build_architecture(build);
	p->is_drop = true;
	dir = p->dir = drop_open_packages(inbox, name, &p->manifest, e);
	if (dir < 0)
		return -1;
	for (i = 0; i < p->manifest.n; i++) {
		if (fstatat(dir, p->manifest.v[i].path, &st, 0) < 0)
			st.st_size = 0;
		add_file(c, p->manifest.v[i].path, (uint64_t)st.st_size);
	}
	return 0;
}

static int
find_drops(struct collecting *c, const struct strv *builds, struct err *e)
{
	char *path = conf_path(c->options->conf, "repository", "inbox");
	enum err_kind worst = ERR_NONE;
	int inbox = fs_open_dir(path, e);
	size_t i, missing = 0;
	struct err one;

	free(path);
	if (inbox < 0)
		return err_wrap(e, "[repository] inbox");
	for (i = 0; i < builds->n; i++) {
		one = (struct err)ERR_INIT;
		if (find_drop(c, inbox, builds->v[i], &one) == 0)
			continue;
		if (one.kind == ERR_MISSING && c->options->is_partial) {
			log_warning("%s", one.text);
			continue;
		}
		if (missing++ > 0)
			log_error("%s", e->text);
		worst = err_worst(worst, one.kind);
		*e = one;
	}
	close(inbox);
	e->kind = worst;
	return missing > 0 ? -1 : 0;
}

static int
find_in_directory(struct collecting *c, const char *path, struct err *e)
{
	struct strv names = STRV_INIT;
	struct stat st;
	int dir = fs_open_dir(path, e), status;
	size_t i, n = 0;

	if (dir < 0)
		return -1;
	add_place(c, mem_dup(path), dir);
	status = fs_list(dir, &names, e);
	for (i = 0; i < names.n && status == 0; i++) {
		if (path_ends_with(names.v[i], ".rpm"))
			status = err_set(e, ERR_DATA, "'%s/%s': this version "
			    "publishes .deb packages only", path, names.v[i]);
		if (!path_ends_with(names.v[i], ".deb"))
			continue;
		if (fstatat(dir, names.v[i], &st, 0) < 0)
			st.st_size = 0;
		add_file(c, names.v[i], (uint64_t)st.st_size);
		n++;
	}
	strv_clear(&names);
	if (status == 0 && n == 0)
		status = err_set(e, ERR_MISSING, "no .deb in '%s'", path);
	return status;
}

static int
find_builds(const struct conf *conf, struct strv *builds, struct err *e)
{
	char *architecture;
	size_t i;

	conf_list(conf, "release", "builds", builds);
	for (i = 0; i < builds->n; i++) {
		architecture = build_architecture(builds->v[i]);
		if (architecture == NULL)
			return err_set(e, ERR_CONFIG, "[release] builds: this "
			    "version publishes .deb packages only: take '%s' "
			    "out", builds->v[i]);
		free(architecture);
	}
	return 0;
}

/* --------------------------------------------------------- one package */

static bool
is_allowed(const struct collecting *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->allowed.n; i++)
		if (fnmatch(c->allowed.v[i], name, 0) == 0)
			return true;
	return false;
}

/* Does this package belong to the build and to the release? */
static int
judge(const struct collecting *c, const struct place *place,
    const struct deb *d, struct err *e)
{
	bool is_all = strcmp(d->architecture, "all") == 0;

	if (!is_allowed(c, d->package))
		return err_set(e, ERR_DATA, "package '%s' is not on the list "
		    "[release] packages", d->package);
	if (place->architecture != NULL && !is_all &&
	    strcmp(d->architecture, place->architecture) != 0)
		return err_set(e, ERR_DATA, "architecture is %s, and the build "
		    "is of %s", d->architecture, place->architecture);
	if (!is_all && !strv_has(c->options->architectures, d->architecture))
		return err_set(e, ERR_DATA, "architecture '%s' is not one of "
		    "the suite's", d->architecture);
	if (!release_has_version(c->options->release, d->version))
		return err_set(e, ERR_DATA, "version is %s, and the release "
		    "is %s", d->version, c->options->release);
	return 0;
}

static int
check_digest(const struct place *place, const char *name,
    const struct deb *d, struct err *e)
{
	const struct manifest_entry *f;

	if (!place->is_drop)
		return 0;
	f = manifest_find(&place->manifest, name);
	if (f != NULL && hash_equal(f->sha256, d->digest.sha256))
		return 0;
	return err_set(e, ERR_DATA, "does not have the hash that its "
	    MANIFEST_NAME " lists");
}

static int
read_package(size_t i, void *arg, struct err *e)
{
	struct collecting *c = arg;
	const struct file *f = &c->files[i];
	const struct place *place = &c->places[f->place];
	struct deb *d = &c->debs[i];
	struct out *copy;
	int fd, status;

	fd = fs_open(place->dir, f->name, e);
	if (fd < 0)
		return err_wrap(e, "%s", place->label);
	copy = c->options->is_dry_run ? NULL :
	    out_object(c->store->objects, &d->digest);
	status = deb_read(fd, f->name, copy, d, e);
	close(fd);
	if (status == 0 && (check_digest(place, f->name, d, e) < 0 ||
	    judge(c, place, d, e) < 0))
		status = err_wrap(e, "%s", f->name);
	/* Only what was found good gets its name in the store. */
	if (status == 0 && copy != NULL)
		status = out_commit(copy, e);
	else
		out_discard(copy);
	return status < 0 ? err_wrap(e, "%s", place->label) : 0;
}

/* --------------------------------------------------------- all of them */

/* With --from there are no drops to count: each build needs a package. */
static int
check_builds(const struct collecting *c, const struct strv *builds,
    struct err *e)
{
	char *architecture;
	size_t i, j;

	if (c->options->from->n == 0 || c->options->is_partial)
		return 0;
	for (i = 0; i < builds->n; i++) {
		architecture = build_architecture(builds->v[i]);
		for (j = 0; j < c->n_files; j++)
			if (strcmp(c->debs[j].architecture, architecture) == 0)
				break;
		free(architecture);
		if (j == c->n_files)
			return err_set(e, ERR_MISSING, "no package of build "
			    "%s: give its directory too, or --partial",
			    builds->v[i]);
	}
	return 0;
}

static int
find_files(struct collecting *c, const struct strv *builds, struct err *e)
{
	size_t i;

	if (c->options->from->n == 0)
		return find_drops(c, builds, e);
	for (i = 0; i < c->options->from->n; i++)
		if (find_in_directory(c, c->options->from->v[i], e) < 0)
			return -1;
	return 0;
}

static void
collecting_clear(struct collecting *c)
{
	size_t i;

	for (i = 0; i < c->n_places; i++) {
		free(c->places[i].label);
		free(c->places[i].architecture);
		manifest_clear(&c->places[i].manifest);
		if (c->places[i].dir >= 0)
			close(c->places[i].dir);
	}
	for (i = 0; i < c->n_files; i++)
		free(c->files[i].name);
	free(c->places);
	free(c->files);
	strv_clear(&c->allowed);
}

int
collect(struct store *store, const struct collect_options *o,
    struct collection *result, struct err *e)
{
	struct collecting c = {.store = store, .options = o};
	struct strv builds = STRV_INIT;
	int status = find_builds(o->conf, &builds, e);

	conf_list(o->conf, "release", "packages", &c.allowed);
	if (status == 0)
		status = find_files(&c, &builds, e);
	if (status == 0 && c.n_files == 0)
		status = err_set(e, ERR_MISSING, "no package of release %s",
		    o->release);
	if (status == 0) {
		c.debs = mem_zero(c.n_files, sizeof(*c.debs));
		result->v = c.debs;
		result->n = c.n_files;
		log_progress_start("checking packages", c.bytes);
		status = par_each(c.n_files, read_package, &c, e);
		log_progress_end();
	}
	if (status == 0)
		status = check_builds(&c, &builds, e);
	strv_clear(&builds);
	collecting_clear(&c);
	return status;
}

void
collection_clear(struct collection *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		deb_clear(&c->v[i]);
	free(c->v);
	*c = (struct collection){NULL, 0};
}
