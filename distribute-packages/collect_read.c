#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "distribute-packages/collect_read.h"
#include "lib/base/path.h"
#include "lib/sys/fs.h"
#include "lib/tree/package.h"

struct reading {
	const struct collect_options *o;
	const struct strv *allowed;	/* names and patterns */
	size_t number;			/* of the file */
};

/* Does this package belong to the build, the release and the suite? */
static int
judge(const struct reading *c, const struct place *place,
    const struct package_claim *x, struct err *e)
{
	if (package_judge(x, c->allowed, c->o->release,
	    place->is_drop ? &place->build : NULL, e) < 0)
		return -1;
	if (x->architecture != NULL &&
	    !strv_has(&c->o->suite->architectures, x->architecture))
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

static int
read_deb(const struct reading *c, const struct place *place, int fd,
    const char *name, struct deb *d, struct err *e)
{
	struct out *copy = c->o->is_dry_run ? NULL :
	    out_object(c->o->p->store.objects, &d->digest);
	struct package_claim claim = {.format = FORMAT_DEB};
	int status = deb_read(fd, name, copy, d, e);

	if (status == 0) {
		claim.name = d->package;
		claim.version = d->version;
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
judge_rpm(const struct reading *c, const struct place *place,
    const struct rpm *r, struct err *e)
{
	struct package_claim claim = {.format = FORMAT_RPM, .name = r->name,
	    .version = r->version};

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

	suite_basearches(o->suite, r->arch, &basearches);
	for (i = 0; i < basearches.n && status >= 0; i++) {
		path = suite_rpm_path(o->suite, basearches.v[i], r->file);
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
		    "and [release] builds names no rpm build");
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
make_rpm(const struct reading *c, int fd, const char *name, struct rpm *r,
    struct item *item, struct err *e)
{
	const struct collect_options *o = c->o;
	const uint8_t *stored = NULL;
	int known;

	/* of builds that the configuration does not name, too */
	if (signer_check_rsa(o->p->signer, e) < 0)
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
		known = rpm_build_stored(&o->p->store, o->p->signer, stored,
		    o->p->date, &item->rpm, e);
		if (known < 0)
			return -1;
	}
	if (known > 0 || o->is_dry_run)
		return rpm_read_payload(fd, name, NULL, r, e);
	if (o->p->container != NULL) {
		item->is_waiting = true;
		return copy_unsigned(o->p->container, fd, name, r,
		    &item->rpm, e);
	}
	return rpm_build_native(&o->p->store,
	    publication_signer(o->p, c->number), o->p->date, fd, name, r,
	    &item->rpm, e);
}

static int
read_rpm(const struct reading *c, const struct place *place, int fd,
    const char *name, struct item *item, struct err *e)
{
	struct rpm r = RPM_INIT;
	struct digest d;
	int status = 0;

	/* Its hash as it came; what is read next is checked by its own. */
	if (place->is_drop) {
		status = hash_fd(fd, name, &d, e);
		if (status == 0 && lseek(fd, 0, SEEK_SET) < 0)
			status = err_sys(e, "read again");
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

int
collect_read(const struct collect_options *o, const struct strv *allowed,
    const struct place *place, const char *name, size_t number,
    struct item *item, struct err *e)
{
	struct reading c = {o, allowed, number};
	int fd = fs_open(place->dir, name, e), status;

	if (fd < 0)
		return -1;
	if (path_ends_with(name, ".rpm")) {
		item->format = FORMAT_RPM;
		status = read_rpm(&c, place, fd, name, item, e);
	} else {
		item->format = FORMAT_DEB;
		status = read_deb(&c, place, fd, name, &item->deb, e);
	}
	close(fd);
	return status;
}
