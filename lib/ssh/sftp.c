#include "lib/ssh/sftp.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define VERSION_SPOKEN 3
#define CHUNK_USUAL ((size_t)32 << 10)	/* what every server must take */
#define CHUNK_MIN 4096
#define CHUNK_MAX ((size_t)255 << 10)
#define AROUND_DATA 1024	/* the rest of a packet that has data */
#define HANDLES_MAX 100
#define POLL_MS 100		/* how soon a signal is noticed */
#define SEND_AT ((size_t)32 << 10)	/* small packets travel together */
#define COPY_UP_TO ((size_t)8 << 10)
#define IN_SIZE (2 * (PACKET_LIMIT + sizeof(uint32_t)))

struct sftp {
	const struct sftp_stream *stream;
	int silence;
	struct err broken;	/* why it cannot be used any more */

	struct sftp_peer peer;
	bool has_limits;

	struct sftp_request requests[SFTP_IN_FLIGHT];
	uint32_t serial;
	uint32_t free[SFTP_IN_FLIGHT];
	size_t n_free;
	size_t reading;		/* the sums of the table's */
	size_t writing;

	struct buf out;		/* packets not yet sent */
	size_t begun;		/* where the last one begins */
	unsigned char *in;	/* IN_SIZE; what came and was not taken */
	size_t in_n;

	struct buf kept;	/* the answer of sftp_call */
	struct packet answer;
	bool is_answered;
};

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
	be32_add(&s->out, r->id);
	return r;
}

struct buf *
sftp_out(struct sftp *s)
{
	return &s->out;
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
		    "the server answered a request that was not made");
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
		    "a signal has cut the connection");
	return -1;
}

static int
flush(struct sftp *s, struct err *e)
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
		return s->out.n < SEND_AT ? 0 : flush(s, e);
	}
	if (flush(s, e) < 0)
		return -1;
	return write_all(s, data, n, e);
}

/* ----------------------------------------------------------- receiving */

static int
fill(struct sftp *s, struct err *e)
{
	int64_t begin = clock_ms(), left;
	ssize_t n;

	do {
		if (cleanup_check(e) < 0)
			return -1;
		left = s->silence - (clock_ms() - begin);
		if (left <= 0)
			return err_set(e, ERR_AGAIN, "the server has sent "
			    "nothing for %d ms", s->silence);
		if (left > POLL_MS)
			left = POLL_MS;
		n = s->stream->read(s->stream->arg, s->in + s->in_n,
		    IN_SIZE - s->in_n, (int)left, e);
	} while (n == 0);
	if (n < 0)
		return -1;
	s->in_n += (size_t)n;
	return 0;
}

static void
drop(struct sftp *s, size_t n)
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
		drop(s, done);
	return (ssize_t)done;
}

int
sftp_wait(struct sftp *s, struct err *e)
{
	ssize_t n = 0;

	if (flush(s, e) < 0)
		return -1;
	if (s->n_free == SFTP_IN_FLIGHT)
		return err_set(e, ERR_BUG, "there is no answer to wait for");
	while (n == 0) {
		if (fill(s, e) < 0)
			return sftp_break(s, e);
		n = take_answers(s, e);
	}
	return n < 0 ? sftp_break(s, e) : 0;
}

/* -------------------------------------------------------------- fields */

void
sftp_add_handle(struct sftp *s, const struct sftp_handle *h)
{
	packet_bytes(&s->out, h->bytes, h->n);
}

void
sftp_add_open(struct sftp *s, const char *path, uint32_t flags)
{
	packet_string(&s->out, path);
	be32_add(&s->out, flags);
	be32_add(&s->out, PACKET_HAS_MODE);
	be32_add(&s->out, 0644);
}

int
sftp_get_handle(struct packet *a, struct sftp_handle *h, struct err *e)
{
	const unsigned char *p;
	size_t n;

	if (packet_expect(a, PACKET_HANDLE, e) < 0)
		return -1;
	p = packet_get_bytes(a, &n);
	if (packet_check(a, e) < 0)
		return -1;
	if (n == 0 || n > sizeof(h->bytes))
		return err_set(e, ERR_PROTOCOL,
		    "the server sent a file handle of %zu bytes", n);
	memcpy(h->bytes, p, n);
	h->n = n;
	return 0;
}

const unsigned char *
sftp_get_data(struct packet *a, size_t max, size_t *n, struct err *e)
{
	const unsigned char *p;

	if (packet_expect(a, PACKET_DATA, e) < 0)
		return NULL;
	p = packet_get_bytes(a, n);
	if (packet_check(a, e) < 0)
		return NULL;
	if (*n == 0 || *n > max) {
		err_set(e, ERR_PROTOCOL, "the server sent %zu bytes where "
		    "%zu were asked for", *n, max);
		return NULL;
	}
	return p;
}

/* --------------------------------------------------------------- calls */

static int
keep(struct sftp *s, const struct sftp_request *r, struct packet *answer,
    struct err *e)
{
	(void)r;
	(void)e;
	s->kept.n = 0;
	buf_add(&s->kept, answer->p, answer->n);
	s->answer = *answer;
	s->answer.p = (const unsigned char *)s->kept.p;
	s->is_answered = true;
	return 0;
}

struct sftp_request *
sftp_call_begin(struct sftp *s, enum packet_type type, struct err *e)
{
	while (!sftp_has_room(s))
		if (sftp_wait(s, e) < 0)
			return NULL;
	return sftp_begin(s, type);
}

struct packet *
sftp_call(struct sftp *s, struct sftp_request *r, struct err *e)
{
	r->answered = keep;
	s->is_answered = false;
	if (sftp_send(s, r, NULL, 0, e) < 0)
		return NULL;
	while (!s->is_answered)
		if (sftp_wait(s, e) < 0)
			return NULL;
	return &s->answer;
}

int
sftp_call_status(struct sftp *s, struct sftp_request *r,
    struct packet_status *status, struct err *e)
{
	struct packet *a = sftp_call(s, r, e);

	if (a == NULL)
		return -1;
	return packet_get_status(a, status, e) < 0 ? sftp_break(s, e) : 0;
}

int
sftp_call_attributes(struct sftp *s, struct sftp_request *r,
    struct sftp_attributes *a, struct packet_status *status, struct err *e)
{
	struct packet *answer = sftp_call(s, r, e);
	int found;

	if (answer == NULL)
		return -1;
	found = packet_judge_attributes(answer, a, status, e);
	return found < 0 ? sftp_break(s, e) : found;
}

int
sftp_call_open(struct sftp *s, struct sftp_request *r, const char *path,
    struct sftp_handle *h, struct err *e)
{
	struct packet *a = sftp_call(s, r, e);
	struct packet_status status;

	if (a == NULL)
		return -1;
	if (a->type != PACKET_STATUS)
		return sftp_get_handle(a, h, e) < 0 ? sftp_break(s, e) : 0;
	if (packet_get_refusal(a, &status, e) < 0)
		return sftp_break(s, e);
	return packet_status_err(&status, e, "open '%s'", path);
}

int
sftp_open_to_read(struct sftp *s, const char *path, struct sftp_handle *h,
    struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_OPEN, e);

	if (r == NULL)
		return -1;
	sftp_add_open(s, path, PACKET_FOR_READING);
	return sftp_call_open(s, r, path, h, e);
}

/* Only reading is over: what the server says of it does not matter. */
static int
sftp_close_handle(struct sftp *s, const struct sftp_handle *h, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_CLOSE, e);
	struct packet_status status;

	if (r == NULL)
		return -1;
	sftp_add_handle(s, h);
	return sftp_call_status(s, r, &status, e);
}

int
sftp_close_after(struct sftp *s, const struct sftp_handle *h, int done,
    struct err *e)
{
	struct err unused = ERR_INIT;

	return sftp_close_handle(s, h, done < 0 ? &unused : e) < 0 ? -1 : done;
}

/* --------------------------------------------------------------- hello */

static bool
is_word(const unsigned char *p, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(p, word, n) == 0;
}

/* What PROTOCOL of OpenSSH describes, by name and version. */
static void
note_extensions(struct sftp *s, struct packet *a)
{
	struct {
		const char *name, *version;
		bool *has;
	} known[] = {
		{"fsync@openssh.com", "1", &s->peer.has_fsync},
		{"limits@openssh.com", "1", &s->has_limits},
		{"statvfs@openssh.com", "2", &s->peer.has_statvfs},
	};
	const unsigned char *name, *version;
	size_t i, n, m;

	while (a->n > 0) {
		name = packet_get_bytes(a, &n);
		version = packet_get_bytes(a, &m);
		for (i = 0; !a->is_short && i < COUNT(known); i++)
			if (is_word(name, n, known[i].name) &&
			    is_word(version, m, known[i].version))
				*known[i].has = true;
	}
}

static int
read_greeting(struct sftp *s, struct packet *a, struct err *e)
{
	uint32_t version;

	if (packet_expect(a, PACKET_VERSION, e) < 0)
		return -1;
	version = packet_get_u32(a);
	note_extensions(s, a);
	if (packet_check(a, e) < 0)
		return -1;
	if (version != VERSION_SPOKEN)
		return err_set(e, ERR_PROTOCOL,
		    "the server speaks version %u of SFTP, not 3", version);
	return 0;
}

static int
greet(struct sftp *s, struct err *e)
{
	struct packet a;
	ssize_t n;

	s->begun = packet_begin(&s->out, PACKET_INIT);
	be32_add(&s->out, VERSION_SPOKEN);
	packet_end(&s->out, s->begun, 0);
	if (flush(s, e) < 0)
		return -1;
	while ((n = packet_frame(&a, s->in, s->in_n, e)) == 0)
		if (fill(s, e) < 0)
			return -1;
	/* whose length is four letters was not meant to be a packet */
	if (n < 0 || read_greeting(s, &a, e) < 0)
		return err_wrap(e, "the server does not speak SFTP, or a "
		    "login script printed something first");
	drop(s, (size_t)n);
	return 0;
}

static size_t
lower(size_t now, uint64_t limit, size_t off)
{
	if (limit == 0)		/* it does not tell */
		return now;
	limit = limit > off ? limit - off : 0;
	return limit < now ? (size_t)limit : now;
}

static int
ask_limits(struct sftp *s, struct err *e)
{
	struct sftp_request *r;
	struct packet *a;
	size_t chunk = CHUNK_MAX;

	if ((r = sftp_call_begin(s, PACKET_EXTENDED, e)) == NULL)
		return -1;
	packet_string(&s->out, "limits@openssh.com");
	if ((a = sftp_call(s, r, e)) == NULL)
		return -1;
	if (a->type == PACKET_STATUS)
		return 0;
	if (packet_expect(a, PACKET_EXTENDED_REPLY, e) < 0)
		return -1;
	chunk = lower(chunk, packet_get_u64(a), AROUND_DATA);
	chunk = lower(chunk, packet_get_u64(a), 0);
	chunk = lower(chunk, packet_get_u64(a), 0);
	s->peer.handles = lower(s->peer.handles, packet_get_u64(a), 0);
	if (packet_check(a, e) < 0)
		return -1;
	if (chunk < CHUNK_MIN)
		return err_set(e, ERR_PROTOCOL,
		    "the server takes only %zu bytes at once",
		    chunk);
	s->peer.chunk = chunk;
	return 0;
}

static void
clear_table(struct sftp *s)
{
	for (s->n_free = 0; s->n_free < SFTP_IN_FLIGHT; s->n_free++)
		s->free[s->n_free] = (uint32_t)s->n_free;
}

struct sftp *
sftp_open(const struct sftp_stream *stream, struct err *e)
{
	struct sftp *s = mem_zero(1, sizeof(*s));

	s->stream = stream;
	s->silence = SFTP_SILENCE_MS;
	s->peer.chunk = CHUNK_USUAL;
	s->peer.handles = HANDLES_MAX;
	s->in = mem_alloc(IN_SIZE);
	clear_table(s);
	if (greet(s, e) < 0 || (s->has_limits && ask_limits(s, e) < 0)) {
		sftp_close(s);
		return NULL;
	}
	return s;
}

void
sftp_close(struct sftp *s)
{
	if (s == NULL)
		return;
	buf_clear(&s->out);
	buf_clear(&s->kept);
	free(s->in);
	free(s);
}

const struct sftp_peer *
sftp_peer(const struct sftp *s)
{
	return &s->peer;
}

void
sftp_lacks_fsync(struct sftp *s)
{
	s->peer.has_fsync = false;
}

void
sftp_set_silence(struct sftp *s, int ms)
{
	s->silence = ms;
}
