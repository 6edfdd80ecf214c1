#include "distribute-packages/suite.h"

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
			    "'%s' is not a build: write ARCHITECTURE-deb "
			    "or ARCHITECTURE-rpm", builds.v[i]);
		else if (build_debian_word(b.architecture) != NULL)
			status = err_set(e, ERR_CONFIG, "[release] builds: "
			    "'%s' is not a build: write %s-%s", builds.v[i],
			    build_debian_word(b.architecture),
			    format_name(b.format));
		else if (b.format == FORMAT_DEB)
			s->has_apt = true;
		else if (strv_has(&s->architectures, b.architecture))
			strv_add(&s->rpm_builds,
			    build_to_rpm(b.architecture));
	}
	strv_clear(&builds);
	return status;
}

/* Packages for all machines are in every list: "all" is none of a suite. */
static int
check_architecture(const char *section, const char *word, struct err *e)
{
	const char *right = build_debian_word(word);
	bool is_all = strcmp(right ? right : word, "all") == 0;

	if (!is_all && right == NULL && control_is_architecture(word))
		return 0;
	if (is_all)
		return err_set(e, ERR_CONFIG, "[%s] architectures: '%s' is not "
		    "an architecture: leave it out, packages for all machines "
		    "are published for each", section, word);
	return err_set(e, ERR_CONFIG, "[%s] architectures: '%s' is not an "
	    "architecture of Debian's%s%s", section, word,
	    right ? ": write " : "", right ? right : "");
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
		if (check_architecture(s->section, s->architectures.v[i],
		    e) < 0)
			return -1;
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
suite_of_path(const char *path)
{
	const char *slash;

	if (path_starts_with(path, "apt/dists/"))
		path += strlen("apt/dists/");
	else if (path_starts_with(path, "apt/pool/"))
		path += strlen("apt/pool/");
	else if (path_starts_with(path, "rpm/"))
		path += strlen("rpm/");
	else
		return NULL;
	slash = strchr(path, '/');
	return slash ? mem_dupn(path, (size_t)(slash - path)) : NULL;
}

void
suite_names(const struct manifest *m, struct strv *names)
{
	char *name;
	size_t i;

	for (i = 0; i < m->n; i++) {
		name = suite_of_path(m->v[i].path);
		if (name != NULL && !strv_has(names, name))
			strv_add(names, name);
		free(name);
	}
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

/* --------------------------------------------------------------- sorting */

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
pkg_fits(const struct pkg *p, const char *architecture)
{
	if (p->format != FORMAT_DEB)
		return false;
	return strcmp(p->architecture, architecture) == 0 ||
	    strcmp(p->architecture, "all") == 0;
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

/* -------------------------------------------------------------- changing */

void
suite_touch(struct suite *s, const struct pkg *p)
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
