#include "distribute-packages/drops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"
#include "lib/tree/build.h"

#define PART ".part"
#define HALF_AGE ((int64_t)24 * 60 * 60)	/* seconds */

struct inbox {
	int dir;
	int64_t now;
	int64_t drop_age;	/* 0: however old they are */
	const struct strv *served;
	const char *release;
};

/* "v0.3.4.amd64-deb.x1": "v0.3.4", yours; NULL for other names. */
static char *
release_of(const char *name, bool is_half)
{
	size_t n = strlen(name) - (is_half ? strlen(PART) : 0);
	char *text = mem_dupn(name, n), *dot;
	struct build b;

	dot = strrchr(text, '.');
	if (dot != NULL && dot > text && dot[1] != '\0') {
		*dot = '\0';
		dot = strrchr(text, '.');
		if (dot != NULL && dot > text && build_parse(dot + 1, &b)) {
			*dot = '\0';
			return text;
		}
	}
	free(text);
	return NULL;
}

/*
 * What is not there any more does not count. Whoever sends a file may give it
 * any date, but none at which the inode was last changed.
 */
static int64_t
later(int64_t time, int dir, const char *name)
{
	struct stat st;
	int64_t changed;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return time;
	changed = st.st_mtim.tv_sec < st.st_ctim.tv_sec ?
	    (int64_t)st.st_mtim.tv_sec : (int64_t)st.st_ctim.tv_sec;
	return changed > time ? changed : time;
}

/* When something was last done to it; files that grow count. */
static int64_t
last_change(const struct inbox *in, const char *name, bool is_half)
{
	int64_t time = later(0, in->dir, name);
	struct strv names = STRV_INIT;
	struct err ignored = ERR_INIT;
	int dir = is_half ? fs_open_subdir(in->dir, name, &ignored) : -1;
	size_t i;

	if (dir < 0)
		return time;
	if (fs_list(dir, &names, &ignored) == 0)
		for (i = 0; i < names.n; i++)
			time = later(time, dir, names.v[i]);
	strv_clear(&names);
	close(dir);
	return time;
}

/* Why a drop can go; NULL: it stays. */
static const char *
why_remove(const struct inbox *in, const char *name)
{
	bool is_half = path_ends_with(name, PART);
	char *release = release_of(name, is_half);
	const char *why = NULL;
	int64_t age;

	if (release == NULL)
		return NULL;
	age = in->now - last_change(in, name, is_half);
	if (is_half)
		why = age > HALF_AGE ? "never completed" : NULL;
	else if (in->served != NULL && strv_has(in->served, name))
		why = "its generation is live";
	else if (in->drop_age > 0 && age > in->drop_age &&
	    strcmp(release, in->release) != 0)
		why = "older than drop-age";
	free(release);
	return why;
}

/* With it goes a try to send the same drop again, which lies beside it. */
static int
remove_drop(const struct inbox *in, const char *name, struct err *e)
{
	char *part = mem_format("%s" PART, name);
	int status = fs_remove_tree(in->dir, part, e);

	free(part);
	return status < 0 ? -1 : fs_remove_tree(in->dir, name, e);
}

static void
tidy(const struct inbox *in, const char *name, bool is_dry_run)
{
	const char *why = why_remove(in, name);
	struct err e = ERR_INIT;

	if (why == NULL)
		return;
	if (is_dry_run)
		log_notice("dry run: would remove drop %s (%s)", name, why);
	else if (remove_drop(in, name, &e) < 0)
		log_warning("cannot remove drop '%s' (%s): %s", name, why,
		    e.text);
	else
		log_notice("removed drop %s (%s)", name, why);
}

void
drops_tidy(const struct conf *conf, const struct strv *served,
    const char *release, bool is_dry_run)
{
	char *path = conf_path(conf, "repository", "inbox");
	struct inbox in = {.now = (int64_t)time(NULL), .served = served,
	    .release = release};
	struct strv names = STRV_INIT;
	struct err e = ERR_INIT;
	size_t i;

	in.drop_age = conf_duration(conf, "repository", "drop-age");
	in.dir = fs_open_dir(path, &e);
	free(path);
	/* packages may come from directories alone */
	if (in.dir < 0)
		return;
	if (!is_dry_run && fs_remove_leftovers(in.dir, "", &e) < 0)
		log_warning("[repository] inbox: %s", e.text);
	if (fs_list(in.dir, &names, &e) == 0)
		for (i = 0; i < names.n; i++)
			tidy(&in, names.v[i], is_dry_run);
	strv_clear(&names);
	close(in.dir);
}
