#include "lib/ssh/sftp_work.h"

#include <string.h>

#include "lib/base/mem.h"

/* -------------------------------------------------------------- pieces */

size_t
sftp_piece_length(const struct sftp *s, const struct sftp_work *w, size_t i)
{
	size_t rest = w->job->n - i * s->chunk;

	return rest < s->chunk ? rest : s->chunk;
}

uint64_t
sftp_piece_offset(const struct sftp *s, const struct sftp_work *w, size_t i)
{
	return w->job->offset + i * s->chunk;
}

const void *
sftp_piece_data(struct sftp *s, struct sftp_work *w, size_t i)
{
	struct sftp_job *job = w->job;
	struct err e = ERR_INIT;

	if (job->data != NULL)
		return (const char *)job->data + i * s->chunk;
	if (s->loaded == NULL)
		s->loaded = mem_alloc(s->chunk);
	if (job->load(job, sftp_piece_offset(s, w, i), s->loaded,
	    sftp_piece_length(s, w, i), &e) == 0)
		return s->loaded;
	if (job->error.kind == ERR_NONE)
		job->error = e;
	sftp_work_fail(w);
	return NULL;
}

static enum sftp_piece
begin_of_pieces(const struct sftp_job *job)
{
	if (job->duty == SFTP_READ_BACK)
		return PIECE_WRITTEN;
	return job->look_first ? PIECE_ASKED : PIECE_DIFFERS;
}

static void
set_pieces(const struct sftp *s, struct sftp_work *w)
{
	w->n_pieces = w->job->n / s->chunk + (w->job->n % s->chunk > 0);
	if (w->n_pieces > w->cap_pieces) {
		w->cap_pieces = mem_grow(w->cap_pieces, w->n_pieces);
		w->pieces = mem_resize(w->pieces, w->cap_pieces, 1);
	}
	if (w->n_pieces > 0)
		memset(w->pieces, begin_of_pieces(w->job), w->n_pieces);
}

/* ------------------------------------------------------------ requests */

static struct sftp_request *
begin(struct sftp *s, struct sftp_work *w, enum packet_type type,
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
ask(struct sftp *s, struct sftp_work *w, enum packet_type type,
    sftp_answered *answered, struct err *e)
{
	struct sftp_request *r = begin(s, w, type, answered);

	sftp_add_handle(s, &w->handle);
	return sftp_send(s, r, NULL, 0, e) < 0 ? -1 : 1;
}

int
sftp_work_begin(struct sftp *s, struct sftp_work *w, struct sftp_job *job,
    struct err *e)
{
	unsigned char *pieces = w->pieces;
	size_t cap = w->cap_pieces;
	struct sftp_request *r;

	*w = (struct sftp_work){.job = job, .left = job->n, .pieces = pieces,
	    .cap_pieces = cap};
	job->sent = 0;
	job->error = (struct err)ERR_INIT;
	set_pieces(s, w);
	r = begin(s, w, PACKET_OPEN, sftp_work_opened);
	sftp_add_open(s, job->path, job->duty == SFTP_READ_BACK ?
	    PACKET_FOR_READING :
	    PACKET_FOR_READING | PACKET_FOR_WRITING | PACKET_CREATING);
	return sftp_send(s, r, NULL, 0, e);
}

static int
ask_piece(struct sftp *s, struct sftp_work *w,
    sftp_answered *answered, struct err *e)
{
	size_t n = sftp_piece_length(s, w, w->next);
	struct sftp_request *r;

	if (!sftp_may_read(s, n))
		return 0;
	r = begin(s, w, PACKET_READ, answered);
	r->i = w->next++;
	r->reading = n;
	sftp_add_handle(s, &w->handle);
	packet_u64(&s->out, sftp_piece_offset(s, w, r->i));
	packet_u32(&s->out, (uint32_t)n);
	return sftp_send(s, r, NULL, 0, e) < 0 ? -1 : 1;
}

static int
send_piece(struct sftp *s, struct sftp_work *w, struct err *e)
{
	size_t n = sftp_piece_length(s, w, w->next);
	const void *data;
	struct sftp_request *r;

	if (!sftp_may_write(s, n))
		return 0;
	if ((data = sftp_piece_data(s, w, w->next)) == NULL)
		return 1;
	r = begin(s, w, PACKET_WRITE, sftp_work_written);
	r->i = w->next++;
	r->writing = n;
	sftp_add_handle(s, &w->handle);
	packet_u64(&s->out, sftp_piece_offset(s, w, r->i));
	packet_u32(&s->out, (uint32_t)n);
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
ask_for_room(struct sftp *s, struct sftp_work *w, struct err *e)
{
	struct sftp_request *r;
	struct buf b = BUF_INIT;

	r = begin(s, w, PACKET_EXTENDED, sftp_work_room_told);
	r->i = w->wants_room;
	w->wants_room = 0;
	packet_string(&s->out, "statvfs@openssh.com");
	packet_string(&s->out, directory_of(w->job->path, &b));
	buf_clear(&b);
	return sftp_send(s, r, NULL, 0, e);
}

/*
 * ------------------------------------------------------------- the steps
 * 1: done, go on; 0: not yet; -1: the connection.
 */

static int
go(struct sftp_work *w, enum sftp_step step)
{
	w->step = step;
	w->next = 0;
	return 1;
}

enum sftp_step
sftp_work_first_step(const struct sftp_job *job)
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

static int
step_look(struct sftp *s, struct sftp_work *w, struct err *e)
{
	if (!w->has_asked_size) {
		w->has_asked_size = true;
		return ask(s, w, PACKET_FSTAT, sftp_work_measured, e);
	}
	if (w->next == w->n_pieces)
		return go(w, STEP_WRITE);
	if (!w->knows_size || sftp_piece_offset(s, w, w->next) < w->size)
		return ask_piece(s, w, sftp_work_looked, e);
	w->pieces[w->next++] = PIECE_DIFFERS;
	return 1;
}

static int
step_write(struct sftp *s, struct sftp_work *w, struct err *e)
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
step_cut(struct sftp *s, struct sftp_work *w, struct err *e)
{
	struct sftp_request *r;

	if (w->job->look_first && !w->knows_size)
		return 0;
	(void)go(w, w->job->duty == SFTP_SEND ? STEP_CLOSE : STEP_SYNC);
	if (w->size <= w->job->size)
		return 1;
	r = begin(s, w, PACKET_FSETSTAT, sftp_work_was_cut);
	sftp_add_handle(s, &w->handle);
	packet_u32(&s->out, PACKET_HAS_SIZE);
	packet_u64(&s->out, w->job->size);
	return sftp_send(s, r, NULL, 0, e) < 0 ? -1 : 1;
}

/* Also what was found to be there may not be on the disk. */
static int
step_sync(struct sftp *s, struct sftp_work *w, struct err *e)
{
	struct sftp_request *r;

	(void)go(w, STEP_READ_BACK);
	if (!s->has_fsync)
		return 1;
	r = begin(s, w, PACKET_EXTENDED, sftp_work_synced);
	packet_string(&s->out, "fsync@openssh.com");
	sftp_add_handle(s, &w->handle);
	return sftp_send(s, r, NULL, 0, e) < 0 ? -1 : 1;
}

static int
step_read_back(struct sftp *s, struct sftp_work *w, struct err *e)
{
	if (w->next == w->n_pieces)
		return go(w, STEP_CLOSE);
	if (w->pieces[w->next] == PIECE_WRITTEN)
		return ask_piece(s, w, sftp_work_was_read_back, e);
	w->next++;
	return 1;
}

static int
step_close(struct sftp *s, struct sftp_work *w, struct err *e)
{
	(void)go(w, STEP_END);
	return ask(s, w, PACKET_CLOSE, sftp_work_closed, e);
}

static int
take_step(struct sftp *s, struct sftp_work *w, struct err *e)
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

int
sftp_work_push(struct sftp *s, struct sftp_work *w, struct err *e)
{
	int went = 1;

	if (w->wants_room > 0 && sftp_has_room(s) &&
	    ask_for_room(s, w, e) < 0)
		return -1;
	while (went > 0 && sftp_has_room(s))
		went = take_step(s, w, e);
	return went < 0 ? -1 : 0;
}

void
sftp_work_fail(struct sftp_work *w)
{
	w->left = 0;
	if (w->step < STEP_CLOSE)
		w->step = w->handle.n > 0 ? STEP_CLOSE : STEP_END;
}

bool
sftp_work_is_done(const struct sftp_work *w)
{
	return w->step == STEP_END && w->in_flight == 0 && w->wants_room == 0;
}
