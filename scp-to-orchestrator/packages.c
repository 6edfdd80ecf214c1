#include "scp-to-orchestrator/packages.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/fs.h"
#include "lib/sys/par.h"
#include "lib/sys/tally.h"

#define PACKAGES "target/packages"

/* ------------------------------------------------------------ finding them */

static void
add(struct packages *c, const char *path)
{
	struct found *f;

	c->v = mem_resize(c->v, c->n + 1, sizeof(*c->v));
	f = &c->v[c->n++];
	*f = (struct found){.path = mem_dup(path)};
	f->name = path_base(f->path);
}

struct walk {
	struct packages *c;
	const char *top;
};

static int
visit(const char *path, const struct stat *st, void *arg, struct err *e)
{
	struct walk *w = arg;
	char *full;

	if (!S_ISREG(st->st_mode) || (!path_ends_with(path, ".deb") &&
	    !path_ends_with(path, ".rpm")))
		return err_set(e, ERR_DATA, "'%s/%s' is not a package: remove "
		    "it, or name the files to be sent",
		    w->top, path);
	full = mem_format("%s/%s", w->top, path);
	add(w->c, full);
	free(full);
	return 0;
}

static int
add_directory(struct packages *c, const char *path, struct err *e)
{
	struct walk w = {c, path};
	size_t before = c->n;
	int dir = fs_open_dir(path, e), status;

	if (dir < 0)
		return -1;
	status = fs_walk(dir, visit, &w, e);
	close(dir);
	if (status == 0 && c->n == before)
		return err_set(e, ERR_MISSING, "no packages in '%s'", path);
	return status;
}

static int
add_path(struct packages *c, const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "look for packages in '%s'", path);
	if (S_ISDIR(st.st_mode))
		return add_directory(c, path, e);
	add(c, path);
	return 0;
}

static int
add_listed(struct packages *c, struct err *e)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int status = 0;

	while (status == 0 && (n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (line[0] != '\0')
			status = add_path(c, line, e);
	}
	if (status == 0)
		status = cleanup_check(e);
	if (status == 0 && ferror(stdin))
		status = err_sys(e, "read names from standard input");
	free(line);
	return status;
}

static int
find(struct packages *c, char **args, size_t n_args, struct err *e)
{
	const char *project = getenv("CI_PROJECT_DIR");
	char *path;
	size_t i;
	int status = 0;

	if (n_args == 0) {
		path = project != NULL && *project != '\0' ?
		    mem_format("%s/" PACKAGES, project) : mem_dup(PACKAGES);
		status = add_path(c, path, e);
		free(path);
	}
	for (i = 0; i < n_args && status == 0; i++)
		status = strcmp(args[i], "-") == 0 ? add_listed(c, e) :
		    add_path(c, args[i], e);
	if (status == 0 && c->n == 0)
		status = err_set(e, ERR_MISSING, "no packages were named");
	return status;
}

/* ------------------------------------------------------------ reading them */

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int
found_open(const struct found *f, struct err *e)
{
	struct stat st;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_sys(e, "open '%s'", f->path);
	if (fstat(fd, &st) == 0 && is_same(&st, &f->st))
		return fd;
	close(fd);
	return err_set(e, ERR_DATA, "'%s' has changed since it was read",
	    f->path);
}

/* What a file's name says after the version is no more of the version. */
static bool
ends_version(const char *p)
{
	return *p == '-' || *p == '_' ||
	    (*p == '.' && !isdigit((unsigned char)p[1]));
}

/*
 * "veilid-cli-0.3.4_amd64.deb" is veilid-cli 0.3.4 of amd64: one that was
 * renamed to another would pass for it among people.
 */
static bool
is_named_so(const char *file, const struct package_claim *claim)
{
	const char *version = strchr(claim->version, ':'), *named;
	size_t n = strlen(claim->name);
	char *stem;
	bool is_other;

	version = version ? version + 1 : claim->version;
	if (strncmp(file, claim->name, n) != 0 ||
	    (file[n] != '-' && file[n] != '_') ||
	    !path_starts_with(file + n + 1, version) ||
	    !ends_version(file + n + 1 + strlen(version)))
		return false;
	stem = mem_dupn(file, strlen(file) - strlen(".deb"));
	named = build_at_end(stem);
	is_other = named != NULL && (claim->architecture == NULL ||
	    strcmp(named, claim->architecture) != 0);
	free(stem);
	return !is_other;
}

static int
read_one(size_t i, void *arg, struct err *e)
{
	struct packages *c = arg;
	struct found *f = &c->v[i];
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status;

	if (fd < 0)
		return err_sys(e, "open '%s'", f->path);
	if (fstat(fd, &f->st) < 0 || !S_ISREG(f->st.st_mode)) {
		close(fd);
		return err_set(e, ERR_DATA, "'%s' is not a regular file",
		    f->path);
	}
	status = package_check_file(fd, &c->rules, e);
	if (status < 0)
		err_wrap(e, "'%s'", f->path);
	else
		status = package_read(fd, f->path, &f->package, e);
	close(fd);
	if (status < 0)
		return -1;
	if (!path_is_name(f->name))
		return err_set(e, ERR_DATA, "'%s': the name of a package may "
		    "have neither blanks nor special characters", f->path);
	if (!is_named_so(f->name, &f->package.claim))
		return err_set(e, ERR_DATA, "'%s' contains %s %s of %s, but "
		    "its name does not match", f->path, f->package.claim.name,
		    f->package.claim.version, f->package.claim.architecture ?
		    f->package.claim.architecture : "all architectures");
	return 0;
}

/* --------------------------------------------------------------- judging */

/* Format and architecture of the packages; they must agree. */
static int
settle_build(struct packages *c, struct err *e)
{
	const struct package_claim *claim;
	const char *said_by = NULL;
	char build[BUILD_NAME];
	size_t i;

	for (i = 0; i < c->n; i++) {
		claim = &c->v[i].package.claim;
		if (claim->architecture == NULL)
			continue;
		snprintf(build, sizeof(build), "%s-%s", claim->architecture,
		    format_name(claim->format));
		if (said_by == NULL && c->build[0] == '\0')
			memcpy(c->build, build, sizeof(build));
		else if (said_by != NULL && strcmp(c->build, build) != 0)
			return err_set(e, ERR_DATA, "'%s' is of build %s, but "
			    "'%s' is of %s: send one build at a time", said_by,
			    c->build, c->v[i].path, build);
		if (said_by == NULL && strcmp(c->build, build) == 0)
			said_by = c->v[i].path;
	}
	if (c->build[0] == '\0')
		return err_set(e, ERR_USAGE, "all packages are for all "
		    "architectures: name the build with -b");
	return 0;
}

static int
judge(struct packages *c, struct err *e)
{
	struct tally failed = TALLY_INIT;
	struct build build;
	struct err one;
	size_t i;

	if (!build_parse(c->build, &build))
		return err_set(e, ERR_USAGE, "'%s' is not a build: write an "
		    "architecture and a format, like amd64-deb", c->build);
	for (i = 0; i < c->n; i++) {
		one = (struct err)ERR_INIT;
		if (package_judge(&c->v[i].package.claim, &c->rules, &build,
		    &one) == 0)
			continue;
		err_wrap(&one, "'%s'", c->v[i].path);
		tally_add(&failed, &one);
	}
	return tally_end(&failed, "packages", e);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->name,
	    ((const struct found *)b)->name);
}

static bool
is_same_package(const struct package_claim *a, const struct package_claim *b)
{
	const char *x = a->architecture ? a->architecture : "";
	const char *y = b->architecture ? b->architecture : "";

	return strcmp(a->name, b->name) == 0 && strcmp(x, y) == 0 &&
	    a->format == b->format;
}

/* A build has each package once. */
static int
check_doubles(struct packages *c, struct err *e)
{
	size_t i, k;

	qsort(c->v, c->n, sizeof(*c->v), by_name);
	for (i = 0; i < c->n; i++)
		for (k = 0; k < i; k++)
			if (strcmp(c->v[i].name, c->v[k].name) == 0 ||
			    is_same_package(&c->v[i].package.claim,
			    &c->v[k].package.claim))
				return err_set(e, ERR_DATA, "'%s' and '%s' are "
				    "the same package", c->v[k].path,
				    c->v[i].path);
	return 0;
}

int
packages_read(struct packages *c, const struct conf *conf, char **args,
    size_t n_args, const char *release, const char *build, bool may_be_older,
    struct err *e)
{
	*c = (struct packages){.conf = conf};
	if (build != NULL)
		snprintf(c->build, sizeof(c->build), "%s", build);
	if (package_rules_read(&c->rules, conf, release, e) < 0)
		return -1;
	c->rules.may_be_older = may_be_older;
	if (find(c, args, n_args, e) < 0 ||
	    par_each(c->n, read_one, c, e) < 0 ||
	    settle_build(c, e) < 0 || judge(c, e) < 0)
		return -1;
	return check_doubles(c, e);
}

void
packages_clear(struct packages *c)
{
	while (c->n > 0) {
		c->n--;
		free(c->v[c->n].path);
		package_clear(&c->v[c->n].package);
	}
	free(c->v);
	package_rules_clear(&c->rules);
	*c = (struct packages){.conf = NULL};
}
