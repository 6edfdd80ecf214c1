/*
 * A repository as dnf and zypper take it up: repomd.xml by its signature; the
 * files that it names, each unpacked and compared with what is said of it, and
 * the lists among them with one another; then each package.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/data/hash.h"
#include "lib/data/inflate.h"
#include "lib/rpm/repodata.h"
#include "lib/rpm/rpm.h"
#include "lib/sys/fs.h"
#include "lib/sys/par.h"
#include "lib/tree/tree.h"

#define CLOCK_SLACK 10	/* what a revision may be ahead, seconds */
#define REPOMD_LIMIT ((size_t)1 << 20)	/* REPOMD_FILES files */
#define INDEX_LIMIT ((size_t)1 << 30)	/* unpacked */
#define PRIMARY_LIMIT ((size_t)256 << 20)	/* the same: it is kept */
#define ELEMENT_LIMIT ((size_t)32 << 20)	/* one package in a list */
#define PIECE ((size_t)1 << 20)	/* of a list that is looked at in pieces */

enum list { PRIMARY, FILELISTS, OTHER, LISTS };

struct repository_check {
	const struct tree *tree;
	struct pgp *trusted;
	int64_t now;
	const char *dir;	/* "rpm/stable/x86_64" */
	bool is_known;		/* repomd.xml was checked before */
	struct fs_map repomd;
	struct repomd md;
	struct buf primary;	/* unpacked; packages point into it */
	struct repodata_package *packages;
	size_t n;
	struct hashset ids[LISTS];	/* of the packages in each list */
};

static const struct {
	const char *type;
	const char *root;
} lists[LISTS] = {
	[PRIMARY] = {"primary", "metadata"},
	[FILELISTS] = {"filelists", "filelists"},
	[OTHER] = {"other", "otherdata"},
};

/* A file of the repository, at a path that comes from outside. */
static const struct manifest_entry *
find_file(const struct repository_check *c, const struct span *href,
    struct err *e)
{
	char *name = mem_dupn(href->p, href->n);
	char *path = mem_format("%s/%s", c->dir, name);
	const struct manifest_entry *f = NULL;

	if (!path_is_safe(name))
		err_set(e, ERR_DATA, "'%s/%.99s' is not a safe path", c->dir,
		    name);
	else if ((f = manifest_find(c->tree->manifest, path)) == NULL)
		err_set(e, ERR_DATA, "'%s' is listed, but missing", path);
	free(name);
	free(path);
	return f;
}

/* ------------------------------------------------------- a list in pieces */

/* filelists.xml and other.xml, of which only the pkgids are kept. */
struct listing {
	struct hashset *ids;
	struct buf pending;	/* what was not looked at yet */
	size_t enough;		/* bytes to look at once */
	bool is_begun;
	uint64_t count;		/* what the root element says */
};

/* Beyond the last element that ends in the text; the text if none does. */
static const char *
last_element_end(const char *p, size_t n)
{
	static const char stop[] = "</package>";
	const char *at;

	for (; (at = memrchr(p, '<', n)) != NULL; n = (size_t)(at - p))
		if (strncmp(at, stop, strlen(stop)) == 0)
			return at + strlen(stop);
	return p;
}

static int
add_ids(struct listing *l, const char *end, struct err *e)
{
	const char *p = l->pending.p;
	uint8_t id[HASH_SIZE];
	struct span element;
	int status;

	if (!l->is_begun && repodata_count(p, (size_t)(end - p), &l->count,
	    e) < 0)
		return -1;
	l->is_begun = true;
	while ((status = repodata_next_listed(&p, end, &element, id, e)) > 0)
		hashset_add(l->ids, id, NULL);
	return status;
}

static int
add_to_listing(struct listing *l, const void *data, size_t n, struct err *e)
{
	struct buf *b = &l->pending;
	const char *end;

	buf_add(b, data, n);
	if (b->n < l->enough)
		return 0;
	end = last_element_end(b->p, b->n);
	if (end != b->p && add_ids(l, end, e) < 0)
		return -1;
	b->n -= (size_t)(end - b->p);
	memmove(b->p, end, b->n);
	b->p[b->n] = '\0';
	if (b->n > ELEMENT_LIMIT)
		return err_set(e, ERR_DATA, "a package has more than %zu "
		    "bytes", ELEMENT_LIMIT);
	l->enough = b->n + PIECE;
	return 0;
}

static int
end_listing(struct listing *l, const char *root, struct err *e)
{
	struct buf *b = &l->pending;
	const char *text = buf_cstr(b);

	if (!repodata_ends(text, b->n, root))
		return err_set(e, ERR_DATA, "does not end in </%s>", root);
	if (add_ids(l, text + b->n, e) < 0)
		return -1;
	if (l->count != l->ids->n)
		return err_set(e, ERR_DATA, "has %zu packages, but says %"
		    PRIu64, l->ids->n, l->count);
	hashset_sort(l->ids);
	return 0;
}

/* --------------------------------------------------------- the data files */

/* Where unpacked bytes go; the failure of what takes them. */
struct unpack {
	struct hash *hash;
	uint64_t size;
	struct buf *keep;	/* or NULL */
	struct listing *listing;	/* or NULL */
	struct err err;
};

static int
add_unpacked(const void *data, size_t n, void *arg)
{
	struct unpack *u = arg;

	hash_add(u->hash, data, n);
	u->size += n;
	if (u->keep != NULL)
		buf_add(u->keep, data, n);
	return u->listing ? add_to_listing(u->listing, data, n, &u->err) : 0;
}

static int
unpack(const struct repomd_file *f, const struct fs_map *map,
    struct unpack *u, struct err *e)
{
	uint8_t sha256[HASH_SIZE];
	int status;

	u->hash = hash_open();
	status = gunzip_whole(map->p, map->n, u->keep ? PRIMARY_LIMIT :
	    INDEX_LIMIT, add_unpacked, u, e);
	hash_close(u->hash, sha256);
	if (u->err.kind != ERR_NONE)
		*e = u->err;
	if (status == 0 && (u->size != f->open_size ||
	    !hash_equal(sha256, f->open_sha256)))
		status = err_set(e, ERR_DATA, "does not unpack to what "
		    "repomd.xml lists");
	return status;
}

static int
check_listing(struct repository_check *c, enum list list,
    const struct repomd_file *f, const struct fs_map *map, struct err *e)
{
	struct listing l = {.ids = &c->ids[list], .enough = PIECE};
	struct unpack u = {.listing = &l, .err = ERR_INIT};
	int status = unpack(f, map, &u, e);

	if (status == 0)
		status = end_listing(&l, lists[list].root, e);
	buf_clear(&l.pending);
	return status;
}

static int
read_packages(struct repository_check *c, struct err *e)
{
	const char *p = buf_cstr(&c->primary), *end = p + c->primary.n;
	struct repodata_package package;
	uint64_t count;
	size_t cap = 0;
	int status;

	if (!repodata_ends(p, c->primary.n, lists[PRIMARY].root))
		return err_set(e, ERR_DATA, "does not end in </%s>",
		    lists[PRIMARY].root);
	if (repodata_count(p, c->primary.n, &count, e) < 0)
		return -1;
	while ((status = repodata_next_primary(&p, end, &package, e)) > 0) {
		if (c->n == cap) {
			cap = mem_grow(cap, c->n + 1);
			c->packages = mem_resize(c->packages, cap,
			    sizeof(*c->packages));
		}
		c->packages[c->n++] = package;
		hashset_add(&c->ids[PRIMARY], package.sha256, NULL);
	}
	if (status == 0 && count != c->n)
		return err_set(e, ERR_DATA, "has %zu packages, but says %"
		    PRIu64, c->n, count);
	hashset_sort(&c->ids[PRIMARY]);
	return status;
}

static int
check_primary(struct repository_check *c, const struct repomd_file *f,
    const struct fs_map *map, struct err *e)
{
	struct unpack u = {.keep = &c->primary, .err = ERR_INIT};

	if (unpack(f, map, &u, e) < 0)
		return -1;
	return read_packages(c, e);
}

/*
 * repomd.xml holds the hashes of the lists, and these the hashes of the
 * packages: of a repository that is known only the packages' names are
 * needed, to see that the files are still there.
 */
static int
check_content(struct repository_check *c, const struct repomd_file *f,
    const struct fs_map *map, struct err *e)
{
	struct unpack u = {.err = ERR_INIT};

	if (map->n != f->size)
		return err_set(e, ERR_DATA, "does not have the size that "
		    "is listed");
	if (span_is(&f->type, lists[PRIMARY].type))
		return check_primary(c, f, map, e);
	if (c->is_known)
		return 0;
	if (span_is(&f->type, lists[FILELISTS].type))
		return check_listing(c, FILELISTS, f, map, e);
	if (span_is(&f->type, lists[OTHER].type))
		return check_listing(c, OTHER, f, map, e);
	return f->has_open ? unpack(f, map, &u, e) : 0;
}

static int
check_data(size_t i, void *arg, struct err *e)
{
	struct repository_check *c = arg;
	const struct repomd_file *f = &c->md.v[i];
	const struct manifest_entry *entry = find_file(c, &f->href, e);
	struct fs_map map;
	int status;

	if (entry == NULL)
		return err_wrap(e, "repomd.xml");
	if (f->href.n < 9 || memcmp(f->href.p, "repodata/", 9) != 0)
		return err_set(e, ERR_DATA, "'%s' is not in repodata",
		    entry->path);
	if (!hash_equal(f->sha256, entry->sha256))
		return err_set(e, ERR_DATA, "'%s' is not the file that "
		    "repomd.xml lists", entry->path);
	if (tree_map_most(c->tree, entry->path, INDEX_LIMIT, &map, e) < 0)
		return -1;
	status = check_content(c, f, &map, e);
	fs_unmap(&map);
	return status < 0 ? err_wrap(e, "'%s'", entry->path) : 0;
}

/* ------------------------------------------------------ list against list */

static int
compare_spans(const struct span *a, const struct span *b)
{
	int order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return order != 0 ? order : a->n < b->n ? -1 : a->n > b->n;
}

static int
by_name(const void *a, const void *b)
{
	const struct repodata_package *x = a, *y = b;
	const struct span *pairs[][2] = {
		{&x->name, &y->name}, {&x->arch, &y->arch},
		{&x->epoch, &y->epoch}, {&x->version, &y->version},
		{&x->release, &y->release},
	};
	size_t i;
	int order = 0;

	for (i = 0; i < COUNT(pairs) && order == 0; i++)
		order = compare_spans(pairs[i][0], pairs[i][1]);
	return order;
}

/* By its hash or by its name and version. */
static int
check_twins(struct repository_check *c, struct err *e)
{
	const struct hashset_item *twin = hashset_twin(&c->ids[PRIMARY]);
	const struct repodata_package *k = c->packages;
	char hex[HASH_HEX];
	size_t i;

	if (twin != NULL) {
		hash_hex(twin->sha256, hex);
		return err_set(e, ERR_DATA, "primary lists the package %s "
		    "twice", hex);
	}
	if (c->n > 1)
		qsort(c->packages, c->n, sizeof(*c->packages), by_name);
	for (i = 1; i < c->n; i++)
		if (by_name(&k[i - 1], &k[i]) == 0)
			return err_set(e, ERR_DATA, "primary lists "
			    "%.*s-%.*s-%.*s twice", (int)k[i].name.n,
			    k[i].name.p, (int)k[i].version.n, k[i].version.p,
			    (int)k[i].release.n, k[i].release.p);
	return 0;
}

/* The other lists have the packages of primary and no more. */
static int
check_same(const struct repository_check *c, enum list list, struct err *e)
{
	if (hashset_same(&c->ids[PRIMARY], &c->ids[list]))
		return 0;
	return err_set(e, ERR_DATA, "%s does not list the packages of primary",
	    lists[list].type);
}

static int
check_named(const struct repomd *md, struct err *e)
{
	const struct repomd_file *f;
	size_t i;

	for (i = 0; i < LISTS; i++) {
		f = repomd_find(md, lists[i].type);
		if (f == NULL || !f->has_open)
			return err_set(e, ERR_DATA, "repomd.xml names no %s "
			    "with its open-checksum", lists[i].type);
	}
	return 0;
}

/*
 * Every file that c->md names is what it says, and the lists are of the same
 * packages, none of them twice. Fills in packages, n and ids.
 */
static int
check_lists(struct repository_check *c, struct err *e)
{
	if (check_named(&c->md, e) < 0 ||
	    par_each(c->md.n, check_data, c, e) < 0 || check_twins(c, e) < 0)
		return -1;
	if (c->is_known)
		return 0;
	if (check_same(c, FILELISTS, e) < 0)
		return -1;
	return check_same(c, OTHER, e);
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
		return err_set(e, ERR_DATA, "is not the package that primary "
		    "lists: %s-%s:%s-%s.%s", r->name, epoch, r->version,
		    r->release, r->arch);
	if (k->header_start != r->header_start ||
	    k->header_end != r->payload_start)
		return err_set(e, ERR_DATA, "does not have its header where "
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
		return err_set(e, ERR_DATA, "has a different checksum in "
		    "primary");
	if (!fits(c, &k->arch))
		return err_set(e, ERR_DATA, "is for another architecture: "
		    "%.*s", k->arch.n > 40 ? 40 : (int)k->arch.n, k->arch.p);
	if (tree_is_known(c->tree, f))
		return 0;
	if (tree_size(c->tree, f, &size, e) < 0)
		return -1;
	if (size != k->size)
		return err_set(e, ERR_DATA, "has a different size in primary");
	return open_package(c, k, f, e);
}

static int
check_package(size_t i, void *arg, struct err *e)
{
	const struct repository_check *c = arg;
	const struct repodata_package *k = &c->packages[i];
	const struct manifest_entry *f = find_file(c, &k->href, e);

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
	int status = tree_map_most(c->tree, path, SIGNATURE_LIMIT, &map, e);

	if (status == 0 && !pgp_read_armour(map.p, map.n, "SIGNATURE",
	    &packets))
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
		status = err_set(e, ERR_DATA, "'%s' is missing", path);
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
	    check_repomd(c, e) < 0 || check_lists(c, e) < 0)
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
	int status = tree_map_most(t, f->path, REPOMD_LIMIT, &c.repomd, e);
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
