/*
 * A repository as dnf and zypper take it up: repomd.xml by its signature, the
 * lists (tree_rpm_lists.c), then each package.
 */
#include "lib/tree/tree_rpm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/rpm/rpm.h"
#include "lib/sys/par.h"

#define CLOCK_SLACK 10	/* what a revision may be ahead, seconds */

const struct manifest_entry *
tree_rpm_find(const struct repository_check *c, const struct span *href,
    struct err *e)
{
	char *name = mem_dupn(href->p, href->n);
	char *path = mem_format("%s/%s", c->dir, name);
	const struct manifest_entry *f = NULL;

	if (!path_is_safe(name))
		err_set(e, ERR_DATA, "'%s/%.99s' is not a safe path", c->dir,
		    name);
	else if ((f = manifest_find(c->tree->manifest, path)) == NULL)
		err_set(e, ERR_DATA, "'%s' is named, but not there", path);
	free(name);
	free(path);
	return f;
}

/* ----------------------------------------------------------- the packages */

static bool
fits(const struct repository_check *c, const struct span *arch)
{
	const char *base = path_base(c->dir);

	if (span_is(arch, base) || span_is(arch, "noarch"))
		return true;
	return strcmp(base, "i386") == 0 && (span_is(arch, "i486") ||
	    span_is(arch, "i586") || span_is(arch, "i686"));
}

static int
check_header(const struct repodata_package *k, const struct rpm *r,
    struct err *e)
{
	char epoch[16];

	snprintf(epoch, sizeof(epoch), "%" PRIu32, r->has_epoch ? r->epoch :
	    0);
	if (!span_is(&k->name, r->name) || !span_is(&k->epoch, epoch) ||
	    !span_is(&k->version, r->version) ||
	    !span_is(&k->release, r->release) || !span_is(&k->arch, r->arch))
		return err_set(e, ERR_DATA, "is another package than primary "
		    "says: %s-%s:%s-%s.%s", r->name, epoch, r->version,
		    r->release, r->arch);
	if (k->header_start != r->header_start ||
	    k->header_end != r->payload_start)
		return err_set(e, ERR_DATA, "has its header elsewhere than "
		    "primary says");
	return 0;
}

static int
check_signed(const struct repository_check *c, const struct rpm *r,
    struct err *e)
{
	struct buf signature = BUF_INIT;
	int status = rpm_signature_read(r, &signature, e);

	/* rpm reads one and refuses what follows it */
	if (status == 0 && pgp_count_signatures(buf_cstr(&signature),
	    signature.n) != 1)
		status = err_set(e, ERR_REFUSED, "its signature is not one "
		    "OpenPGP packet");
	if (status == 0)
		status = pgp_verify(c->trusted, r->header.blob.p,
		    r->header.blob.n, signature.p, signature.n, "its header",
		    e);
	buf_clear(&signature);
	return status < 0 ? err_wrap(e, "rpmkeys would refuse it") : 0;
}

static int
open_package(const struct repository_check *c,
    const struct repodata_package *k, const struct manifest_entry *f,
    struct err *e)
{
	struct rpm r = RPM_INIT;
	int fd = tree_open(c->tree, f, e), status;

	if (fd < 0)
		return -1;
	status = rpm_read(fd, "not an rpm to publish", &r, e);
	if (status == 0)
		status = check_header(k, &r, e);
	if (status == 0)
		status = check_signed(c, &r, e);
	/* what is in a store was looked through on its way in */
	if (status == 0 && !c->tree->is_store)
		status = rpm_read_payload(fd, "rpmkeys would refuse it", NULL,
		    &r, e);
	rpm_clear(&r);
	close(fd);
	return status;
}

static int
check_file(const struct repository_check *c,
    const struct repodata_package *k, const struct manifest_entry *f,
    struct err *e)
{
	uint64_t size;

	if (!hash_equal(k->sha256, f->sha256))
		return err_set(e, ERR_DATA, "has another checksum in primary");
	if (!fits(c, &k->arch))
		return err_set(e, ERR_DATA, "is for another architecture: "
		    "%.*s", k->arch.n > 40 ? 40 : (int)k->arch.n, k->arch.p);
	if (tree_is_known(c->tree, f))
		return 0;
	if (tree_size(c->tree, f, &size, e) < 0)
		return -1;
	if (size != k->size)
		return err_set(e, ERR_DATA, "has another size in primary");
	return open_package(c, k, f, e);
}

static int
check_package(size_t i, void *arg, struct err *e)
{
	const struct repository_check *c = arg;
	const struct repodata_package *k = &c->packages[i];
	const struct manifest_entry *f = tree_rpm_find(c, &k->href, e);

	if (f == NULL)
		return err_wrap(e, "primary");
	if (check_file(c, k, f, e) < 0)
		return err_wrap(e, "'%s'", f->path);
	return 0;
}

/* ------------------------------------------------------------- repomd.xml */

static int
check_signature(const struct repository_check *c, struct err *e)
{
	char *path = mem_format("%s/repodata/repomd.xml.asc", c->dir);
	struct buf packets = BUF_INIT;
	struct fs_map map;
	int status = tree_map(c->tree, path, &map, e);

	if (status == 0 && (map.n > SIGNATURE_LIMIT ||
	    !pgp_read_armour(map.p, map.n, &packets)))
		status = err_set(e, ERR_REFUSED, "'%s' is not an armoured "
		    "signature", path);
	/* librepo through librpm refuses more */
	if (status == 0 && pgp_count_signatures(packets.p, packets.n) != 1)
		status = err_set(e, ERR_REFUSED, "'%s' is not one signature",
		    path);
	if (status == 0)
		status = pgp_verify(c->trusted, c->repomd.p, c->repomd.n,
		    map.p, map.n, path, e);
	fs_unmap(&map);
	buf_clear(&packets);
	free(path);
	return status;
}

static int
check_key(const struct repository_check *c, struct err *e)
{
	char *path = mem_format("%s/repodata/repomd.xml.key", c->dir);
	int status = 0;

	if (manifest_find(c->tree->manifest, path) == NULL)
		status = err_set(e, ERR_DATA, "'%s' is not there", path);
	free(path);
	return status;
}

static int
check_repomd(struct repository_check *c, struct err *e)
{
	if (repomd_parse(c->repomd.p, c->repomd.n, &c->md, e) < 0)
		return err_wrap(e, "repomd.xml");
	if (c->md.revision > (uint64_t)(c->now + CLOCK_SLACK))
		return err_set(e, ERR_DATA, "the revision of repomd.xml is in "
		    "the future: %" PRIu64, c->md.revision);
	return 0;
}

static int
check_parts(struct repository_check *c, struct err *e)
{
	if (check_signature(c, e) < 0 || check_key(c, e) < 0 ||
	    check_repomd(c, e) < 0 || tree_rpm_check_lists(c, e) < 0)
		return -1;
	return par_each(c->n, check_package, c, e);
}

static int
check_repository(const struct tree *t, struct pgp *trusted, int64_t now,
    const struct manifest_entry *f, struct err *e)
{
	char *dir = mem_dupn(f->path, strlen(f->path) -
	    strlen("/repodata/repomd.xml"));
	struct repository_check c = {.tree = t, .trusted = trusted,
	    .now = now, .dir = dir, .is_known = tree_is_known(t, f)};
	int status = tree_map(t, f->path, &c.repomd, e);
	size_t i;

	if (status == 0)
		status = check_parts(&c, e);
	if (status < 0)
		err_wrap(e, "repository '%s'", dir);
	fs_unmap(&c.repomd);
	buf_clear(&c.primary);
	free(c.packages);
	for (i = 0; i < LISTS; i++)
		hashset_clear(&c.ids[i]);
	free(dir);
	return status;
}

int
tree_check_rpm(const struct tree *t, struct pgp *trusted, int64_t now,
    struct err *e)
{
	const struct manifest *m = t->manifest;
	int status = 0;
	size_t i;

	for (i = 0; i < m->n && status == 0; i++)
		if (path_starts_with(m->v[i].path, "rpm/") &&
		    path_ends_with(m->v[i].path, "/repodata/repomd.xml"))
			status = check_repository(t, trusted, now, &m->v[i],
			    e);
	return status;
}
