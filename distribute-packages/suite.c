#include "distribute-packages/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/path.h"
#include "lib/deb/control.h"
#include "lib/rpm/rpm.h"
#include "lib/sys/log.h"

/* Which formats the configured builds bring. */
static int
read_builds(struct suite *s, const struct conf *conf, struct err *e)
{
	struct strv builds = STRV_INIT;
	struct build b;
	int status = 0;
	size_t i;

	conf_list(conf, "release", "builds", &builds);
	for (i = 0; i < builds.n && status == 0; i++) {
		if (!build_parse(builds.v[i], &b))
			status = err_set(e, ERR_CONFIG, "[release] builds: "
			    "'%s' is none: ARCHITECTURE-deb or "
			    "ARCHITECTURE-rpm", builds.v[i]);
		else if (b.format == FORMAT_DEB)
			s->has_apt = true;
		else if (strv_has(&s->architectures, b.architecture))
			strv_add(&s->rpm_builds,
			    build_to_rpm(b.architecture));
	}
	strv_clear(&builds);
	return status;
}

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
	if (s->architectures.n == 0)
		return err_set(e, ERR_CONFIG, "[%s] architectures is empty",
		    s->section);
	return read_builds(s, conf, e);
}

void
suite_clear(struct suite *s)
{
	size_t i;

	for (i = 0; i < s->n_maps; i++)
		fs_unmap(&s->maps[i]);
	for (i = 0; i < s->n_texts; i++)
		buf_clear(&s->texts[i]);
	for (i = 0; i < s->n_repositories; i++) {
		free(s->repositories[i].basearch);
		free(s->repositories[i].dir);
	}
	free(s->maps);
	free(s->texts);
	free(s->repositories);
	free(s->v);
	free(s->section);
	arena_clear(&s->strings);
	strv_clear(&s->architectures);
	strv_clear(&s->rpm_builds);
	strv_clear(&s->changed);
	*s = (struct suite){.name = NULL};
}

struct pkg *
suite_append(struct suite *s)
{
	if (s->n == s->cap) {
		s->cap = mem_grow(s->cap, s->n + 1);
		s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n] = (struct pkg){.is_new = false};
	return &s->v[s->n++];
}

struct rpm_repository *
suite_repository(struct suite *s, const char *basearch)
{
	struct rpm_repository *r;
	size_t i;

	for (i = 0; i < s->n_repositories; i++)
		if (strcmp(s->repositories[i].basearch, basearch) == 0)
			return &s->repositories[i];
	s->repositories = mem_resize(s->repositories, s->n_repositories + 1,
	    sizeof(*s->repositories));
	r = &s->repositories[s->n_repositories++];
	*r = (struct rpm_repository){.basearch = mem_dup(basearch),
	    .dir = mem_format("rpm/%s/%s", s->name, basearch)};
	return r;
}

char *
suite_component(const char *path, const char *prefix, const char *suffix)
{
	const char *slash;

	if (!path_starts_with(path, prefix) || !path_ends_with(path, suffix))
		return NULL;
	path += strlen(prefix);
	slash = strchr(path, '/');
	return slash ? mem_dupn(path, (size_t)(slash - path)) : NULL;
}

/* --------------------------------------------------------------- reading */

/* The format, the repository, the name, the architecture. */
static int
compare_packages(const struct pkg *x, const struct pkg *y)
{
	int difference = (int)x->format - (int)y->format;

	if (difference == 0 && x->format == FORMAT_RPM)
		difference = strcmp(x->basearch, y->basearch);
	if (difference == 0)
		difference = strcmp(x->name, y->name);
	if (difference == 0)
		difference = strcmp(x->architecture, y->architecture);
	return difference;
}

bool
pkg_is_same(const struct pkg *a, const struct pkg *b)
{
	return compare_packages(a, b) == 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct pkg *x = a, *y = b;
	int difference = compare_packages(x, y);

	if (difference == 0 && x->format == FORMAT_RPM)
		difference = rpm_compare_evr(x->version, y->version);
	else if (difference == 0)
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

int
suite_read(struct suite *s, const struct tree *t, struct err *e)
{
	if (apt_index_read(s, t, e) < 0 || rpm_index_read(s, t, e) < 0)
		return -1;
	suite_sort(s);
	drop_repeated(s);
	return 0;
}

/* -------------------------------------------------------------- changing */

/* The indexes that the package stands in will be written anew. */
static void
touch(struct suite *s, const struct pkg *p)
{
	size_t i;

	if (p->format == FORMAT_RPM)
		suite_repository(s, p->basearch)->is_changed = true;
	for (i = 0; i < s->architectures.n; i++)
		if (pkg_fits(p, s->architectures.v[i]) &&
		    !strv_has(&s->changed, s->architectures.v[i]))
			strv_add(&s->changed, s->architectures.v[i]);
}

void
suite_touch_all(struct suite *s)
{
	size_t i;

	for (i = 0; i < s->architectures.n; i++)
		if (!strv_has(&s->changed, s->architectures.v[i]))
			strv_add(&s->changed, s->architectures.v[i]);
	for (i = 0; i < s->n_repositories; i++)
		s->repositories[i].is_changed = true;
}

char *
suite_deb_path(const struct suite *s, const struct deb *d)
{
	char *file = deb_file_name(d);
	char *path = mem_format("apt/pool/%s/main/%s", s->name, file);

	free(file);
	return path;
}

void
suite_add_deb(struct suite *s, const struct deb *d)
{
	struct pkg *p = suite_append(s);
	char *path = suite_deb_path(s, d), hex[HASH_HEX];
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
	touch(s, p);
	free(path);
}

char *
suite_rpm_path(const struct suite *s, const char *basearch, const char *file)
{
	return mem_format("rpm/%s/%s/%s", s->name, basearch, file);
}

void
suite_basearches(const struct suite *s, const char *arch,
    struct strv *basearches)
{
	size_t i;

	if (strcmp(arch, "noarch") != 0) {
		strv_add(basearches, arch);
		return;
	}
	for (i = 0; i < s->rpm_builds.n; i++)
		if (!strv_has(basearches, s->rpm_builds.v[i]))
			strv_add(basearches, s->rpm_builds.v[i]);
	for (i = 0; i < s->n_repositories; i++)
		if (!strv_has(basearches, s->repositories[i].basearch))
			strv_add(basearches, s->repositories[i].basearch);
}

void
suite_add_rpm(struct suite *s, const struct signed_rpm *r,
    const char *basearch)
{
	struct pkg *p = suite_append(s);
	char *path = suite_rpm_path(s, basearch, r->file);
	struct arena *a = &s->strings;

	p->format = FORMAT_RPM;
	p->name = arena_dupn(a, r->name, strlen(r->name));
	p->version = arena_dupn(a, r->evr, strlen(r->evr));
	p->architecture = arena_dupn(a, r->arch, strlen(r->arch));
	p->basearch = arena_dupn(a, basearch, strlen(basearch));
	p->path = arena_dupn(a, path, strlen(path));
	memcpy(p->content, r->content, HASH_SIZE);
	p->is_new = true;
	suite_set_signed(s, p, r);
	free(path);
}

void
suite_set_signed(struct suite *s, struct pkg *p, const struct signed_rpm *r)
{
	size_t list, n;

	memcpy(p->sha256, r->digest.sha256, HASH_SIZE);
	p->size = r->digest.size;
	for (list = 0; list < RPM_LISTS; list++) {
		/* the newline at its end is index_rpm.c's */
		n = r->entries[list].n > 0 ? r->entries[list].n - 1 : 0;
		p->entries[list].p = arena_dupn(&s->strings,
		    buf_cstr(&r->entries[list]), n);
		p->entries[list].n = n;
	}
	touch(s, p);
}

void
suite_drop(struct suite *s, struct pkg *p, const char *why)
{
	log_notice("- %s %s %s %s (%s)", s->name, p->name, p->version,
	    p->architecture, why);
	touch(s, p);
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

