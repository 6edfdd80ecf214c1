#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/date.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/data/inflate.h"
#include "lib/deb/control.h"
#include "lib/sys/par.h"
#include "lib/tree/tree.h"

#define CLOCK_SLACK 10	/* what apt allows a Date to be ahead, seconds */
#define INDEX_LIMIT ((size_t)1 << 30)	/* plain, and unpacked */
#define RELEASE_LIMIT ((size_t)16 << 20)	/* InRelease, too */

/* What the checks of one suite share. */
struct suite_check {
	const struct tree *tree;
	struct pgp *trusted;
	int64_t now;
	const char *name;
	struct fs_map apt_release;
	bool by_hash;
	struct strv files;	/* the lines of Release's SHA256 field */
};

/* --------------------------------------------------------- the packages */

struct stanza {
	const char *filename, *sha256, *size, *architecture;
	size_t filename_n, sha256_n, size_n, architecture_n;
};

static int
parse_stanza(const char *from, const char *to, struct stanza *s,
    struct err *e)
{
	struct field f;
	int status;

	*s = (struct stanza){.filename = NULL};
	while ((status = control_next(&from, to, &f, e)) > 0) {
		if (field_is(&f, "Filename"))
			s->filename = f.value, s->filename_n = f.value_n;
		else if (field_is(&f, "SHA256"))
			s->sha256 = f.value, s->sha256_n = f.value_n;
		else if (field_is(&f, "Size"))
			s->size = f.value, s->size_n = f.value_n;
		else if (field_is(&f, "Architecture"))
			s->architecture = f.value,
			s->architecture_n = f.value_n;
	}
	if (status == 0 && (!s->filename || !s->sha256 || !s->size ||
	    !s->architecture || s->filename_n > PATH_LIMIT ||
	    s->sha256_n != 2 * HASH_SIZE || s->size_n > 18))
		return err_set(e, ERR_DATA, "a package lacks Filename, Size, "
		    "SHA256 or Architecture");
	return status;
}

static int
check_package(const struct suite_check *c, const struct stanza *s,
    const char *architecture, struct err *e)
{
	char path[PATH_LIMIT + 8];
	const struct manifest_entry *f;
	uint8_t sha256[HASH_SIZE];
	uint64_t size, listed;

	snprintf(path, sizeof(path), "apt/%.*s", (int)s->filename_n,
	    s->filename);
	f = manifest_find(c->tree->manifest, path);
	if (f == NULL)
		return err_set(e, ERR_DATA, "lists '%s', which is missing",
		    path);
	if (!hash_parse(s->sha256, sha256) || !hash_equal(sha256, f->sha256))
		return err_set(e, ERR_DATA, "has a different SHA256 for '%s'",
		    path);
	if ((strlen(architecture) != s->architecture_n ||
	    memcmp(architecture, s->architecture, s->architecture_n) != 0) &&
	    (s->architecture_n != 3 || memcmp(s->architecture, "all", 3) != 0))
		return err_set(e, ERR_DATA, "lists '%s' of another "
		    "architecture", path);
	if (tree_is_known(c->tree, f))
		return 0;
	if (tree_size(c->tree, f, &size, e) < 0)
		return -1;
	if (!decimal_read(s->size, s->size_n, &listed) || listed != size)
		return err_set(e, ERR_DATA, "has a different Size for '%s'",
		    path);
	return 0;
}

/* "main/binary-amd64/Packages": amd64 */
static bool
index_architecture(const char *file, char architecture[64])
{
	const char *p = strstr(file, "/binary-"), *slash;

	if (p == NULL)
		return false;
	p += strlen("/binary-");
	slash = strchr(p, '/');
	if (slash == NULL || slash - p >= 64)
		return false;
	memcpy(architecture, p, (size_t)(slash - p));
	architecture[slash - p] = '\0';
	return true;
}

static int
check_packages(const struct suite_check *c, const char *file,
    const struct fs_map *map, struct err *e)
{
	const char *p = map->p, *end = map->p + map->n, *from, *to;
	char architecture[64];
	struct stanza s;

	if (!index_architecture(file, architecture))
		return err_set(e, ERR_DATA, "is in no binary-ARCH directory");
	while (control_next_stanza(&p, end, &from, &to))
		if (parse_stanza(from, to, &s, e) < 0 ||
		    check_package(c, &s, architecture, e) < 0)
			return -1;
	return 0;
}

static int
add_to_hash(const void *data, size_t n, void *arg)
{
	hash_add(arg, data, n);
	return 0;
}

/* Packages.gz unpacks to just the Packages that the manifest lists. */
static int
check_packed(const struct suite_check *c, const char *path,
    const struct fs_map *map, struct err *e)
{
	char *plain = mem_dupn(path, strlen(path) - strlen(".gz"));
	const struct manifest_entry *f = manifest_find(c->tree->manifest,
	    plain);
	struct hash *h = hash_open();
	uint8_t sha256[HASH_SIZE];
	int status = gunzip_whole(map->p, map->n, INDEX_LIMIT, add_to_hash, h,
	    e);

	hash_close(h, sha256);
	if (status == 0 && (f == NULL || !hash_equal(sha256, f->sha256)))
		status = err_set(e, ERR_DATA, "does not unpack to '%s'",
		    plain);
	free(plain);
	return status;
}

/* ----------------------------------------------------- Release's own list */

static int
check_by_hash(const struct suite_check *c, const char *path,
    const char *hex, struct err *e)
{
	const char *base = path_base(path);
	char *name = mem_format("%.*sby-hash/SHA256/%s", (int)(base - path),
	    path, hex);
	const struct manifest_entry *f = manifest_find(c->tree->manifest,
	    name);
	uint8_t sha256[HASH_SIZE];
	int status = 0;

	if (f == NULL || !hash_parse(hex, sha256) ||
	    !hash_equal(sha256, f->sha256))
		status = err_set(e, ERR_DATA, "is missing as '%s'", name);
	free(name);
	return status;
}

static int
check_content(const struct suite_check *c, const char *file,
    const char *path, const char *size, struct err *e)
{
	struct fs_map map;
	uint64_t listed;
	int status = tree_map_most(c->tree, path, INDEX_LIMIT, &map, e);

	if (status < 0)
		return -1;
	if (!decimal_read(size, strlen(size), &listed) || listed != map.n)
		status = err_set(e, ERR_DATA, "does not have the size that "
		    "is listed");
	else if (path_ends_with(file, "/Packages"))
		status = check_packages(c, file, &map, e);
	else if (path_ends_with(file, "/Packages.gz"))
		status = check_packed(c, path, &map, e);
	fs_unmap(&map);
	return status;
}

/* One line of Release's SHA256 field: "hash size path". */
static int
check_file(size_t i, void *arg, struct err *e)
{
	const struct suite_check *c = arg;
	char **word = &c->files.v[3 * i];
	char *path = mem_format("apt/dists/%s/%s", c->name, word[2]);
	const struct manifest_entry *f = manifest_find(c->tree->manifest,
	    path);
	uint8_t sha256[HASH_SIZE];
	int status = 0;

	if (f == NULL)
		status = err_set(e, ERR_DATA, "is missing");
	else if (strlen(word[0]) != 2 * HASH_SIZE ||
	    !hash_parse(word[0], sha256) || !hash_equal(sha256, f->sha256))
		status = err_set(e, ERR_DATA, "is not the file that Release "
		    "lists");
	if (status == 0 && c->by_hash)
		status = check_by_hash(c, path, word[0], e);
	if (status == 0)
		status = check_content(c, word[2], path, word[1], e);
	if (status < 0)
		err_wrap(e, "'%s'", path);
	free(path);
	return status;
}

/* Each architecture that Release names has its index. */
static int
check_architectures(const struct suite_check *c, const char *list,
    struct err *e)
{
	struct strv names = STRV_INIT;
	char *file;
	int status = 0;
	size_t i;

	strv_split(&names, list);
	for (i = 0; i < names.n && status == 0; i++) {
		file = mem_format("main/binary-%s/Packages", names.v[i]);
		/* apt fetches no index that is not listed plain */
		if (!strv_has(&c->files, file))
			status = err_set(e, ERR_DATA,
			    "Release does not list %s", file);
		free(file);
	}
	strv_clear(&names);
	return status;
}

static int
check_dates(const struct suite_check *c, const char *date,
    const char *valid_until, struct err *e)
{
	int64_t t;

	if (date == NULL || !date_parse_rfc1123(date, &t))
		return err_set(e, ERR_DATA, "Release has no valid Date");
	if (t > c->now + CLOCK_SLACK)
		return err_set(e, ERR_DATA, "Date is in the future: %s", date);
	if (valid_until == NULL)
		return 0;
	if (!date_parse_rfc1123(valid_until, &t))
		return err_set(e, ERR_DATA, "Release has a bad Valid-Until");
	if (t < c->now)
		return err_set(e, ERR_DATA, "expired: Valid-Until is %s",
		    valid_until);
	return 0;
}

static char *
field(const struct suite_check *c, const char *name)
{
	const struct fs_map *r = &c->apt_release;

	return control_get(r->p, r->p + r->n, name);
}

static int
check_apt_release(struct suite_check *c, struct err *e)
{
	char *suite = field(c, "Suite"), *codename = field(c, "Codename");
	char *date = field(c, "Date"), *until = field(c, "Valid-Until");
	char *files = field(c, "SHA256"), *by_hash = field(c,
	    "Acquire-By-Hash");
	char *architectures = field(c, "Architectures");
	int status = -1;

	if ((suite == NULL || strcmp(suite, c->name) != 0) &&
	    (codename == NULL || strcmp(codename, c->name) != 0))
		err_set(e, ERR_DATA, "neither Suite nor Codename is '%s'",
		    c->name);
	else if (files == NULL || architectures == NULL)
		err_set(e, ERR_DATA, "Release lacks SHA256 or Architectures");
	else
		status = check_dates(c, date, until, e);
	if (status == 0) {
		c->by_hash = by_hash != NULL && strcmp(by_hash, "yes") == 0;
		strv_split(&c->files, files);
		status = check_architectures(c, architectures, e);
	}
	if (status == 0 && c->files.n % 3 != 0)
		status = err_set(e, ERR_DATA, "the SHA256 field of Release "
		    "is damaged");
	if (status == 0)
		status = par_each(c->files.n / 3, check_file, c, e);
	free(suite);
	free(codename);
	free(date);
	free(until);
	free(files);
	free(by_hash);
	free(architectures);
	return status;
}

/* ---------------------------------------------------------- signatures */

static bool
same_but_for_newlines(const char *a, size_t n, const char *b, size_t m)
{
	while (n > 0 && a[n - 1] == '\n')
		n--;
	while (m > 0 && b[m - 1] == '\n')
		m--;
	return n == m && memcmp(a, b, n) == 0;
}

static int
check_clear(const struct suite_check *c, struct err *e)
{
	struct buf plain = BUF_INIT;
	struct fs_map message;
	char *path = mem_format("apt/dists/%s/InRelease", c->name);
	int status = tree_map_most(c->tree, path, RELEASE_LIMIT, &message, e);

	if (status == 0)
		status = pgp_verify_clear(c->trusted, message.p, message.n,
		    &plain, path, e);
	if (status == 0 && !same_but_for_newlines(buf_cstr(&plain), plain.n,
	    c->apt_release.p, c->apt_release.n))
		status = err_set(e, ERR_DATA, "'%s' is not Release", path);
	fs_unmap(&message);
	buf_clear(&plain);
	free(path);
	return status;
}

static int
check_detached(const struct suite_check *c, struct err *e)
{
	struct fs_map signature;
	char *path = mem_format("apt/dists/%s/Release.gpg", c->name);
	int status = tree_map_most(c->tree, path, SIGNATURE_LIMIT, &signature,
	    e);

	if (status == 0)
		status = pgp_verify(c->trusted, c->apt_release.p,
		    c->apt_release.n, signature.p, signature.n, path, e);
	fs_unmap(&signature);
	free(path);
	return status;
}

/* The signatures and the lists are looked at side by side. */
static int
check_part(size_t i, void *arg, struct err *e)
{
	struct suite_check *c = arg;

	switch (i) {
	case 0:
		return check_clear(c, e);
	case 1:
		return check_detached(c, e);
	default:
		return check_apt_release(c, e);
	}
}

static int
check_suite(const struct tree *t, struct pgp *trusted, int64_t now,
    const char *name, struct err *e)
{
	struct suite_check c = {.tree = t, .trusted = trusted, .now = now,
	    .name = name};
	char *path = mem_format("apt/dists/%s/Release", name);
	int status = tree_map_most(t, path, RELEASE_LIMIT, &c.apt_release, e);

	if (status == 0)
		status = par_each(3, check_part, &c, e);
	if (status < 0)
		err_wrap(e, "suite '%s'", name);
	fs_unmap(&c.apt_release);
	strv_clear(&c.files);
	free(path);
	return status;
}

int
tree_check_apt(const struct tree *t, struct pgp *trusted, int64_t now,
    struct err *e)
{
	static const char dists[] = "apt/dists/";
	struct strv suites = STRV_INIT;
	const char *path, *slash;
	char *name;
	int status = 0;
	size_t i;

	for (i = 0; i < t->manifest->n; i++) {
		path = t->manifest->v[i].path;
		if (!path_starts_with(path, dists))
			continue;
		slash = strchr(path + strlen(dists), '/');
		if (slash == NULL)
			continue;
		name = mem_dupn(path + strlen(dists),
		    (size_t)(slash - path) - strlen(dists));
		if (!strv_has(&suites, name))
			strv_add(&suites, name);
		free(name);
	}
	for (i = 0; i < suites.n && status == 0; i++)
		status = check_suite(t, trusted, now, suites.v[i], e);
	strv_clear(&suites);
	return status;
}
