#include "lib/drop/drop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/sys/fs.h"

#define PART ".part"

/* The part of name after "prefix.", if it is one word without a dot. */
static const char *
unique_part(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(name, prefix, n) != 0 || name[n] != '.' ||
	    name[n + 1] == '\0' || strchr(name + n + 1, '.') != NULL)
		return NULL;
	return name + n + 1;
}

/* 1, 0, or -1: what cannot be looked at may be complete. */
static int
is_complete(int inbox, const char *name, struct err *e)
{
	char *sums;
	struct stat st;
	int status;

	if (path_ends_with(name, PART) || !path_is_name(name))
		return 0;
	if (fstatat(inbox, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at drop '%s'",
		    name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	sums = mem_format("%s/" MANIFEST_NAME, name);
	status = fs_exists(inbox, sums, e);
	free(sums);
	return status;
}

/* Of its SHA256SUMS, which says all that is in it. */
static int
hash_content(int inbox, const char *name, uint8_t sha256[HASH_SIZE],
    struct err *e)
{
	struct buf text = BUF_INIT;
	char *sums = mem_format("%s/" MANIFEST_NAME, name);
	int status = fs_read(inbox, sums, MANIFEST_DROP_LIMIT, &text, e);

	if (status == 0)
		hash_data(text.p, text.n, sha256);
	buf_clear(&text);
	free(sums);
	return status;
}

/* 1 where both have the same files, -1 where nobody can tell which counts. */
static int
compare(int inbox, const char *a, const char *b, const char *build,
    struct err *e)
{
	uint8_t of_a[HASH_SIZE], of_b[HASH_SIZE];

	if (hash_content(inbox, a, of_a, e) < 0 ||
	    hash_content(inbox, b, of_b, e) < 0)
		return -1;
	return hash_equal(of_a, of_b) ? 1 : err_set(e, ERR_DATA, "build %s "
	    "has two drops with other packages, '%s' and '%s': remove one, or "
	    "name one with --drop", build, a, b);
}

/* The one of this build that the user has named. */
static const char *
find_named(const struct strv *named, const char *prefix)
{
	size_t i;

	for (i = 0; i < named->n; i++)
		if (unique_part(named->v[i], prefix) != NULL)
			return named->v[i];
	return NULL;
}

/* Nobody's date decides: who sends a drop may give it any. */
static int
find_only(int inbox, const char *prefix, const char *build, char **found,
    struct err *e)
{
	struct strv names = STRV_INIT;
	int status = fs_list(inbox, &names, e);
	size_t i;

	for (i = 0; i < names.n && status >= 0; i++) {
		if (unique_part(names.v[i], prefix) == NULL)
			continue;
		status = is_complete(inbox, names.v[i], e);
		if (status <= 0)
			continue;
		if (*found != NULL)
			status = compare(inbox, *found, names.v[i], build, e);
		else
			*found = mem_dup(names.v[i]);
	}
	strv_clear(&names);
	return status;
}

char *
drop_find_packages(int inbox, const char *release, const char *build,
    const struct strv *named, struct err *e)
{
	char *prefix = mem_format("%s.%s", release, build), *found = NULL;
	const char *name = find_named(named, prefix);
	int status;

	if (name != NULL) {
		status = is_complete(inbox, name, e);
		if (status > 0)
			found = mem_dup(name);
	} else {
		status = find_only(inbox, prefix, build, &found, e);
	}
	if (status < 0) {
		free(found);
		found = NULL;
	}
	free(prefix);
	return found;
}

static int
check_listed(int dir, const struct manifest *m, struct err *e)
{
	struct strv names = STRV_INIT;
	int status = fs_list(dir, &names, e);
	size_t i;

	for (i = 0; i < names.n && status == 0; i++)
		if (strcmp(names.v[i], MANIFEST_NAME) != 0 &&
		    manifest_find(m, names.v[i]) == NULL)
			status = err_set(e, ERR_DATA, "'%s' is not in its "
			    MANIFEST_NAME, names.v[i]);
	strv_clear(&names);
	return status;
}

int
drop_open_packages(int inbox, const char *name, struct manifest *m,
    struct err *e)
{
	struct buf text = BUF_INIT;
	int dir = fs_open_subdir(inbox, name, e);

	if (dir < 0)
		return -1;
	if (fs_read(dir, MANIFEST_NAME, MANIFEST_DROP_LIMIT, &text, e) < 0 ||
	    manifest_parse(m, buf_cstr(&text), text.n, false, MANIFEST_NAME,
	    e) < 0 || check_listed(dir, m, e) < 0) {
		err_wrap(e, "drop '%s'", name);
		close(dir);
		dir = -1;
	}
	buf_clear(&text);
	return dir;
}

/* "generation.7.x1": 7; 0 for anything else. */
static uint64_t
generation_serial(const char *name)
{
	static const char prefix[] = "generation.";
	const char *number, *dot;
	uint64_t serial;

	if (!path_starts_with(name, prefix))
		return 0;
	number = name + strlen(prefix);
	dot = strchr(number, '.');
	if (dot == NULL || dot[1] == '\0' || strchr(dot + 1, '.') != NULL ||
	    !decimal_read(number, (size_t)(dot - number), &serial))
		return 0;
	return serial;
}

static int
by_serial(const void *a, const void *b)
{
	const struct drop *x = a, *y = b;

	if (x->serial != y->serial)
		return x->serial < y->serial ? -1 : 1;
	return strcmp(x->name, y->name);
}

int
drop_list_generations(int inbox, struct drop **drops, size_t *n,
    struct err *e)
{
	struct strv names = STRV_INIT;
	int status = fs_list(inbox, &names, e);
	uint64_t serial;
	size_t i;

	*drops = NULL;
	*n = 0;
	for (i = 0; i < names.n && status >= 0; i++) {
		serial = generation_serial(names.v[i]);
		if (serial == 0)
			continue;
		status = is_complete(inbox, names.v[i], e);
		if (status <= 0)
			continue;
		*drops = mem_resize(*drops, *n + 1, sizeof(**drops));
		(*drops)[*n].serial = serial;
		(*drops)[*n].name = mem_dup(names.v[i]);
		++*n;
	}
	strv_clear(&names);
	if (*n > 1)
		qsort(*drops, *n, sizeof(**drops), by_serial);
	return status < 0 ? -1 : 0;
}

void
drop_list_free(struct drop *drops, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(drops[i].name);
	free(drops);
}
