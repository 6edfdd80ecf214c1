#include "distribute-packages/collect_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/drop/drop.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"
#include "lib/sys/tally.h"

struct file {
	size_t place;
	char *name;
};

struct collecting {
	const struct collect_options *options;
	struct strv allowed;	/* names and patterns */
	struct strv published;	/* drops that generations were made of */
	bool is_published;	/* one of them served for this release */
	struct place *places;
	size_t n_places;
	struct file *files;
	size_t n_files;
	size_t cap_files;
	struct item *items;	/* one for each file */
	size_t n_rpms;
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
	c->n_rpms += path_ends_with(name, ".rpm");
	c->bytes += size;
}

/* ------------------------------------------------------- finding the files */

/*
 * A job that runs again finds no drop where deployment has ended meanwhile:
 * drops that have served are removed.
 */
static bool
was_published(struct collecting *c, const char *build)
{
	char *prefix = mem_format("%s.%s.", c->options->release, build);
	size_t i;

	for (i = 0; i < c->published.n; i++)
		if (path_starts_with(c->published.v[i], prefix))
			break;
	free(prefix);
	if (i == c->published.n)
		return false;
	log_notice("build %s: drop %s was published already", build,
	    c->published.v[i]);
	return c->is_published = true;
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
	if (name == NULL && was_published(c, build))
		return 0;
	if (name == NULL)
		return err_set(e, ERR_MISSING, "no complete drop of build %s "
		    "of release %s in the inbox: run its job again, or give "
		    "--partial", build, c->options->release);
	log_notice("build %s: drop %s", build, name);
	strv_add(&c->options->p->next.drops, name);
	p = add_place(c, name, -1);
	p->is_drop = build_parse(build, &p->build);
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
	char *path = conf_path(c->options->p->conf, "repository", "inbox");
	struct tally failed = TALLY_INIT;
	int inbox = fs_open_dir(path, e);
	struct err one;
	size_t i;

	free(path);
	if (inbox < 0)
		return err_wrap(e, "[repository] inbox");
	if (store_drops(&c->options->p->store, UINT64_MAX, &c->published,
	    e) < 0) {
		close(inbox);
		return -1;
	}
	for (i = 0; i < builds->n; i++) {
		one = (struct err)ERR_INIT;
		if (find_drop(c, inbox, builds->v[i], &one) == 0)
			continue;
		if (one.kind == ERR_MISSING && c->options->is_partial) {
			log_warning("%s", one.text);
			continue;
		}
		tally_add(&failed, &one);
	}
	close(inbox);
	return tally_end(&failed, "builds", e);
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
		if (!path_ends_with(names.v[i], ".deb") &&
		    !path_ends_with(names.v[i], ".rpm"))
			continue;
		if (fstatat(dir, names.v[i], &st, 0) < 0)
			st.st_size = 0;
		add_file(c, names.v[i], (uint64_t)st.st_size);
		n++;
	}
	strv_clear(&names);
	if (status == 0 && n == 0)
		status = err_set(e, ERR_MISSING, "no .deb and no .rpm in "
		    "'%s'", path);
	return status;
}

static int
read_package(size_t i, void *arg, struct err *e)
{
	struct collecting *c = arg;
	const struct file *f = &c->files[i];
	const struct place *place = &c->places[f->place];

	if (collect_read(c->options, &c->allowed, place, f->name,
	    i, &c->items[i], e) < 0)
		return err_wrap(e, "%s", place->label);
	return 0;
}

/* --------------------------------------------------------- all of them */

/* Is there a package that this build makes? */
static bool
has_build(const struct collecting *c, const struct build *b)
{
	const char *wanted = b->format == FORMAT_RPM ?
	    build_to_rpm(b->architecture) : b->architecture;
	const struct item *item;
	const char *has;

	for (item = c->items; item < c->items + c->n_files; item++) {
		has = item->format == FORMAT_RPM ? item->rpm.arch :
		    item->deb.architecture;
		if (item->format == b->format && strcmp(has, wanted) == 0)
			return true;
	}
	return false;
}

/* With --from there are no drops to count: each build needs a package. */
static int
check_builds(const struct collecting *c, const struct strv *builds,
    struct err *e)
{
	struct build b;
	size_t i;

	if (c->options->from->n == 0 || c->options->is_partial)
		return 0;
	for (i = 0; i < builds->n; i++)
		if (build_parse(builds->v[i], &b) && !has_build(c, &b))
			return err_set(e, ERR_MISSING, "no package of build "
			    "%s: give its directory too, or --partial",
			    builds->v[i]);
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
		manifest_clear(&c->places[i].manifest);
		if (c->places[i].dir >= 0)
			close(c->places[i].dir);
	}
	for (i = 0; i < c->n_files; i++)
		free(c->files[i].name);
	free(c->places);
	free(c->files);
	strv_clear(&c->allowed);
	strv_clear(&c->published);
}

static int
take_signed(size_t i, void *arg, struct err *e)
{
	struct collecting *c = arg;
	struct item *item = &c->items[i];

	return !item->is_waiting ? 0 : rpm_container_take(
	    c->options->p->container, &c->options->p->store, &item->rpm, e);
}

/* The container signs all new rpms in one run. */
static int
run_container(struct collecting *c, struct err *e)
{
	const struct collect_options *o = c->options;
	char *key_file;
	size_t i;
	int status;

	for (i = 0; i < c->n_files; i++)
		if (c->items[i].is_waiting)
			break;
	if (i == c->n_files)
		return 0;
	key_file = publication_key_file(o->p->conf);
	status = rpm_container_run(o->p->container, o->p->date, key_file,
	    signer_fingerprint(o->p->signer), e);
	free(key_file);
	if (status == 0)
		status = par_each(c->n_files, take_signed, c, e);
	return status;
}

/* The suite has looked at the names of the builds. */
int
collect(const struct collect_options *o, struct collection *result,
    struct err *e)
{
	struct collecting c = {.options = o};
	struct strv builds = STRV_INIT;
	int status;

	conf_list(o->p->conf, "release", "builds", &builds);
	conf_list(o->p->conf, "release", "packages", &c.allowed);
	status = find_files(&c, &builds, e);
	if (status == 0 && c.n_files == 0 && !c.is_published)
		status = err_set(e, ERR_MISSING, "no package of release %s",
		    o->release);
	if (status == 0 && c.n_files > 0) {
		c.items = mem_zero(c.n_files, sizeof(*c.items));
		result->v = c.items;
		result->n = c.n_files;
		if (c.n_rpms >= PUBLICATION_MANY_RPMS &&
		    o->p->container == NULL)
			status = publication_widen(o->p, e);
		log_progress_start("checking packages", c.bytes);
		if (status == 0)
			status = par_each(c.n_files, read_package, &c, e);
		log_progress_end();
	}
	if (status == 0)
		status = check_builds(&c, &builds, e);
	if (status == 0)
		status = run_container(&c, e);
	strv_clear(&builds);
	collecting_clear(&c);
	return status;
}

void
collection_clear(struct collection *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		deb_clear(&c->v[i].deb);
		signed_rpm_clear(&c->v[i].rpm);
	}
	free(c->v);
	*c = (struct collection){NULL, 0};
}
