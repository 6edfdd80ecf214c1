/*
 * libssh reads and writes for one thread, and either may have to wait for the
 * other side to do the opposite.
 */
#include "lib/ssh/subsystem.h"

#include <libssh/libssh.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/ssh/connect.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define STALL_MS SFTP_SILENCE_MS	/* nothing is taken for so long */
#define CHUNK ((size_t)256 << 10)	/* what libssh is given at once */
#define TAKEN_LIMIT ((size_t)32 << 20)	/* bytes; more is in no flight */
#define TEXT_LIMIT ((size_t)512)	/* of what was not asked for */
/*
 * What the server may send in one round trip. libssh 0.10 opens a window
 * of 1.2 MiB and opens it again when half of it is gone, unless more than that
 * is asked for at once: then it opens it by so much. 0.11 has 2 MiB anyway.
 */
#define WINDOW ((size_t)3 << 20)
#define WINDOW_STEP ((size_t)512 << 10)	/* not for every packet */

struct subsystem {
	struct session *session;
	ssh_session libssh;		/* the session's */
	ssh_channel channel;
	struct sftp_stream stream;
	unsigned round_trip;		/* microseconds; of a proxy's line */
	bool has_read;
	struct buf taken;		/* came, and is not read yet: */
	size_t taken_from;		/* from here on */
	size_t since_window;		/* bytes that came since it was open */
};

/* Nothing more will come; a line that was cut is no end of the channel. */
static int
say_end(struct subsystem *s, struct err *e)
{
	const char *why = ssh_get_error(s->libssh);

	if (!ssh_is_connected(s->libssh))
		return err_set(e, ERR_AGAIN, "%s: the connection was cut%s%s",
		    session_name(s->session), *why != '\0' ? ": " : "", why);
	if (s->has_read)
		return err_set(e, ERR_AGAIN, "%s: the sftp server has exited",
		    session_name(s->session));
	return err_set(e, ERR_PROTOCOL, "%s: the sftp server exited at once: "
	    "may this account use it?", session_name(s->session));
}

/* ------------------------------------------------------------------ reading */

/*
 * What is written to stderr there is nobody's business, but as long as it is
 * not read, libssh tells of no end.
 */
static void
drop_stderr(struct subsystem *s)
{
	char text[1024];
	int i;

	/* not for as long as a server sends: the caller has a deadline */
	for (i = 0; i < 1024; i++)
		if (ssh_channel_read_nonblocking(s->channel, text,
		    sizeof(text), 1) <= 0)
			return;
}

/*
 * The first four bytes of sftp are the length of a short packet. A shell
 * whose start-up files print something comes before it.
 */
static int
check_first(struct subsystem *s, const char *data, size_t n, struct err *e)
{
	char text[TEXT_LIMIT];

	s->has_read = true;
	if (data[0] == '\0')
		return 0;
	n = n < sizeof(text) ? n : sizeof(text) - 1;
	memcpy(text, data, n);
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return err_set(e, ERR_PROTOCOL, "%s: expected sftp, got '%s': does a "
	    "login script print it?", session_name(s->session), text);
}

/*
 * What libssh has, or gets within ms, behind what was taken in before. That
 * nothing came in time is 0 to libssh 0.10, like the end, and SSH_AGAIN to
 * 0.11: here it is 0, and -1 is the end.
 */
static int
receive(struct subsystem *s, int ms, struct err *e)
{
	size_t most = s->since_window < WINDOW_STEP ? CHUNK : WINDOW;
	int got = ssh_channel_read_timeout(s->channel,
	    buf_room(&s->taken, most), (uint32_t)most, 0, ms);

	if (got > 0) {
		s->taken.n += (size_t)got;
		s->since_window = most == WINDOW ? 0 :
		    s->since_window + (size_t)got;
		return got;
	}
	drop_stderr(s);
	if ((got != 0 && got != SSH_AGAIN) ||
	    ssh_channel_is_eof(s->channel) ||
	    ssh_channel_is_closed(s->channel) ||
	    !ssh_is_connected(s->libssh))
		return say_end(s, e);
	return 0;
}

/* What was taken in comes first. */
static ssize_t
read_taken(struct subsystem *s, void *data, size_t n)
{
	size_t left = s->taken.n - s->taken_from;

	if (n > left)
		n = left;
	memcpy(data, s->taken.p + s->taken_from, n);
	s->taken_from += n;
	if (s->taken_from == s->taken.n)
		s->taken.n = s->taken_from = 0;
	return (ssize_t)n;
}

static ssize_t
stream_read(void *arg, void *data, size_t n, int ms, struct err *e)
{
	struct subsystem *s = arg;
	int64_t deadline = clock_ms() + ms, left = ms;
	int got = 0;

	while (s->taken.n == 0 && left > 0) {
		if (cleanup_check(e) < 0)
			return -1;
		got = receive(s, left < SLICE_MS ? (int)left :
		    SLICE_MS, e);
		if (got < 0 || (got > 0 && !s->has_read &&
		    check_first(s, s->taken.p, s->taken.n, e) < 0))
			return -1;
		left = deadline - clock_ms();
	}
	return s->taken.n > 0 ? read_taken(s, data, n) : 0;
}

/* ------------------------------------------------------------------ writing */

/*
 * The server does not read on while it cannot write: what it has to say
 * must be taken in, or both wait for ever. libssh opens its window only for
 * what is read from it. An end is for the reader to find.
 */
static int
take_in(struct subsystem *s, struct err *e)
{
	struct err end = ERR_INIT;

	if (s->taken_from > 0) {
		s->taken.n -= s->taken_from;
		memmove(s->taken.p, s->taken.p + s->taken_from, s->taken.n);
		s->taken_from = 0;
	}
	while (receive(s, 0, &end) > 0)
		if (s->taken.n > TAKEN_LIMIT)
			return err_set(e, ERR_PROTOCOL, "%s: the server sends "
			    "more than it was asked for",
			    session_name(s->session));
	return 0;
}

static int
say_full(struct subsystem *s, struct err *e)
{
	return err_set(e, ERR_AGAIN, "%s: the server accepts no more data",
	    session_name(s->session));
}

/* The window is shut, or the line is full: whatever comes is taken in. */
static int
wait_to_write(struct subsystem *s, int64_t deadline, struct err *e)
{
	struct pollfd p = {.fd = ssh_get_fd(s->libssh), .events = POLLIN};

	if (cleanup_check(e) < 0 || take_in(s, e) < 0)
		return -1;
	if (clock_ms() >= deadline)
		return say_full(s, e);
	if (p.fd < 0)
		return say_end(s, e);
	(void)poll(&p, 1, SLICE_MS);
	return 0;
}

/* All that libssh has accepted is on its way, so that it need not keep it. */
static int
flush(struct subsystem *s, struct err *e)
{
	int64_t deadline = clock_ms() + STALL_MS;
	int status;

	while ((status = ssh_blocking_flush(s->libssh,
	    SLICE_MS)) == SSH_AGAIN) {
		if (cleanup_check(e) < 0)
			return -1;
		if (clock_ms() >= deadline)
			return say_full(s, e);
	}
	return status == SSH_OK ? 0 : say_end(s, e);
}

static int
stream_write(void *arg, const void *data, size_t n, struct err *e)
{
	struct subsystem *s = arg;
	int64_t deadline = clock_ms() + STALL_MS;
	const char *p = data;
	int done;

	while (n > 0) {
		if (ssh_channel_is_closed(s->channel) ||
		    !ssh_is_connected(s->libssh))
			return say_end(s, e);
		done = ssh_channel_write(s->channel, p,
		    n < CHUNK ? (uint32_t)n : (uint32_t)CHUNK);
		if (done < 0 && done != SSH_AGAIN)
			return say_end(s, e);
		if (done <= 0) {
			if (wait_to_write(s, deadline, e) < 0)
				return -1;
			continue;
		}
		p += done;
		n -= (size_t)done;
		if (flush(s, e) < 0)
			return -1;
		deadline = clock_ms() + STALL_MS;
	}
	return 0;
}

/* -------------------------------------------------------------- open, close */

static int
open_channel(struct subsystem *s, struct err *e)
{
	int64_t start = clock_ms();
	int status;

	s->channel = ssh_channel_new(s->libssh);
	if (s->channel == NULL)
		return session_cut(s->session, "open a channel", e);
	while ((status = ssh_channel_open_session(s->channel)) == SSH_AGAIN)
		if (session_wait(s->session, e) < 0)
			return err_wrap(e, "open a channel");
	s->round_trip = (unsigned)(clock_ms() - start) * 1000;
	if (status == SSH_OK)
		return 0;
	if (ssh_is_connected(s->libssh))
		return err_set(e, ERR_PROTOCOL, "the server refuses to open a "
		    "channel: %s",
		    ssh_get_error(s->libssh));
	return err_set(e, ERR_AGAIN, "the server closed the connection "
	    "after the login (%s): if it does so again, look in the log of "
	    "its sshd for the reason, for example a ChrootDirectory that not "
	    "only root can write to",
	    ssh_get_error(s->libssh));
}

static int
request_sftp(struct subsystem *s, struct err *e)
{
	int status;

	while ((status = ssh_channel_request_sftp(s->channel)) == SSH_AGAIN)
		if (session_wait(s->session, e) < 0)
			return err_wrap(e, "ask for sftp");
	if (status == SSH_OK)
		return 0;
	if (ssh_is_connected(s->libssh))
		return err_set(e, ERR_PROTOCOL, "the server has no sftp "
		    "subsystem for this account");
	return session_cut(s->session, "ask for sftp", e);
}

struct subsystem *
subsystem_open(struct session *session, struct err *e)
{
	struct subsystem *s = mem_zero(1, sizeof(*s));

	s->session = session;
	s->libssh = session_libssh(session);
	s->stream = (struct sftp_stream){
		.arg = s, .read = stream_read, .write = stream_write,
	};
	if (open_channel(s, e) == 0 && request_sftp(s, e) == 0)
		return s;
	subsystem_close(s);
	return NULL;
}

void
subsystem_close(struct subsystem *s)
{
	if (s == NULL)
		return;
	if (s->channel != NULL)
		ssh_channel_free(s->channel);
	buf_clear(&s->taken);
	free(s);
}

const struct sftp_stream *
subsystem_stream(const struct subsystem *s)
{
	return &s->stream;
}

unsigned
subsystem_round_trip(const struct subsystem *s)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	/* with a host or a proxy between, the kernel knows the first part */
	if (getsockopt(ssh_get_fd(s->libssh), IPPROTO_TCP, TCP_INFO, &info,
	    &size) == 0 && info.tcpi_rtt > s->round_trip)
		return info.tcpi_rtt;
	return s->round_trip;
}
