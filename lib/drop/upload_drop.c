#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/drop/upload_parts.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

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

int
upload_check_inbox(struct sending *s, struct sftp *sftp, struct err *e)
{
	struct sftp_attributes a;
	int64_t start = clock_ms();
	int status = sftp_stat(sftp, s->u->inbox, &a, e);

	s->round_trip = (unsigned)(clock_ms() - start) * 1000;
	if (status == 0)
		return 0;
	if (e->kind != ERR_MISSING)
		return -1;
	return err_set(e, ERR_MISSING, "there is no inbox '%s': make it for "
	    "the account, writable", s->u->inbox);
}

int
upload_make_dirs(struct sending *s, struct sftp *sftp, struct strv *dirs,
    struct err *e)
{
	struct sftp_attributes a;
	struct err looking = ERR_INIT;

	list_dirs(s, dirs);
	s->look_first |= sftp_stat(sftp, s->part, &a, &looking) == 0;
	if (s->look_first)
		log_detail("'%s' was begun before: resuming", s->part);
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

int
upload_remove_strays(struct sending *s, struct sftp *sftp,
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
				status = sftp_remove(sftp, path, e);
			free(path);
		}
		strv_clear(&names);
	}
	return status;
}

int
upload_is_there(struct sending *s, struct sftp *sftp, struct err *e)
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
		status = err_set(e, ERR_DATA, "'%s' is there and is another "
		    "drop", s->final);
	buf_clear(&b);
	free(path);
	return status < 0 ? -1 : 1;
}

/* It may have gone with the other's rename. */
void
upload_remove_part(struct sending *s, struct sftp *sftp,
    const struct strv *dirs)
{
	struct strv names = STRV_INIT;
	struct err ignored = ERR_INIT;
	size_t i, k;
	char *path;

	for (i = dirs->n; i-- > 0;) {
		if (sftp_list(sftp, dirs->v[i], &names, &ignored) < 0)
			continue;
		for (k = 0; k < names.n; k++) {
			path = mem_format("%s/%s", dirs->v[i], names.v[k]);
			(void)sftp_remove(sftp, path, &ignored);
			free(path);
		}
		strv_clear(&names);
		(void)sftp_remove_dir(sftp, dirs->v[i], &ignored);
	}
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

int
upload_commit(struct sending *s, struct sftp *sftp,
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
 * What is newest is judged by the clock there, which ours may differ from: it
 * is told by something that is made now. The name is one that is tidied away,
 * should we end before it is removed.
 */
int
upload_renew(struct sending *s, struct sftp *sftp, struct err *e)
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
