/*
 * Each job is a machine whose steps are sent as soon as they may be, not when
 * the one before was answered. The server does what concerns one handle in
 * the order in which it was asked (the draft, section 6), so that a read sees
 * what was written ahead of it.
 */
#include "lib/ssh/put.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/sys/log.h"

#define LOAD_MAX ((size_t)8 << 20)	/* of sending and reading back */

enum step {
	STEP_OPENING,		/* nothing can be sent without a handle */
	STEP_LOOK,		/* what is there already? */
	STEP_WRITE,
	STEP_CUT,
	STEP_SYNC,
	STEP_READ_BACK,
	STEP_CLOSE,
	STEP_END
};

enum piece {			/* a chunk of the job */
	PIECE_ASKED,
	PIECE_SAME,
	PIECE_DIFFERS,
	PIECE_WRITTEN
};

struct work {
	struct sftp_job *job;
	struct sftp_handle handle;
	enum step step;		/* what is to be sent next, */
	size_t next;		/* and of which piece */
	size_t in_flight;
	size_t left;		/* bytes that are not known to be there */
	bool has_asked_size;
	bool knows_size;
	uint64_t size;		/* of what is there */
	size_t wants_room;	/* bytes; a write failed: is the disk full? */
	unsigned char **chunk_buffer;	/* of all works; *NULL: none yet */
	size_t chunk;		/* bytes of a piece */
	unsigned char *pieces;	/* enum piece */
	size_t n_pieces;
	size_t cap_pieces;	/* kept for the next job */
};

/* The job's error has been set: all that is left to do is to close. */
static void
work_fail(struct work *w)
{
	w->left = 0;
	if (w->step < STEP_CLOSE)
		w->step = w->handle.n > 0 ? STEP_CLOSE : STEP_END;
}

/* -------------------------------------------------------------- pieces */

static size_t
piece_length(const struct work *w, size_t i)
{
	size_t rest = w->job->n - i * w->chunk;

	return rest < w->chunk ? rest : w->chunk;
}

static uint64_t
piece_offset(const struct work *w, size_t i)
{
	return w->job->offset + i * w->chunk;
}

/* Good until the next call; NULL where it cannot be had: the job has failed. */
static const void *
piece_data(struct work *w, size_t i)
{
	struct sftp_job *job = w->job;
	struct err e = ERR_INIT;

	if (job->data != NULL)
		return (const char *)job->data + i * w->chunk;
	if (*w->chunk_buffer == NULL)
		*w->chunk_buffer = mem_alloc(w->chunk);
	if (job->load(job, piece_offset(w, i), *w->chunk_buffer,
	    piece_length(w, i), &e) == 0)
		return *w->chunk_buffer;
	if (job->error.kind == ERR_NONE)
		job->error = e;
	work_fail(w);
	return NULL;
}

static enum piece
begin_of_pieces(const struct sftp_job *job)
{
	if (job->duty == SFTP_READ_BACK)
		return PIECE_WRITTEN;
	return job->look_first ? PIECE_ASKED : PIECE_DIFFERS;
}

static void
set_pieces(struct work *w)
{
	w->n_pieces = w->job->n / w->chunk + (w->job->n % w->chunk > 0);
	if (w->n_pieces > w->cap_pieces) {
		w->cap_pieces = mem_grow(w->cap_pieces, w->n_pieces);
		w->pieces = mem_resize(w->pieces, w->cap_pieces, 1);
	}
	if (w->n_pieces > 0)
		memset(w->pieces, begin_of_pieces(w->job), w->n_pieces);
}

/*
 * --------------------------------------------------------------- answers
 * What they mean for a job. Its first error stays, whatever goes well after
 * it.
 */

static enum step
work_first_step(const struct sftp_job *job)
{
	switch (job->duty) {
	case SFTP_SYNC:
		return STEP_SYNC;
	case SFTP_READ_BACK:
		return STEP_READ_BACK;
	default:
		return job->look_first ? STEP_LOOK : STEP_WRITE;
	}
}

static bool
has_failed(const struct work *w)
{
	return w->job->error.kind != ERR_NONE;
}

static void
fail_by_status(struct work *w, const struct packet_status *status,
    const char *verb)
{
	if (has_failed(w))
		return;
	packet_status_err(status, &w->job->error, "%s '%s'", verb,
	    w->job->path);
	work_fail(w);
}

/* What came for piece i is what it shall be. */
static bool
is_same(struct work *w, size_t i, const void *p, size_t n)
{
	const void *data;

	if (has_failed(w) || n != piece_length(w, i))
		return false;
	data = piece_data(w, i);
	return data != NULL && memcmp(p, data, n) == 0;
}

static void
piece_is_there(struct work *w, size_t i)
{
	size_t n = piece_length(w, i);

	if (w->job->duty != SFTP_READ_BACK)
		log_progress_add(n);
	w->left -= n <= w->left ? n : w->left;
}

/* Of an answer that has come: one fewer is in flight. */
static struct work *
answered_work(const struct sftp_request *r)
{
	struct work *w = r->arg;

	w->in_flight--;
	return w;
}

static int
work_opened(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct work *w = answered_work(r);
	struct packet_status status;

	(void)s;
	if (a->type != PACKET_STATUS) {
		w->step = work_first_step(w->job);
		return sftp_get_handle(a, &w->handle, e);
	}
	if (packet_get_refusal(a, &status, e) < 0)
		return -1;
	fail_by_status(w, &status, "open");
	return 0;
}

static int
work_measured(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct work *w = answered_work(r);
	struct sftp_attributes there;
	struct packet_status status;
	int found = packet_judge_attributes(a, &there, &status, e);

	(void)s;
	if (found == 0)
		fail_by_status(w, &status, "stat");
	w->knows_size = found > 0;
	w->size = found > 0 ? there.size : 0;
	return found < 0 ? -1 : 0;
}

static int
work_looked(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct work *w = answered_work(r);
	struct packet_status status;
	const unsigned char *p;
	size_t n;

	(void)s;
	w->pieces[r->i] = PIECE_DIFFERS;
	if (a->type == PACKET_STATUS) {
		if (packet_get_refusal(a, &status, e) < 0)
			return -1;
		if (status.code != STATUS_EOF)
			fail_by_status(w, &status, "read");
		return 0;
	}
	if ((p = sftp_get_data(a, r->reading, &n, e)) == NULL)
		return -1;
	if (is_same(w, r->i, p, n)) {
		w->pieces[r->i] = PIECE_SAME;
		piece_is_there(w, r->i);
	}
	return 0;
}

static int
work_written(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct work *w = answered_work(r);
	struct packet_status status;

	if (packet_get_status(a, &status, e) < 0)
		return -1;
	if (status.code == STATUS_OK) {
		piece_is_there(w, r->i);
		return 0;
	}
	if (status.code == STATUS_FAILURE && sftp_peer(s)->has_statvfs &&
	    !has_failed(w))
		w->wants_room = r->writing;
	fail_by_status(w, &status, "write to");
	return 0;
}

/* The answer to a request that has worked, or fails the job. */
static int
worked(const struct sftp_request *r, const char *doing, struct packet *a,
    struct err *e)
{
	struct work *w = answered_work(r);
	struct packet_status status;

	if (packet_get_status(a, &status, e) < 0)
		return -1;
	if (status.code != STATUS_OK)
		fail_by_status(w, &status, doing);
	return 0;
}

static int
work_was_cut(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	(void)s;
	return worked(r, "truncate", a, e);
}

static int
work_synced(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct work *w = answered_work(r);
	struct packet_status status;

	if (packet_get_status(a, &status, e) < 0)
		return -1;
	if (status.code == STATUS_UNSUPPORTED)
		sftp_lacks_fsync(s);
	else if (status.code != STATUS_OK)
		fail_by_status(w, &status, "sync");
	return 0;
}

static int
work_was_read_back(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct work *w = answered_work(r);
	struct packet_status status = {.code = STATUS_EOF};
	const unsigned char *p = NULL;
	size_t n = 0;

	(void)s;
	if (a->type == PACKET_STATUS) {
		if (packet_get_refusal(a, &status, e) < 0)
			return -1;
	} else if ((p = sftp_get_data(a, r->reading, &n, e)) == NULL) {
		return -1;
	}
	if (p != NULL && is_same(w, r->i, p, n)) {
		if (w->job->duty == SFTP_READ_BACK)
			piece_is_there(w, r->i);
		return 0;
	}
	if (status.code != STATUS_EOF) {
		fail_by_status(w, &status, "read back");
	} else if (!has_failed(w)) {
		err_set(&w->job->error, ERR_IO, "read back '%s': from "
		    "byte %" PRIu64 " on it differs from what was sent",
		    w->job->path, piece_offset(w, r->i));
		work_fail(w);
	}
	return 0;
}

static int
work_closed(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	(void)s;
	return worked(r, "close", a, e);
}

/* The reason of a write's failure, where it is that there is no room. */
static int
work_room_told(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct work *w = answered_work(r);
	uint64_t block, available;

	(void)s;
	if (a->type == PACKET_STATUS)
		return 0;
	if (packet_expect(a, PACKET_EXTENDED_REPLY, e) < 0)
		return -1;
	(void)packet_get_u64(a);	/* f_bsize */
	block = packet_get_u64(a);	/* f_frsize */
	(void)packet_get_u64(a);	/* f_blocks */
	(void)packet_get_u64(a);	/* f_bfree */
	available = packet_get_u64(a);	/* f_bavail */
	if (packet_check(a, e) < 0)
		return -1;
	if (block == 0 || available < r->i / block + 1)
		err_set(&w->job->error, ERR_IO,
		    "write to '%s': no space left on the server", w->job->path);
	return 0;
}

/* ------------------------------------------------------------ requests */

static struct sftp_request *
begin(struct sftp *s, struct work *w, enum packet_type type,
    sftp_answered *answered)
{
	struct sftp_request *r = sftp_begin(s, type);

	r->answered = answered;
	r->arg = w;
	w->in_flight++;
	return r;
}

/* Requests that are a handle; as a step. */
static int
ask(struct sftp *s, struct work *w, enum packet_type type,
    sftp_answered *answered, struct err *e)
{
	struct sftp_request *r = begin(s, w, type, answered);

	sftp_add_handle(s, &w->handle);
	return sftp_send(s, r, NULL, 0, e) < 0 ? -1 : 1;
}

static int
work_begin(struct sftp *s, struct work *w, struct sftp_job *job,
    struct err *e)
{
	struct sftp_request *r;

	*w = (struct work){.job = job, .left = job->n,
	    .chunk_buffer = w->chunk_buffer,
	    .chunk = sftp_peer(s)->chunk, .pieces = w->pieces,
	    .cap_pieces = w->cap_pieces};
	job->sent = 0;
	job->error = (struct err)ERR_INIT;
	set_pieces(w);
	r = begin(s, w, PACKET_OPEN, work_opened);
	sftp_add_open(s, job->path, job->duty == SFTP_READ_BACK ?
	    PACKET_FOR_READING :
	    PACKET_FOR_READING | PACKET_FOR_WRITING | PACKET_CREATING);
	return sftp_send(s, r, NULL, 0, e);
}

static int
ask_piece(struct sftp *s, struct work *w,
    sftp_answered *answered, struct err *e)
{
	size_t n = piece_length(w, w->next);
	struct sftp_request *r;

	if (!sftp_may_read(s, n))
		return 0;
	r = begin(s, w, PACKET_READ, answered);
	r->i = w->next++;
	r->reading = n;
	sftp_add_handle(s, &w->handle);
	be64_add(sftp_out(s), piece_offset(w, r->i));
	be32_add(sftp_out(s), (uint32_t)n);
	return sftp_send(s, r, NULL, 0, e) < 0 ? -1 : 1;
}

static int
send_piece(struct sftp *s, struct work *w, struct err *e)
{
	size_t n = piece_length(w, w->next);
	const void *data;
	struct sftp_request *r;

	if (!sftp_may_write(s, n))
		return 0;
	if ((data = piece_data(w, w->next)) == NULL)
		return 1;
	r = begin(s, w, PACKET_WRITE, work_written);
	r->i = w->next++;
	r->writing = n;
	sftp_add_handle(s, &w->handle);
	be64_add(sftp_out(s), piece_offset(w, r->i));
	be32_add(sftp_out(s), (uint32_t)n);
	w->pieces[r->i] = PIECE_WRITTEN;
	w->job->sent += n;
	return sftp_send(s, r, data, n, e) < 0 ? -1 : 1;
}

static const char *
directory_of(const char *path, struct buf *b)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return ".";
	if (slash == path)
		return "/";
	buf_add(b, path, (size_t)(slash - path));
	return buf_cstr(b);
}

static int
ask_for_room(struct sftp *s, struct work *w, struct err *e)
{
	struct sftp_request *r;
	struct buf b = BUF_INIT;

	r = begin(s, w, PACKET_EXTENDED, work_room_told);
	r->i = w->wants_room;
	w->wants_room = 0;
	packet_string(sftp_out(s), "statvfs@openssh.com");
	packet_string(sftp_out(s), directory_of(w->job->path, &b));
	buf_clear(&b);
	return sftp_send(s, r, NULL, 0, e);
}

/*
 * ------------------------------------------------------------- the steps
 * 1: done, go on; 0: not yet; -1: the connection.
 */

static int
go(struct work *w, enum step step)
{
	w->step = step;
	w->next = 0;
	return 1;
}

static int
step_look(struct sftp *s, struct work *w, struct err *e)
{
	if (!w->has_asked_size) {
		w->has_asked_size = true;
		return ask(s, w, PACKET_FSTAT, work_measured, e);
	}
	if (w->next == w->n_pieces)
		return go(w, STEP_WRITE);
	if (!w->knows_size || piece_offset(w, w->next) < w->size)
		return ask_piece(s, w, work_looked, e);
	w->pieces[w->next++] = PIECE_DIFFERS;
	return 1;
}

static int
step_write(struct sftp *s, struct work *w, struct err *e)
{
	if (w->next == w->n_pieces)
		return go(w, STEP_CUT);
	if (w->pieces[w->next] == PIECE_ASKED)
		return 0;
	if (w->pieces[w->next] == PIECE_DIFFERS)
		return send_piece(s, w, e);
	w->next++;
	return 1;
}

static int
step_cut(struct sftp *s, struct work *w, struct err *e)
{
	struct sftp_request *r;

	if (w->job->look_first && !w->knows_size)
		return 0;
	(void)go(w, w->job->duty == SFTP_SEND ? STEP_CLOSE : STEP_SYNC);
	if (w->size <= w->job->size)
		return 1;
	r = begin(s, w, PACKET_FSETSTAT, work_was_cut);
	sftp_add_handle(s, &w->handle);
	be32_add(sftp_out(s), PACKET_HAS_SIZE);
	be64_add(sftp_out(s), w->job->size);
	return sftp_send(s, r, NULL, 0, e) < 0 ? -1 : 1;
}

/* Also what was found to be there may not be on the disk. */
static int
step_sync(struct sftp *s, struct work *w, struct err *e)
{
	struct sftp_request *r;

	(void)go(w, STEP_READ_BACK);
	if (!sftp_peer(s)->has_fsync)
		return 1;
	r = begin(s, w, PACKET_EXTENDED, work_synced);
	packet_string(sftp_out(s), "fsync@openssh.com");
	sftp_add_handle(s, &w->handle);
	return sftp_send(s, r, NULL, 0, e) < 0 ? -1 : 1;
}

static int
step_read_back(struct sftp *s, struct work *w, struct err *e)
{
	if (w->next == w->n_pieces)
		return go(w, STEP_CLOSE);
	if (w->pieces[w->next] == PIECE_WRITTEN)
		return ask_piece(s, w, work_was_read_back, e);
	w->next++;
	return 1;
}

static int
step_close(struct sftp *s, struct work *w, struct err *e)
{
	(void)go(w, STEP_END);
	return ask(s, w, PACKET_CLOSE, work_closed, e);
}

static int
take_step(struct sftp *s, struct work *w, struct err *e)
{
	switch (w->step) {
	case STEP_LOOK:
		return step_look(s, w, e);
	case STEP_WRITE:
		return step_write(s, w, e);
	case STEP_CUT:
		return step_cut(s, w, e);
	case STEP_SYNC:
		return step_sync(s, w, e);
	case STEP_READ_BACK:
		return step_read_back(s, w, e);
	case STEP_CLOSE:
		return step_close(s, w, e);
	default:
		return 0;
	}
}

static int
work_push(struct sftp *s, struct work *w, struct err *e)
{
	int went = 1;

	if (w->wants_room > 0 && sftp_has_room(s) &&
	    ask_for_room(s, w, e) < 0)
		return -1;
	while (went > 0 && sftp_has_room(s))
		went = take_step(s, w, e);
	return went < 0 ? -1 : 0;
}

static bool
work_is_done(const struct work *w)
{
	return w->step == STEP_END && w->in_flight == 0 && w->wants_room == 0;
}

/* ----------------------------------------------------------------- jobs */

struct put {
	struct sftp *s;
	struct sftp_job *(*next)(void *arg);
	void (*done)(struct sftp_job *job, void *arg);
	void *arg;
	bool is_over;		/* next has no more */
	/* in the order in which they began, then those that are free */
	struct work **works;
	size_t n;
};

/*
 * Whether to begin another one: what is under way shall fill the line, but
 * not be taken away from other connections that have the same source.
 */
static bool
may_begin(const struct put *p)
{
	size_t i, load = 0;

	for (i = 0; i < p->n; i++)
		load += p->works[i]->left;
	return !p->is_over && p->n < sftp_peer(p->s)->handles &&
	    load < LOAD_MAX && sftp_has_room(p->s);
}

static int
begin_some(struct put *p, struct err *e)
{
	struct sftp_job *job;

	while (may_begin(p)) {
		if ((job = p->next(p->arg)) == NULL) {
			p->is_over = true;
			break;
		}
		if (work_begin(p->s, p->works[p->n++], job, e) < 0)
			return -1;
	}
	return 0;
}

/* Those that began first go first, for they hold handles. */
static int
push_all(struct put *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (work_push(p->s, p->works[i], e) < 0)
			return -1;
	return 0;
}

static void
take_out_done(struct put *p)
{
	struct work *w;
	size_t i, kept = 0;

	for (i = 0; i < p->n; i++) {
		w = p->works[i];
		if (work_is_done(w)) {
			p->done(w->job, p->arg);
		} else {
			p->works[i] = p->works[kept];
			p->works[kept++] = w;
		}
	}
	p->n = kept;
}

static int
run(struct put *p, struct err *e)
{
	for (;;) {
		if (push_all(p, e) < 0)
			return -1;
		take_out_done(p);
		if (begin_some(p, e) < 0)
			return -1;
		if (p->n == 0)
			return 0;
		if (sftp_wait(p->s, e) < 0)
			return -1;
	}
}

/* What else the connection took with it. */
static void
fail_all(struct put *p, const struct err *e)
{
	struct sftp_job *job;
	size_t i;

	for (i = 0; i < p->n; i++) {
		job = p->works[i]->job;
		if (job->error.kind == ERR_NONE)
			job->error = *e;
		p->done(job, p->arg);
	}
}

int
sftp_put(struct sftp *s, struct sftp_job *(*next)(void *arg),
    void (*done)(struct sftp_job *job, void *arg), void *arg, struct err *e)
{
	struct put p = {.s = s, .next = next, .done = done, .arg = arg};
	size_t handles = sftp_peer(s)->handles, i;
	struct work *all = mem_zero(handles, sizeof(*all));
	unsigned char *chunk = NULL;
	int status;

	p.works = mem_zero(handles, sizeof(*p.works));
	for (i = 0; i < handles; i++) {
		all[i].chunk_buffer = &chunk;
		p.works[i] = &all[i];
	}
	if ((status = run(&p, e)) < 0)
		fail_all(&p, e);
	for (i = 0; i < handles; i++)
		free(all[i].pieces);
	free(chunk);
	free(all);
	free(p.works);
	return status;
}
