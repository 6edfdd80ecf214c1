#include "lib/frame/libraries.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/fs.h"
#include "lib/sys/run.h"

#define STATUS "/var/lib/dpkg/status"	/* dpkg's list of packages */
#define STATUS_LIMIT ((size_t)64 << 20)	/* bytes; a usual one has 2 MiB */
#define DPKG_SECONDS 10

static const struct least {
	const char *release;
	const char *build;
	const char *package;
	const char *version;
	const char *why;
} leasts[] = {
#define LEAST(release, build, package, version, why) \
	{release, build, package, version, why},
#include "lib/frame/libraries.def"
#undef LEAST
};

/* What Debian 13 has renamed for its 64-bit time is found by the old name. */
static const char *const shown[] = {"gnupg", "gpg", "libarchive13", "libcjson1",
    "libcurl4", "libgpgme11", "libinih1", "libseccomp2", "libssh-4", "libssl3",
    "zlib1g"};

static const char *
name_of(const char *package)
{
	size_t i, n;

	for (i = 0; i < COUNT(shown); i++) {
		n = strlen(shown[i]);
		if (strncmp(package, shown[i], n) == 0 &&
		    (package[n] == '\0' || strcmp(package + n, "t64") == 0))
			return shown[i];
	}
	return NULL;
}

static bool
is_older(const char *version, const char *than)
{
	const char *const argv[] = {"dpkg", "--compare-versions", version,
	    "lt", than, NULL};
	struct err no = ERR_INIT;

	return run_wait(argv, DPKG_SECONDS, NULL, &no) == 0;
}

static void
print_one(const char *name, const char *version, const char *release)
{
	size_t i;

	printf("%s %s", name, version);
	for (i = 0; i < COUNT(leasts); i++)
		if (strcmp(leasts[i].release, release) == 0 &&
		    strcmp(leasts[i].package, name) == 0 &&
		    is_older(version, leasts[i].version))
			printf(" (too old: %s mends %s)", leasts[i].version,
			    leasts[i].why);
	putchar('\n');
}

/* Fields of dpkg's stanzas: the name and the state come before the version. */
static void
print_all(char *text, const char *release)
{
	const char *name = NULL;
	bool is_installed = false;
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (path_starts_with(line, "Package: ")) {
			name = name_of(line + strlen("Package: "));
			is_installed = false;
		} else if (strcmp(line, "Status: install ok installed") == 0) {
			is_installed = true;
		} else if (path_starts_with(line, "Version: ") &&
		    name != NULL && is_installed) {
			print_one(name, line + strlen("Version: "), release);
			name = NULL;
		}
	}
}

static int
read_if_there(const char *path, struct buf *text, struct err *e)
{
	if (fs_read_path(path, STATUS_LIMIT, text, e) == 0)
		return 0;
	if (e->kind != ERR_MISSING)
		return -1;
	*e = (struct err)ERR_INIT;
	return 0;
}

int
libraries_print(struct err *e)
{
	struct buf os = BUF_INIT, status = BUF_INIT;
	int result = -1;

	if (read_if_there("/usr/lib/os-release", &os, e) == 0 &&
	    read_if_there(STATUS, &status, e) == 0) {
		buf_cstr(&status);
		if (status.n > 0)
			print_all(status.p, strstr(buf_cstr(&os),
			    "\nVERSION_ID=\"12\"") != NULL ? "12" : "13");
		result = 0;
	}
	buf_clear(&os);
	buf_clear(&status);
	return result;
}
