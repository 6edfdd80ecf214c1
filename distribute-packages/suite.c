#include "distribute-packages/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/control.h"
#include "lib/log.h"
#include "lib/path.h"

int
suite_open(struct suite *s, const struct conf *conf, const char *name,
    struct err *e)
{
	struct strv configured = STRV_INIT;
	bool known;
	size_t i;

	conf_names(conf, "suite", &configured);
	known = strv_has(&configured, name);
	strv_clear(&configured);
	if (!known)
		return err_set(e, ERR_CONFIG, "suite '%s' is not configured: "
		    "add [suite %s] with its origin", name, name);
	s->name = name;
	s->section = mem_format("suite %s", name);
	if (conf_need(conf, s->section, "origin", e) == NULL)
		return -1;
	conf_list(conf, s->section, "architectures", &s->architectures);
	for (i = 0; i < s->architectures.n; i++)
		if (!control_is_architecture(s->architectures.v[i]) ||
		    strcmp(s->architectures.v[i], "all") == 0)
			return err_set(e, ERR_CONFIG, "[%s] architectures: "
			    "'%s' is none", s->section, s->architectures.v[i]);
	return s->architectures.n > 0 ? 0 : err_set(e, ERR_CONFIG,
	    "[%s] architectures is empty", s->section);
}

void
suite_clear(struct suite *s)
{
	size_t i;

	for (i = 0; i < s->n_maps; i++)
		fs_unmap(&s->maps[i]);
	free(s->maps);
	free(s->v);
	free(s->section);
	arena_clear(&s->strings);
	strv_clear(&s->architectures);
	strv_clear(&s->changed);
	*s = (struct suite){.name = NULL};
}

static struct pkg *
append(struct suite *s)
{
	if (s->n == s->cap) {
		s->cap = mem_grow(s->cap, s->n + 1);
		s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n] = (struct pkg){.is_new = false};
	return &s->v[s->n++];
}

bool
pkg_fits(const struct pkg *p, const char *architecture)
{
	return strcmp(p->architecture, architecture) == 0 ||
	    strcmp(p->architecture, "all") == 0;
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
	struct pkg p = {.stanza = from, .stanza_n = (size_t)(to - from)};
	bool has_hash = false;
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
			p.size = strtoull(f.value, NULL, 10);
		else if (field_is(&f, "SHA256") && f.value_n == 2 * HASH_SIZE)
			has_hash = hash_parse(f.value, p.sha256);
	}
	if (status < 0)
		return -1;
	if (!p.name || !p.version || !p.architecture || !p.path || !has_hash)
		return err_set(e, ERR_DATA, "incomplete stanza");
	*append(s) = p;
	return 0;
}

static int
read_index(struct suite *s, const struct tree *t, const char *architecture,
    struct err *e)
{
	char *path = mem_format("apt/dists/%s/main/binary-%s/Packages",
	    s->name, architecture);
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

static int
by_name(const void *a, const void *b)
{
	const struct pkg *x = a, *y = b;
	int difference = strcmp(x->name, y->name);

	if (difference == 0)
		difference = strcmp(x->architecture, y->architecture);
	if (difference == 0)
		difference = control_compare_versions(x->version, y->version);
	if (difference == 0)
		difference = strcmp(x->path, y->path);
	return difference;
}

void
suite_sort(struct suite *s)
{
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), by_name);
}

/* A package for all architectures was read once from each index. */
static void
drop_repeated(struct suite *s)
{
	size_t i, kept = 0;

	for (i = 0; i < s->n; i++)
		if (kept == 0 || strcmp(s->v[kept - 1].path, s->v[i].path) != 0)
			s->v[kept++] = s->v[i];
	s->n = kept;
}

/* Packages of an architecture that the configuration no longer has. */
static int
check_orphans(const struct suite *s, const struct tree *t, struct err *e)
{
	char *prefix = mem_format("apt/dists/%s/main/binary-", s->name);
	char *architecture;
	const char *path, *slash;
	int status = 0;
	size_t i;

	for (i = 0; i < t->manifest->n && status == 0; i++) {
		path = t->manifest->v[i].path;
		if (!path_starts_with(path, prefix) ||
		    !path_ends_with(path, "/Packages"))
			continue;
		path += strlen(prefix);
		slash = strchr(path, '/');
		architecture = mem_dupn(path, (size_t)(slash - path));
		if (!strv_has(&s->architectures, architecture))
			status = err_set(e, ERR_CONFIG, "[%s] architectures "
			    "lacks '%s', which is published", s->section,
			    architecture);
		free(architecture);
	}
	free(prefix);
	return status;
}

int
suite_read(struct suite *s, const struct tree *t, struct err *e)
{
	size_t i;

	if (check_orphans(s, t, e) < 0)
		return -1;
	s->maps = mem_zero(s->architectures.n, sizeof(*s->maps));
	for (i = 0; i < s->architectures.n; i++)
		if (read_index(s, t, s->architectures.v[i], e) < 0)
			return -1;
	suite_sort(s);
	drop_repeated(s);
	return 0;
}

/* -------------------------------------------------------------- changing */

void
suite_touch(struct suite *s, const struct pkg *p)
{
	size_t i;

	for (i = 0; i < s->architectures.n; i++)
		if (pkg_fits(p, s->architectures.v[i]) &&
		    !strv_has(&s->changed, s->architectures.v[i]))
			strv_add(&s->changed, s->architectures.v[i]);
}

void
suite_add(struct suite *s, const struct deb *d)
{
	struct pkg *p = append(s);
	char *file = deb_file_name(d), hex[HASH_HEX];
	struct arena *a = &s->strings;

	hash_hex(d->digest.sha256, hex);
	p->name = arena_dupn(a, d->package, strlen(d->package));
	p->version = arena_dupn(a, d->version, strlen(d->version));
	p->architecture = arena_dupn(a, d->architecture,
	    strlen(d->architecture));
	p->path = arena_format(a, "apt/pool/%s/main/%s", s->name, file);
	memcpy(p->sha256, d->digest.sha256, HASH_SIZE);
	p->size = d->digest.size;
	p->stanza = arena_format(a, "%sFilename: pool/%s/main/%s\n"
	    "Size: %" PRIu64 "\nSHA256: %s\n", d->control.p, s->name, file,
	    p->size, hex);
	p->stanza_n = strlen(p->stanza);
	p->is_new = true;
	suite_touch(s, p);
	free(file);
}

void
suite_drop(struct suite *s, struct pkg *p, const char *why)
{
	log_notice("- %s %s %s %s (%s)", s->name, p->name, p->version,
	    p->architecture, why);
	suite_touch(s, p);
	p->is_dropped = true;
}

void
suite_compact(struct suite *s)
{
	size_t i, kept = 0;

	for (i = 0; i < s->n; i++)
		if (!s->v[i].is_dropped)
			s->v[kept++] = s->v[i];
	s->n = kept;
}

void
index_write(const struct suite *s, const char *architecture, struct out *o)
{
	const struct pkg *p;

	for (p = s->v; p < s->v + s->n; p++) {
		if (!pkg_fits(p, architecture))
			continue;
		out_add(o, p->stanza, p->stanza_n);
		/* the last line of a file may lack its newline */
		if (p->stanza[p->stanza_n - 1] != '\n')
			out_str(o, "\n");
		out_str(o, "\n");
	}
}
