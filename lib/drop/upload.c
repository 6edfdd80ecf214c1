#include "lib/drop/upload.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/data/hash.h"
#include "lib/drop/lines.h"
#include "lib/ssh/files.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define PART ".part"
#define TRIES 3
#define PAUSE_MS 2000
#define DEPTH 32	/* of directories that are removed */

/* One drop on its way. */
struct sending {
	struct upload *u;
	char *part;		/* "incoming/x.part" */
	char *final;
	bool look_first;	/* something may be there */
	unsigned round_trip;	/* microseconds, at most */
};

void
upload_unique(const void *sums, size_t n, char unique[UPLOAD_UNIQUE])
{
	uint8_t sha256[HASH_SIZE];
	char hex[HASH_HEX];

	hash_data(sums, n, sha256);
	hash_hex(sha256, hex);
	memcpy(unique, hex, UPLOAD_UNIQUE - 1);
	unique[UPLOAD_UNIQUE - 1] = '\0';
}

/* ---------------------------------------------- the directories of a drop */

static void
keep_one_of_each(struct strv *sorted)
{
	size_t i, n = 0;

	for (i = 0; i < sorted->n; i++)
		if (n > 0 && strcmp(sorted->v[n - 1], sorted->v[i]) == 0)
			free(sorted->v[i]);
		else
			sorted->v[n++] = sorted->v[i];
	sorted->n = n;
}

/* The directories that its files lie in, parents first. */
static void
list_dirs(const struct sending *s, struct strv *dirs)
{
	const char *slash;
	size_t i;

	strv_add(dirs, s->part);
	for (i = 0; i < s->u->n; i++)
		for (slash = strchr(s->u->files[i].path, '/'); slash != NULL;
		    slash = strchr(slash + 1, '/'))
			strv_take(dirs, mem_format("%s/%.*s", s->part,
			    (int)(slash - s->u->files[i].path),
			    s->u->files[i].path));
	/* a parent sorts before what is in it */
	strv_sort(dirs);
	keep_one_of_each(dirs);
}

static int
check_inbox(struct sending *s, struct sftp *sftp, struct err *e)
{
	struct sftp_attributes a;
	int64_t start = clock_ms();
	int status = sftp_stat(sftp, s->u->inbox, &a, e);

	s->round_trip = (unsigned)(clock_ms() - start) * 1000;
	if (status == 0)
		return 0;
	if (e->kind != ERR_MISSING)
		return -1;
	return err_set(e, ERR_MISSING, "there is no inbox '%s': create it, "
	    "writable by the account", s->u->inbox);
}

/* Those of its files, parents first, are made and added to dirs. */
static int
make_dirs(struct sending *s, struct sftp *sftp, struct strv *dirs,
    struct err *e)
{
	struct sftp_attributes a;
	struct err looking = ERR_INIT;

	list_dirs(s, dirs);
	s->look_first |= sftp_stat(sftp, s->part, &a, &looking) == 0;
	if (s->look_first)
		log_detail("'%s' exists: resuming", s->part);
	return sftp_make_dirs(sftp, dirs, e);
}

/* path, below the inbox, is one of the drop's files or directories. */
static bool
is_of_drop(const struct sending *s, const char *path)
{
	const char *in = path + strlen(s->part) + 1;
	size_t i, n = strlen(in);

	for (i = 0; i < s->u->n; i++)
		if (strncmp(s->u->files[i].path, in, n) == 0 &&
		    (s->u->files[i].path[n] == '\0' ||
		    s->u->files[i].path[n] == '/'))
			return true;
	return false;
}

/* A file, or a directory with all that is in it. */
static int
remove_all(struct sftp *sftp, const char *path, int depth, struct err *e)
{
	struct strv names = STRV_INIT;
	struct sftp_attributes a;
	int status = sftp_stat(sftp, path, &a, e);
	size_t i;
	char *full;

	if (status < 0 || !a.is_directory)
		return status < 0 ? -1 : sftp_remove(sftp, path, e);
	if (depth == 0)
		return err_set(e, ERR_DATA, "directory '%s' is nested too "
		    "deep to be removed", path);
	status = sftp_list(sftp, path, &names, e);
	for (i = 0; i < names.n && status == 0; i++) {
		full = mem_format("%s/%s", path, names.v[i]);
		status = remove_all(sftp, full, depth - 1, e);
		free(full);
	}
	strv_clear(&names);
	return status < 0 ? -1 : sftp_remove_dir(sftp, path, e);
}

/* A drop with a file that is not listed is a bad one. */
static int
remove_strays(struct sending *s, struct sftp *sftp,
    const struct strv *dirs, struct err *e)
{
	struct strv names = STRV_INIT;
	size_t i, k;
	char *path;
	int status = 0;

	for (i = 0; i < dirs->n && status == 0; i++) {
		status = sftp_list(sftp, dirs->v[i], &names, e);
		for (k = 0; k < names.n && status == 0; k++) {
			path = mem_format("%s/%s", dirs->v[i], names.v[k]);
			if (!is_of_drop(s, path))
				status = remove_all(sftp, path, DEPTH, e);
			free(path);
		}
		strv_clear(&names);
	}
	return status;
}

/* 1: the drop is there, complete; 0: it is not. */
static int
is_there(struct sending *s, struct sftp *sftp, struct err *e)
{
	const struct upload_file *sums = &s->u->files[0];
	struct sftp_attributes a;
	struct buf b = BUF_INIT;
	char *path;
	int status;

	if (sftp_stat(sftp, s->final, &a, e) < 0) {
		if (e->kind != ERR_MISSING)
			return -1;
		*e = (struct err)ERR_INIT;
		return 0;
	}
	path = mem_format("%s/%s", s->final, sums->path);
	status = sftp_read(sftp, path, (size_t)sums->size, &b, e);
	if (status < 0 ? e->kind == ERR_DATA || e->kind == ERR_MISSING :
	    b.n != sums->size || memcmp(buf_cstr(&b), sums->data, b.n) != 0)
		status = err_set(e, ERR_DATA, "an upload named '%s' exists "
		    "with different or missing contents: remove it", s->final);
	buf_clear(&b);
	free(path);
	return status < 0 ? -1 : 1;
}

/*
 * Another job was faster: what is left of ours is of no use to anybody. It may
 * have gone with the other's rename.
 */
static void
remove_part(struct sending *s, struct sftp *sftp)
{
	struct err ignored = ERR_INIT;

	(void)remove_all(sftp, s->part, DEPTH, &ignored);
	log_detail("'%s' was completed by another job", s->final);
}

/* What was sent is still what was judged. */
static int
look_again(const struct sending *s, struct err *e)
{
	const struct upload_file *f;
	size_t i;
	int fd;

	for (i = 0; i < s->u->n; i++) {
		f = &s->u->files[i];
		if (f->open == NULL)
			continue;
		fd = f->open(f, e);
		if (fd < 0)
			return -1;
		close(fd);
	}
	return 0;
}

/* Its name is what makes it count. */
static int
commit(struct sending *s, struct sftp *sftp,
    const struct strv *dirs, struct err *e)
{
	struct strv inbox = STRV_INIT;
	int status;

	if (sftp_sync_dirs(sftp, dirs, e) < 0 || look_again(s, e) < 0 ||
	    sftp_rename(sftp, s->part, s->final, e) < 0)
		return -1;
	strv_add(&inbox, s->u->inbox);
	status = sftp_sync_dirs(sftp, &inbox, e);
	strv_clear(&inbox);
	return status;
}

/*
 * How old it is, for drop-age, is judged by the clock there, which ours may
 * differ from: it is told by something that is made now. The name is one that
 * is tidied away, should we end before it is removed.
 */
static int
renew(struct sending *s, struct sftp *sftp, struct err *e)
{
	struct sftp_attributes made = {.modified = 0};
	struct strv dirs = STRV_INIT;
	struct err ignored = ERR_INIT;
	int status;

	strv_take(&dirs, mem_format("%s-clock.part", s->final));
	(void)sftp_remove_dir(sftp, dirs.v[0], &ignored);
	status = sftp_make_dirs(sftp, &dirs, e);
	if (status == 0)
		status = sftp_stat(sftp, dirs.v[0], &made, e);
	(void)sftp_remove_dir(sftp, dirs.v[0], &ignored);
	if (status == 0)
		status = sftp_touch(sftp, s->final, made.modified != 0 ?
		    made.modified : clock_now(), e);
	strv_clear(&dirs);
	return status;
}

/* ------------------------------------------------------ one try, and more */

static int
send_files(struct sending *s, struct line *line, struct strv *dirs,
    struct err *e)
{
	struct line_load load = {.target = s->u->target,
	    .files = s->u->files, .n = s->u->n, .dir = s->part,
	    .round_trip = s->round_trip};

	if (make_dirs(s, line->sftp, dirs, e) < 0)
		return -1;
	load.look_first = s->look_first;
	if (lines_send(line, &load, &s->u->sent, e) < 0)
		return -1;
	return s->look_first ? remove_strays(s, line->sftp, dirs, e) : 0;
}

/* -1 with ERR_AGAIN where another job took the ground away. */
static int
send_drop(struct sending *s, struct line *line, struct err *e)
{
	struct strv dirs = STRV_INIT;
	struct err looking = ERR_INIT;
	int status = send_files(s, line, &dirs, e);

	if (status == 0)
		status = commit(s, line->sftp, &dirs, e);
	if (status < 0 && (e->kind == ERR_MISSING || e->kind == ERR_CREATE)) {
		if (is_there(s, line->sftp, &looking) > 0) {
			remove_part(s, line->sftp);
			status = 0;
		} else if (e->kind == ERR_MISSING) {
			e->kind = ERR_AGAIN;
		}
	}
	strv_clear(&dirs);
	return status;
}

static int
try(struct sending *s, struct err *e)
{
	struct line line = LINE_INIT;
	int status = line_open(&line, s->u->target, e);

	if (status == 0)
		status = is_there(s, line.sftp, e);
	if (status == 0)
		status = check_inbox(s, line.sftp, e);
	else if (status > 0 && !s->u->is_dry_run)
		/* it was sent now: drop-age begins again */
		status = renew(s, line.sftp, e) < 0 ? -1 : 1;
	s->u->was_there = status > 0;
	if (status == 0 && !s->u->is_dry_run)
		status = send_drop(s, &line, e);
	line_close(&line);
	return status < 0 ? -1 : 0;
}

int
upload_run(struct upload *u, struct err *e)
{
	struct sending s = {.u = u};
	int status, tries;

	s.part = mem_format("%s/%s" PART, u->inbox, u->name);
	s.final = mem_format("%s/%s", u->inbox, u->name);
	u->sent = 0;
	for (tries = 1;; tries++) {
		status = try(&s, e);
		if (status == 0 || e->kind != ERR_AGAIN || tries == TRIES)
			break;
		log_notice("%s; resuming", e->text);
		if (clock_sleep(PAUSE_MS, e) < 0)
			break;
		s.look_first = true;
		*e = (struct err)ERR_INIT;
	}
	free(s.part);
	free(s.final);
	return status < 0 ? err_wrap(e, "drop '%s'", u->name) : 0;
}

int
upload_read(const struct remote_target *t, const char *inbox,
    const struct upload_wanted *wanted, size_t n, struct err *e)
{
	struct line line = LINE_INIT;
	int status = line_open(&line, t, e);
	size_t i;
	char *full;

	for (i = 0; i < n && status == 0; i++) {
		full = mem_format("%s/%s", inbox, wanted[i].path);
		status = sftp_read(line.sftp, full, wanted[i].max,
		    wanted[i].b, e);
		free(full);
	}
	line_close(&line);
	return status;
}
