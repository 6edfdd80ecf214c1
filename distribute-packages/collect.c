#include "distribute-packages/collect.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "distribute-packages/rpm/rpm_index.h"
#include "lib/base/hashset.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/drop/drop.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"
#include "lib/sys/reader.h"
#include "lib/sys/tally.h"

/* A directory that packages lie in. */
struct place {
	char *label;		/* for messages */
	int dir;
	bool is_drop;
	struct build build;	/* of a drop */
	struct manifest manifest;	/* of a drop */
};

struct file {
	size_t place;
	char *name;
};

struct collecting {
	const struct collect_options *options;
	struct strv published;	/* drops that generations were made of */
	struct hashset known;	/* the .debs of the last generation */
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
	char *prefix = mem_format("%s.%s.", c->options->rules->release.id,
	    build);
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
	char *name = drop_find_packages(inbox,
	    c->options->rules->release.id, build, c->options->drops, e);
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
		    "--partial", build, c->options->rules->release.id);
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

/* A name that no build has is a mistake, not a wish. */
static int
check_named(const struct collecting *c, const struct strv *builds,
    struct err *e)
{
	const struct strv *named = c->options->drops;
	char *prefix;
	size_t i, j;
	bool is_known;

	for (i = 0; i < named->n; i++) {
		is_known = false;
		for (j = 0; j < builds->n && !is_known; j++) {
			prefix = mem_format("%s.%s.",
			    c->options->rules->release.id, builds->v[j]);
			is_known = path_starts_with(named->v[i], prefix);
			free(prefix);
		}
		if (!is_known)
			return err_set(e, ERR_USAGE, "--drop %s is of no build "
			    "of release %s", named->v[i],
			    c->options->rules->release.id);
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
	if (check_named(c, builds, e) < 0 ||
	    store_drops(&c->options->p->store, UINT64_MAX, &c->published,
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
		    !path_ends_with(names.v[i], ".rpm")) {
			log_notice("%s/%s: ignored, since it is neither a .deb "
			    "nor an .rpm", path, names.v[i]);
			continue;
		}
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

/* ------------------------------------------------------- reading one file */

/* Does this package belong to the build, the release and the suite? */
static int
judge(const struct collecting *c, const struct place *place,
    const struct package_claim *x, struct err *e)
{
	if (package_judge(x, c->options->rules,
	    place->is_drop ? &place->build : NULL, e) < 0)
		return -1;
	if (x->architecture != NULL &&
	    !strv_has(&c->options->suite->architectures, x->architecture))
		return err_set(e, ERR_DATA, "architecture '%s' is not one of "
		    "the suite's", x->architecture);
	return 0;
}

static int
check_digest(const struct place *place, const char *name,
    const uint8_t sha256[HASH_SIZE], struct err *e)
{
	const struct manifest_entry *f;

	if (!place->is_drop)
		return 0;
	f = manifest_find(&place->manifest, name);
	if (f != NULL && hash_equal(f->sha256, sha256))
		return 0;
	return err_set(e, ERR_DATA, "does not have the hash that its "
	    MANIFEST_NAME " lists");
}

/*
 * A drop says what it brings before that is read: what is in the tree already
 * was opened on its way there.
 */
static bool
is_published_deb(const struct collecting *c, const struct place *place,
    const char *name)
{
	const struct manifest_entry *f = place->is_drop ?
	    manifest_find(&place->manifest, name) : NULL;

	return f != NULL && hashset_find(&c->known, f->sha256) != NULL;
}

static int
read_deb(const struct collecting *c, const struct place *place, int fd,
    const char *name, struct deb *d, struct err *e)
{
	struct out *copy = c->options->is_dry_run ? NULL :
	    out_object(c->options->p->store.objects, &d->digest);
	struct package_claim claim = {.format = FORMAT_DEB};
	int status = is_published_deb(c, place, name) ?
	    deb_read_known(fd, name, copy, d, e) :
	    deb_read(fd, name, copy, d, e);

	if (status == 0) {
		claim.name = d->package;
		claim.version = d->version;
		claim.essential = d->essential;
		claim.architecture = strcmp(d->architecture, "all") == 0 ?
		    NULL : d->architecture;
		if (check_digest(place, name, d->digest.sha256, e) < 0 ||
		    judge(c, place, &claim, e) < 0)
			status = err_wrap(e, "%s", name);
	}
	/* Only what was found good gets its name in the store. */
	if (status == 0 && copy != NULL)
		return out_commit(copy, e);
	out_discard(copy);
	return status;
}

static int
judge_rpm(const struct collecting *c, const struct place *place,
    const struct rpm *r, struct err *e)
{
	struct package_claim claim = {.format = FORMAT_RPM, .name = r->name,
	    .version = r->version, .release = r->release};

	if (package_rpm_architecture(r->arch, &claim.architecture, e) < 0)
		return err_set(e, ERR_DATA, "architecture '%s' is not one of "
		    "the suite's", r->arch);
	return judge(c, place, &claim, e);
}

/*
 * An rpm comes without our signature, so its own hash says nothing about what
 * is published: its identity does. 1 if it is live under all its names. Where
 * it is in the tree under one of them, *stored is the signed file's hash.
 */
static int
find_published(const struct collect_options *o, const struct signed_rpm *r,
    const uint8_t **stored, struct err *e)
{
	struct strv basearches = STRV_INIT;
	const struct manifest_entry *f;
	size_t i, live = 0;
	int status = 0;
	char *path;

	rpm_basearches(o->suite, r->arch, &basearches);
	for (i = 0; i < basearches.n && status >= 0; i++) {
		path = rpm_path(o->suite, basearches.v[i], r->file);
		status = ledger_compare(&o->p->last.ledger, path, r->content,
		    e);
		live += status > 0;
		f = manifest_find(&o->p->last.manifest, path);
		if (status >= 0 && f != NULL)
			*stored = f->sha256;
		free(path);
	}
	if (status >= 0 && basearches.n == 0)
		status = err_set(e, ERR_CONFIG, "it is for all architectures, "
		    "but [release] builds names no rpm build");
	else if (status >= 0)
		status = live == basearches.n;
	strv_clear(&basearches);
	return status;
}

/* What the container signs is checked before it goes there. */
static int
copy_unsigned(const struct rpm_container *c, int fd, const char *name,
    struct rpm *r, const struct signed_rpm *s, struct err *e)
{
	struct out *copy = out_file(rpm_container_packages(c), s->file, 0644,
	    OUT_LATER, NULL);

	rpm_write_headers(r, copy);
	if (rpm_read_payload(fd, name, copy, r, e) == 0)
		return out_commit(copy, e);
	out_discard(copy);
	return -1;
}

/* r was read as far as its payload. */
static int
make_rpm(const struct collecting *c, int fd, const char *name, struct rpm *r,
    struct item *item, struct err *e)
{
	const struct collect_options *o = c->options;
	struct publication *p = o->p;
	const uint8_t *stored = NULL;
	int known;

	/* of builds that the configuration does not name, too */
	if (signer_check_rsa(p->keys.signer, e) < 0)
		return -1;
	signed_rpm_name(&item->rpm, r);
	known = find_published(o, &item->rpm, &stored, e);
	if (known < 0)
		return -1;
	/*
	 * One that was withdrawn is signed already; if by another key, it is
	 * a new one.
	 */
	if (known == 0 && stored != NULL && !o->is_dry_run) {
		known = rpm_build_stored(&p->store, p->keys.signer, stored,
		    p->date, &item->rpm, e);
		if (known < 0)
			return -1;
	}
	if (known > 0)
		return rpm_read_payload(fd, name, NULL, r, e);
	if (rpm_check_contents(fd, name, r, e) < 0)
		return -1;
	if (o->is_dry_run)
		return 0;
	/* Its digest is compared again as it is copied, signed. */
	if (lseek(fd, (off_t)r->payload_start, SEEK_SET) < 0)
		return err_sys(e, "read '%s' again", name);
	if (p->container != NULL) {
		item->is_waiting = true;
		return copy_unsigned(p->container, fd, name, r, &item->rpm,
		    e);
	}
	return rpm_build_native(&p->store,
	    keys_signer(&p->keys, (size_t)(item - c->items)), p->date, fd,
	    name, r, &item->rpm, e);
}

static int
read_rpm(const struct collecting *c, const struct place *place, int fd,
    const char *name, struct item *item, struct err *e)
{
	struct rpm r = RPM_INIT;
	struct digest d;
	int status = 0;

	/* Its hash as it came; what is read next is checked by its own. */
	if (place->is_drop) {
		status = hash_fd(fd, name, &d, e);
		if (status == 0 && lseek(fd, 0, SEEK_SET) < 0)
			status = err_sys(e, "seek in '%s'", name);
		if (status == 0 && check_digest(place, name, d.sha256, e) < 0)
			status = err_wrap(e, "%s", name);
	}
	if (status == 0)
		status = rpm_read(fd, name, &r, e);
	if (status == 0 && (judge_rpm(c, place, &r, e) < 0 ||
	    make_rpm(c, fd, name, &r, item, e) < 0))
		status = err_wrap(e, "%s", name);
	rpm_clear(&r);
	return status;
}

static int
read_package(size_t i, void *arg, struct err *e)
{
	struct collecting *c = arg;
	const struct file *f = &c->files[i];
	const struct place *place = &c->places[f->place];
	struct item *item = &c->items[i];
	int fd = fs_open(place->dir, f->name, e), status = -1;

	if (fd < 0)
		return err_wrap(e, "%s", place->label);
	/* who made one package of a drop has made all of it */
	reader_set_origin((unsigned)f->place);
	item->from = mem_format("%s/%s", place->label, f->name);
	item->format = path_ends_with(f->name, ".rpm") ? FORMAT_RPM :
	    FORMAT_DEB;
	if (package_check_file(fd, c->options->rules, e) < 0)
		err_wrap(e, "%s", f->name);
	else if (item->format == FORMAT_RPM)
		status = read_rpm(c, place, fd, f->name, item, e);
	else
		status = read_deb(c, place, fd, f->name, &item->deb, e);
	close(fd);
	return status < 0 ? err_wrap(e, "%s", place->label) : 0;
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
note_known(struct collecting *c)
{
	const struct manifest *m = &c->options->p->last.manifest;
	size_t i;

	for (i = 0; i < m->n; i++)
		if (path_ends_with(m->v[i].path, ".deb"))
			hashset_add(&c->known, m->v[i].sha256, NULL);
	hashset_sort(&c->known);
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
	strv_clear(&c->published);
	hashset_clear(&c->known);
}

static int
store_signed(size_t i, void *arg, struct err *e)
{
	struct collecting *c = arg;
	struct item *item = &c->items[i];

	return !item->is_waiting ? 0 : rpm_container_store(
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
	key_file = keys_file(o->p->conf);
	status = rpm_container_run(o->p->container, o->p->date, key_file,
	    signer_fingerprint(o->p->keys.signer), e);
	free(key_file);
	if (status == 0)
		status = par_each(c->n_files, store_signed, c, e);
	return status;
}

/* The suite has looked at the names of the builds. */
int
collection_read(struct collection *result, const struct collect_options *o,
    struct err *e)
{
	struct collecting c = {.options = o};
	struct strv builds = STRV_INIT;
	int status;

	conf_list(o->p->conf, "release", "builds", &builds);
	note_known(&c);
	status = find_files(&c, &builds, e);
	if (status == 0 && c.n_files == 0 && !c.is_published)
		status = err_set(e, ERR_MISSING, "no package of release %s",
		    o->rules->release.id);
	if (status == 0 && c.n_files > 0) {
		c.items = mem_zero(c.n_files, sizeof(*c.items));
		result->v = c.items;
		result->n = c.n_files;
		if (c.n_rpms >= KEYS_MANY_RPMS &&
		    o->p->container == NULL)
			status = keys_widen(&o->p->keys, e);
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
		free(c->v[i].from);
		deb_clear(&c->v[i].deb);
		signed_rpm_clear(&c->v[i].rpm);
	}
	free(c->v);
	*c = (struct collection){NULL, 0};
}
