#include "lib/ssh/sftp_request.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define VERSION_SPOKEN 3
#define CHUNK_USUAL ((size_t)32 << 10)	/* what every server must take */
#define CHUNK_MIN 4096
#define CHUNK_MAX ((size_t)255 << 10)
#define AROUND_DATA 1024	/* the rest of a packet that has data */
#define HANDLES_MAX 100

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
		{"fsync@openssh.com", "1", &s->has_fsync},
		{"limits@openssh.com", "1", &s->has_limits},
		{"statvfs@openssh.com", "2", &s->has_statvfs},
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
judge_hello(struct sftp *s, struct packet *a, struct err *e)
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
		    "the far side speaks version %u of SFTP, not 3", version);
	return 0;
}

static int
say_hello(struct sftp *s, struct err *e)
{
	struct packet a;
	ssize_t n;

	s->begun = packet_begin(&s->out, PACKET_INIT);
	packet_u32(&s->out, VERSION_SPOKEN);
	packet_end(&s->out, s->begun, 0);
	if (sftp_flush(s, e) < 0)
		return -1;
	while ((n = packet_frame(&a, s->in, s->in_n, e)) == 0)
		if (sftp_fill(s, e) < 0)
			return -1;
	/* whose length is four letters was not meant to be a packet */
	if (n < 0 || judge_hello(s, &a, e) < 0)
		return err_wrap(e, "this is not SFTP, unless a login script "
		    "there has printed something");
	sftp_drop(s, (size_t)n);
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
	s->handles = lower(s->handles, packet_get_u64(a), 0);
	if (packet_check(a, e) < 0)
		return -1;
	if (chunk < CHUNK_MIN)
		return err_set(e, ERR_PROTOCOL,
		    "the far side takes no more than %zu bytes at once",
		    chunk);
	s->chunk = chunk;
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
	s->chunk = CHUNK_USUAL;
	s->handles = HANDLES_MAX;
	s->in = mem_alloc(SFTP_IN_SIZE);
	clear_table(s);
	if (say_hello(s, e) < 0 || (s->has_limits && ask_limits(s, e) < 0)) {
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
	free(s->loaded);
	free(s);
}

void
sftp_set_silence(struct sftp *s, int ms)
{
	s->silence = ms;
}
