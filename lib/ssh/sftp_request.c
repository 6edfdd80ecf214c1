#include "lib/ssh/sftp_request.h"

#include <stdlib.h>
#include <string.h>

#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define POLL_MS 100		/* how soon a signal is noticed */
#define SEND_AT ((size_t)32 << 10)	/* small packets travel together */
#define COPY_UP_TO ((size_t)8 << 10)

/* ---------------------------------------------- the table of requests */

bool
sftp_has_room(const struct sftp *s)
{
	return s->n_free > 0;
}

bool
sftp_may_read(const struct sftp *s, size_t n)
{
	return s->reading == 0 || s->reading + n <= SFTP_DATA_IN_FLIGHT;
}

bool
sftp_may_write(const struct sftp *s, size_t n)
{
	return s->writing == 0 || s->writing + n <= SFTP_DATA_IN_FLIGHT;
}

struct sftp_request *
sftp_begin(struct sftp *s, enum packet_type type)
{
	struct sftp_request *r;
	uint32_t i;

	if (s->n_free == 0)
		abort();
	i = s->free[--s->n_free];
	r = &s->requests[i];
	*r = (struct sftp_request){.id = s->serial++ * SFTP_IN_FLIGHT + i,
	    .is_used = true};
	s->begun = packet_begin(&s->out, type);
	packet_u32(&s->out, r->id);
	return r;
}

/* Takes the request that an answer is for out of the table. */
static int
end_request(struct sftp *s, struct packet *answer, struct sftp_request *out,
    struct err *e)
{
	uint32_t id = packet_get_u32(answer);
	struct sftp_request *r = &s->requests[id % SFTP_IN_FLIGHT];

	if (packet_check(answer, e) < 0)
		return -1;
	if (!r->is_used || r->id != id)
		return err_set(e, ERR_PROTOCOL,
		    "the far side answered what was not asked");
	*out = *r;
	r->is_used = false;
	s->free[s->n_free++] = id % SFTP_IN_FLIGHT;
	s->reading -= r->reading;
	s->writing -= r->writing;
	return 0;
}

int
sftp_break(struct sftp *s, struct err *e)
{
	size_t i;

	for (i = 0; i < SFTP_IN_FLIGHT; i++)
		s->requests[i].answered = NULL;
	if (e->kind != ERR_SIGNAL)
		s->broken = *e;
	return -1;
}

/* ------------------------------------------------------------- sending */

/* What was cut in the middle of a packet has no use, whatever the reason. */
static int
write_all(struct sftp *s, const void *data, size_t n, struct err *e)
{
	if (s->broken.kind != ERR_NONE) {
		*e = s->broken;
		return -1;
	}
	if (n == 0 || s->stream->write(s->stream->arg, data, n, e) == 0)
		return 0;
	(void)sftp_break(s, e);
	if (e->kind == ERR_SIGNAL)
		err_set(&s->broken, ERR_AGAIN,
		    "the connection was cut off by a signal");
	return -1;
}

int
sftp_flush(struct sftp *s, struct err *e)
{
	size_t n = s->out.n;

	s->out.n = 0;
	return write_all(s, s->out.p, n, e);
}

int
sftp_send(struct sftp *s, struct sftp_request *r, const void *data, size_t n,
    struct err *e)
{
	s->reading += r->reading;
	s->writing += r->writing;
	packet_end(&s->out, s->begun, n);
	if (n <= COPY_UP_TO) {
		buf_add(&s->out, data, n);
		return s->out.n < SEND_AT ? 0 : sftp_flush(s, e);
	}
	if (sftp_flush(s, e) < 0)
		return -1;
	return write_all(s, data, n, e);
}

/* ----------------------------------------------------------- receiving */

int
sftp_fill(struct sftp *s, struct err *e)
{
	int64_t begin = clock_ms(), left;
	ssize_t n;

	do {
		if (cleanup_check(e) < 0)
			return -1;
		left = s->silence - (clock_ms() - begin);
		if (left <= 0)
			return err_set(e, ERR_AGAIN, "the far side has said "
			    "nothing for %d ms", s->silence);
		if (left > POLL_MS)
			left = POLL_MS;
		n = s->stream->read(s->stream->arg, s->in + s->in_n,
		    SFTP_IN_SIZE - s->in_n, (int)left, e);
	} while (n == 0);
	if (n < 0)
		return -1;
	s->in_n += (size_t)n;
	return 0;
}

void
sftp_drop(struct sftp *s, size_t n)
{
	s->in_n -= n;
	memmove(s->in, s->in + n, s->in_n);
}

static int
dispatch(struct sftp *s, struct packet *answer, struct err *e)
{
	struct sftp_request r;

	if (end_request(s, answer, &r, e) < 0)
		return -1;
	return r.answered == NULL ? 0 : r.answered(s, &r, answer, e);
}

/* All packets that are whole; returns how many bytes they were. */
static ssize_t
take_answers(struct sftp *s, struct err *e)
{
	struct packet answer;
	size_t done = 0;
	ssize_t n;

	while ((n = packet_frame(&answer, s->in + done, s->in_n - done,
	    e)) > 0) {
		done += (size_t)n;
		if (dispatch(s, &answer, e) < 0)
			return -1;
	}
	if (n < 0)
		return -1;
	if (done > 0)
		sftp_drop(s, done);
	return (ssize_t)done;
}

int
sftp_wait(struct sftp *s, struct err *e)
{
	ssize_t n = 0;

	if (sftp_flush(s, e) < 0)
		return -1;
	if (s->n_free == SFTP_IN_FLIGHT)
		return err_set(e, ERR_BUG, "there is no answer to wait for");
	while (n == 0) {
		if (sftp_fill(s, e) < 0)
			return sftp_break(s, e);
		n = take_answers(s, e);
	}
	return n < 0 ? sftp_break(s, e) : 0;
}
