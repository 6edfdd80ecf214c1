#include "lib/upload.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/path.h"

#define PART ".part"
#define SEGMENT ((size_t)1 << 20)	/* of a large file, bytes */
#define MOST_CONNECTIONS 4
#define TRIES 3
#define PAUSE_MS 2000
/*
 * One channel carries a window, 2 MiB with OpenSSH, in each round trip: on a
 * long line several carry several. On a short one two use two processors.
 */
#define LONG_LINE_US 8000
#define WORTH_SEVERAL ((uint64_t)16 << 20)	/* bytes */

/* One drop on its way, shared by its connections. */
struct sending {
	struct upload *u;
	char *part;		/* "incoming/x.part" */
	char *final;
	bool look_first;
	pthread_mutex_t lock;
	size_t file;		/* the next piece: of this file, */
	uint64_t offset;	/* from here */
	struct err error;	/* the first one */
	uint64_t sent;
};

struct piece {
	struct sftp_job job;
	char *path;
	void *buffer;		/* NULL: memory of the caller's */
};

/* One of the connections. */
struct line {
	struct sending *s;
	struct remote *remote;
	struct sftp *sftp;
	pthread_t thread;
	bool is_started;
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

/* ---------------------------------------------------------------- pieces */

static void
note_error(struct sending *s, const struct err *e)
{
	pthread_mutex_lock(&s->lock);
	if (s->error.kind == ERR_NONE)
		s->error = *e;
	pthread_mutex_unlock(&s->lock);
}

static int
read_piece(const struct upload_file *f, uint64_t offset, void *buffer,
    size_t n, struct err *e)
{
	int fd = f->open(f, e);
	size_t done = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (done < n) {
		got = pread(fd, (char *)buffer + done, n - done,
		    (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	close(fd);
	if (done == n)
		return 0;
	return err_set(e, ERR_IO, "'%s' cannot be read whole: did it change?",
	    f->path);
}

/* Takes the next piece's place; false where none is left, or one failed. */
static bool
draw(struct sending *s, const struct upload_file **f, uint64_t *offset,
    size_t *n)
{
	bool is_left;

	pthread_mutex_lock(&s->lock);
	is_left = s->error.kind == ERR_NONE && s->file < s->u->n;
	if (is_left) {
		*f = &s->u->files[s->file];
		*offset = s->offset;
		*n = (*f)->size - *offset < SEGMENT ?
		    (size_t)((*f)->size - *offset) : SEGMENT;
		s->offset += *n;
		if (s->offset == (*f)->size) {
			s->file++;
			s->offset = 0;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return is_left;
}

static void
piece_free(struct piece *p)
{
	free(p->path);
	free(p->buffer);
	free(p);
}

static struct sftp_job *
next_piece(void *arg)
{
	struct sending *s = arg;
	const struct upload_file *f;
	struct err e = ERR_INIT;
	struct piece *p;
	uint64_t offset;
	size_t n;

	if (!draw(s, &f, &offset, &n))
		return NULL;
	p = mem_zero(1, sizeof(*p));
	p->path = mem_format("%s/%s", s->part, f->path);
	p->job = (struct sftp_job){.path = p->path, .n = n, .offset = offset,
	    .size = f->size, .look_first = s->look_first};
	if (f->open == NULL) {
		p->job.data = (const char *)f->data + offset;
		return &p->job;
	}
	p->job.data = p->buffer = mem_alloc(n + 1);
	if (read_piece(f, offset, p->buffer, n, &e) == 0)
		return &p->job;
	note_error(s, &e);
	piece_free(p);
	return NULL;
}

static void
piece_done(struct sftp_job *job, void *arg)
{
	struct piece *p = (struct piece *)job;	/* its first member */
	struct sending *s = arg;

	if (job->error.kind != ERR_NONE)
		note_error(s, &job->error);
	pthread_mutex_lock(&s->lock);
	s->sent += job->sent;
	pthread_mutex_unlock(&s->lock);
	piece_free(p);
}

/* ----------------------------------------------------------- connections */

static int
line_open(struct line *l, struct sending *s, struct err *e)
{
	l->s = s;
	l->remote = remote_open(s->u->target, e);
	if (l->remote == NULL)
		return -1;
	l->sftp = sftp_open(remote_stream(l->remote), e);
	return l->sftp == NULL ? -1 : 0;
}

static void
line_close(struct line *l)
{
	sftp_close(l->sftp);
	remote_close(l->remote);
	l->sftp = NULL;
	l->remote = NULL;
}

static void
line_send(struct line *l)
{
	struct err e = ERR_INIT;

	if (sftp_put(l->sftp, next_piece, piece_done, l->s, &e) < 0)
		note_error(l->s, &e);
}

/* One more, which does without if it cannot be opened. */
static void *
line_run(void *arg)
{
	struct line *l = arg;
	struct err e = ERR_INIT;

	if (line_open(l, l->s, &e) == 0)
		line_send(l);
	else
		log_detail("another connection: %s", e.text);
	line_close(l);
	return NULL;
}

static uint64_t
count_bytes(const struct sending *s)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < s->u->n; i++)
		total += s->u->files[i].size;
	return total;
}

static size_t
count_lines(const struct line *first, uint64_t total)
{
	cpu_set_t set;

	if (total < WORTH_SEVERAL)
		return 1;
	if (remote_round_trip(first->remote) >= LONG_LINE_US)
		return MOST_CONNECTIONS;
	return sched_getaffinity(0, sizeof(set), &set) == 0 &&
	    CPU_COUNT(&set) > 1 ? 2 : 1;
}

/* All that is not there yet, by this connection and others. */
static int
send_all(struct sending *s, struct line *first, struct err *e)
{
	struct line more[MOST_CONNECTIONS] = {{.s = NULL}};
	uint64_t total = count_bytes(s);
	size_t n = count_lines(first, total), i;

	for (i = 1; i < n; i++) {
		more[i].s = s;
		more[i].is_started = pthread_create(&more[i].thread, NULL,
		    line_run, &more[i]) == 0;
	}
	log_progress_start("sending", total);
	line_send(first);
	for (i = 1; i < n; i++)
		if (more[i].is_started)
			pthread_join(more[i].thread, NULL);
	log_progress_end();
	if (s->error.kind == ERR_NONE)
		return 0;
	*e = s->error;
	return -1;
}

/* ---------------------------------------------------------------- the drop */

/* The directories that its files lie in, parents first. */
static void
list_dirs(const struct sending *s, struct strv *dirs)
{
	const char *slash;
	char *dir;
	size_t i;

	strv_add(dirs, s->part);
	for (i = 0; i < s->u->n; i++)
		for (slash = strchr(s->u->files[i].path, '/'); slash != NULL;
		    slash = strchr(slash + 1, '/')) {
			dir = mem_format("%s/%.*s", s->part,
			    (int)(slash - s->u->files[i].path),
			    s->u->files[i].path);
			if (strcmp(dirs->v[dirs->n - 1], dir) == 0)
				free(dir);
			else
				strv_take(dirs, dir);
		}
	/* a parent sorts before what is in it */
	strv_sort(dirs);
}

static int
check_inbox(struct sending *s, struct sftp *sftp, struct err *e)
{
	struct sftp_attributes a;

	if (sftp_stat(sftp, s->u->inbox, &a, e) == 0)
		return 0;
	if (e->kind != ERR_MISSING)
		return -1;
	return err_set(e, ERR_MISSING, "there is no inbox '%s': make it for "
	    "the account, writable", s->u->inbox);
}

static int
make_dirs(struct sending *s, struct sftp *sftp, struct strv *dirs,
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

/* A drop with a file that is not listed is a bad one. */
static int
remove_strays(struct sending *s, struct sftp *sftp, const struct strv *dirs,
    struct err *e)
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
		status = err_set(e, ERR_DATA, "'%s' is there and is another "
		    "drop", s->final);
	buf_clear(&b);
	free(path);
	return status < 0 ? -1 : 1;
}

/*
 * Another job with the same content was faster: what is left of ours is of no
 * use to anybody. It may have gone with the other's rename.
 */
static void
remove_part(struct sending *s, struct sftp *sftp, const struct strv *dirs)
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

/* Its name is what makes it count. */
static int
commit(struct sending *s, struct sftp *sftp, const struct strv *dirs,
    struct err *e)
{
	size_t i;

	for (i = 0; i < dirs->n; i++)
		if (sftp_sync_dir(sftp, dirs->v[i], e) < 0)
			return -1;
	if (look_again(s, e) < 0 ||
	    sftp_rename(sftp, s->part, s->final, e) < 0)
		return -1;
	return sftp_sync_dir(sftp, s->u->inbox, e);
}

/* -1 with ERR_AGAIN where another job took the ground away. */
static int
send_drop(struct sending *s, struct line *first, struct err *e)
{
	struct strv dirs = STRV_INIT;
	struct err looking = ERR_INIT;
	int status = make_dirs(s, first->sftp, &dirs, e);

	if (status == 0)
		status = send_all(s, first, e);
	if (status == 0 && s->look_first)
		status = remove_strays(s, first->sftp, &dirs, e);
	if (status == 0)
		status = commit(s, first->sftp, &dirs, e);
	if (status < 0 && (e->kind == ERR_MISSING || e->kind == ERR_CREATE)) {
		if (is_there(s, first->sftp, &looking) > 0) {
			remove_part(s, first->sftp, &dirs);
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
	struct line first = {.s = NULL};
	int status = line_open(&first, s, e);

	if (status == 0)
		status = is_there(s, first.sftp, e);
	if (status == 0)
		status = check_inbox(s, first.sftp, e);
	else if (status > 0 && !s->u->is_dry_run)
		/* it is the newest again: what was sent last counts */
		status = sftp_touch(first.sftp, s->final, e) < 0 ? -1 : 1;
	s->u->was_there = status > 0;
	if (status == 0 && !s->u->is_dry_run)
		status = send_drop(s, &first, e);
	line_close(&first);
	return status < 0 ? -1 : 0;
}

int
upload_run(struct upload *u, struct err *e)
{
	struct sending s = {.u = u, .lock = PTHREAD_MUTEX_INITIALIZER};
	int status, tries;

	s.part = mem_format("%s/%s" PART, u->inbox, u->name);
	s.final = mem_format("%s/%s", u->inbox, u->name);
	for (tries = 1;; tries++) {
		status = try(&s, e);
		if (status == 0 || e->kind != ERR_AGAIN || tries == TRIES)
			break;
		log_notice("%s; resuming", e->text);
		if (clock_sleep(PAUSE_MS, e) < 0)
			break;
		s.file = 0;
		s.offset = 0;
		s.look_first = true;
		s.error = *e = (struct err)ERR_INIT;
	}
	u->sent = s.sent;
	free(s.part);
	free(s.final);
	pthread_mutex_destroy(&s.lock);
	return status < 0 ? err_wrap(e, "drop '%s'", u->name) : 0;
}

int
upload_read(const struct remote_target *t, const char *inbox,
    const char *path, size_t max, struct buf *b, struct err *e)
{
	struct upload u = {.target = t};
	struct sending s = {.u = &u};
	struct line line = {.s = NULL};
	char *full = mem_format("%s/%s", inbox, path);
	int status = line_open(&line, &s, e);

	if (status == 0)
		status = sftp_read(line.sftp, full, max, b, e);
	line_close(&line);
	free(full);
	return status;
}
