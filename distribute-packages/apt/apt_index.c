#include "distribute-packages/apt/apt_index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/deb/control.h"

char *
apt_index_path(const struct suite *s, const char *architecture,
    const char *name)
{
	return mem_format("apt/dists/%s/main/binary-%s/%s", s->name,
	    architecture, name);
}

char *
apt_pool_path(const struct suite *s, const struct deb *d)
{
	char *file = deb_file_name(d);
	char *path = mem_format("apt/pool/%s/main/%s", s->name, file);

	free(file);
	return path;
}

/* --------------------------------------------------------------- reading */

static const char *
keep_value(struct suite *s, const struct field *f)
{
	return arena_dupn(&s->strings, f->value, f->value_n);
}

static int
read_stanza(struct suite *s, const char *from, const char *to, struct err *e)
{
	struct pkg p = {.format = FORMAT_DEB,
	    .entries = {{from, (size_t)(to - from)}}};
	bool has_hash = false, has_size = false;
	struct field f;
	int status;

	while ((status = control_next(&from, to, &f, e)) > 0) {
		if (field_is(&f, "Package"))
			p.name = keep_value(s, &f);
		else if (field_is(&f, "Version"))
			p.version = keep_value(s, &f);
		else if (field_is(&f, "Architecture"))
			p.architecture = keep_value(s, &f);
		else if (field_is(&f, "Filename"))
			p.path = arena_format(&s->strings, "apt/%.*s",
			    (int)f.value_n, f.value);
		else if (field_is(&f, "Size"))
			has_size = decimal_read(f.value, f.value_n, &p.size);
		else if (field_is(&f, "SHA256") && f.value_n == 2 * HASH_SIZE)
			has_hash = hash_parse(f.value, p.sha256);
	}
	if (status < 0)
		return -1;
	if (!p.name || !p.version || !p.architecture || !p.path ||
	    !has_size || !has_hash)
		return err_set(e, ERR_DATA, "a stanza lacks Package, "
		    "Version, Architecture, Filename, Size or SHA256");
	*suite_append(s) = p;
	return 0;
}

static int
read_index(struct suite *s, const struct tree *t, const char *architecture,
    struct err *e)
{
	char *path = apt_index_path(s, architecture, "Packages");
	struct fs_map *map = &s->maps[s->n_maps];
	const char *p, *end, *from, *to;
	int status = 0;

	if (manifest_find(t->manifest, path) == NULL)
		goto out;	/* an architecture that is new */
	status = tree_map(t, path, map, e);
	if (status < 0)
		goto out;
	s->n_maps++;
	for (p = map->p, end = p + map->n; status == 0 &&
	    control_next_stanza(&p, end, &from, &to);)
		status = read_stanza(s, from, to, e);
	if (status < 0)
		err_wrap(e, "'%s'", path);
out:
	free(path);
	return status;
}

/* Packages of an architecture that the configuration no longer has. */
static int
check_orphans(const struct suite *s, const struct tree *t, struct err *e)
{
	char *prefix = mem_format("apt/dists/%s/main/binary-", s->name);
	char *architecture;
	int status = 0;
	size_t i;

	for (i = 0; i < t->manifest->n && status == 0; i++) {
		architecture = suite_component(t->manifest->v[i].path, prefix,
		    "/Packages");
		if (architecture != NULL &&
		    !strv_has(&s->architectures, architecture))
			status = err_set(e, ERR_CONFIG, "[%s] architectures "
			    "lacks '%s', which is published", s->section,
			    architecture);
		free(architecture);
	}
	free(prefix);
	return status;
}

int
apt_index_read(struct suite *s, const struct tree *t, struct err *e)
{
	char *path = mem_format("apt/dists/%s/Release", s->name);
	size_t i;

	s->has_apt |= manifest_find(t->manifest, path) != NULL;
	free(path);
	if (check_orphans(s, t, e) < 0)
		return -1;
	s->maps = mem_zero(s->architectures.n, sizeof(*s->maps));
	for (i = 0; i < s->architectures.n; i++)
		if (read_index(s, t, s->architectures.v[i], e) < 0)
			return -1;
	return 0;
}

/* -------------------------------------------------------- adding, writing */

void
apt_index_add(struct suite *s, const struct deb *d)
{
	struct pkg *p = suite_append(s);
	char *path = apt_pool_path(s, d), hex[HASH_HEX];
	struct arena *a = &s->strings;

	hash_hex(d->digest.sha256, hex);
	p->format = FORMAT_DEB;
	p->name = arena_dupn(a, d->package, strlen(d->package));
	p->version = arena_dupn(a, d->version, strlen(d->version));
	p->architecture = arena_dupn(a, d->architecture,
	    strlen(d->architecture));
	p->path = arena_dupn(a, path, strlen(path));
	memcpy(p->sha256, d->digest.sha256, HASH_SIZE);
	memcpy(p->content, d->digest.sha256, HASH_SIZE);
	p->size = d->digest.size;
	p->entries[0].p = arena_format(a, "%sFilename: %s\n"
	    "Size: %" PRIu64 "\nSHA256: %s\n", d->control.p,
	    path + strlen("apt/"), p->size, hex);
	p->entries[0].n = strlen(p->entries[0].p);
	p->is_new = true;
	s->has_apt = true;
	suite_touch(s, p);
	free(path);
}

void
apt_index_write(const struct suite *s, const char *architecture,
    struct out *o)
{
	const struct span *stanza;
	const struct pkg *p;

	for (p = s->v; p < s->v + s->n; p++) {
		if (!pkg_fits(p, architecture))
			continue;
		stanza = &p->entries[0];
		out_add(o, stanza->p, stanza->n);
		/* the last line of a file may lack its newline */
		if (stanza->p[stanza->n - 1] != '\n')
			out_str(o, "\n");
		out_str(o, "\n");
	}
}
