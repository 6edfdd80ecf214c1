/*
 * A channel as a stream of sftp. libssh reads and writes for one thread, and
 * either may have to wait for the other side to do the opposite.
 */
#include <libssh/libssh.h>
#include <poll.h>
#include <string.h>

#include "lib/ssh/remote_parts.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define STALL_MS SFTP_SILENCE_MS	/* nothing is taken for so long */
#define CHUNK ((size_t)256 << 10)	/* what libssh is given at once */
#define TAKEN_LIMIT ((size_t)32 << 20)	/* bytes; more is in no flight */
#define TEXT_LIMIT ((size_t)512)	/* of what was not asked for */
/*
 * What the other side may send in one round trip. libssh 0.10 opens a window
 * of 1.2 MiB and opens it again when half of it is gone, unless more than that
 * is asked for at once: then it opens it by so much. 0.11 has 2 MiB anyway.
 */
#define WINDOW ((size_t)3 << 20)
#define WINDOW_STEP ((size_t)512 << 10)	/* not for every packet */

/* Nothing more will come; a line that was cut is no end of the channel. */
static int
say_end(struct remote *r, struct err *e)
{
	const char *why = ssh_get_error(r->session);

	if (!ssh_is_connected(r->session))
		return err_set(e, ERR_AGAIN, "%s: the connection was cut%s%s",
		    r->name, *why != '\0' ? ": " : "", why);
	if (r->has_read)
		return err_set(e, ERR_AGAIN, "%s: sftp ended", r->name);
	return err_set(e, ERR_PROTOCOL, "%s: sftp ended before it began: may "
	    "this account use it?", r->name);
}

/* ------------------------------------------------------------------ reading */

/*
 * The first four bytes of sftp are the length of a short packet. A shell
 * whose start-up files print something comes before it.
 */
static int
check_first(struct remote *r, const char *data, size_t n, struct err *e)
{
	r->has_read = true;
	if (data[0] == '\0')
		return 0;
	buf_clear(&r->text);
	buf_add(&r->text, data, n < TEXT_LIMIT ? n : TEXT_LIMIT);
	return err_set(e, ERR_PROTOCOL, "%s: instead of sftp comes '%s': does "
	    "a shell print it?", r->name, remote_first_line(r));
}

/*
 * What libssh has, or gets within ms, behind what was taken in before. That
 * nothing came in time is 0 to libssh 0.10, like the end, and SSH_AGAIN to
 * 0.11: here it is 0, and -1 is the end.
 */
static int
receive(struct remote *r, int ms, struct err *e)
{
	size_t most = r->since_window < WINDOW_STEP ? CHUNK : WINDOW;
	int got = ssh_channel_read_timeout(r->channel,
	    buf_room(&r->taken, most), (uint32_t)most, 0, ms);

	if (got > 0) {
		r->taken.n += (size_t)got;
		r->since_window = most == WINDOW ? 0 :
		    r->since_window + (size_t)got;
		return got;
	}
	remote_drop_stderr(r);
	if ((got != 0 && got != SSH_AGAIN) ||
	    ssh_channel_is_eof(r->channel) ||
	    ssh_channel_is_closed(r->channel) ||
	    !ssh_is_connected(r->session))
		return say_end(r, e);
	return 0;
}

/* What was taken in comes first. */
static ssize_t
read_taken(struct remote *r, void *data, size_t n)
{
	size_t left = r->taken.n - r->taken_from;

	if (n > left)
		n = left;
	memcpy(data, r->taken.p + r->taken_from, n);
	r->taken_from += n;
	if (r->taken_from == r->taken.n)
		r->taken.n = r->taken_from = 0;
	return (ssize_t)n;
}

static ssize_t
stream_read(void *arg, void *data, size_t n, int ms, struct err *e)
{
	struct remote *r = arg;
	int64_t deadline = clock_ms() + ms, left = ms;
	int got = 0;

	while (r->taken.n == 0 && left > 0) {
		if (cleanup_check(e) < 0)
			return -1;
		got = receive(r, left < REMOTE_SLICE_MS ? (int)left :
		    REMOTE_SLICE_MS, e);
		if (got < 0 || (got > 0 && !r->has_read &&
		    check_first(r, r->taken.p, r->taken.n, e) < 0))
			return -1;
		left = deadline - clock_ms();
	}
	return r->taken.n > 0 ? read_taken(r, data, n) : 0;
}

/* ------------------------------------------------------------------ writing */

/*
 * The other side does not read on while it cannot write: what it has to say
 * must be taken in, or both wait for ever. libssh opens its window only for
 * what is read from it. An end is for the reader to find.
 */
static int
take_in(struct remote *r, struct err *e)
{
	struct err end = ERR_INIT;

	if (r->taken_from > 0) {
		r->taken.n -= r->taken_from;
		memmove(r->taken.p, r->taken.p + r->taken_from, r->taken.n);
		r->taken_from = 0;
	}
	while (receive(r, 0, &end) > 0)
		if (r->taken.n > TAKEN_LIMIT)
			return err_set(e, ERR_PROTOCOL, "%s: says more than it "
			    "was asked for", r->name);
	return 0;
}

/* The window is shut, or the line is full: whatever comes is taken in. */
static int
wait_to_write(struct remote *r, int64_t deadline, struct err *e)
{
	struct pollfd p = {.fd = ssh_get_fd(r->session), .events = POLLIN};

	if (cleanup_check(e) < 0 || take_in(r, e) < 0)
		return -1;
	if (clock_ms() >= deadline)
		return err_set(e, ERR_AGAIN, "%s: takes no more data",
		    r->name);
	if (p.fd < 0)
		return say_end(r, e);
	(void)poll(&p, 1, REMOTE_SLICE_MS);
	return 0;
}

/* All that libssh has accepted is on its way, so that it need not keep it. */
static int
flush(struct remote *r, struct err *e)
{
	int64_t deadline = clock_ms() + STALL_MS;
	int status;

	while ((status = ssh_blocking_flush(r->session,
	    REMOTE_SLICE_MS)) == SSH_AGAIN) {
		if (cleanup_check(e) < 0)
			return -1;
		if (clock_ms() >= deadline)
			return err_set(e, ERR_AGAIN, "%s: takes no more data",
			    r->name);
	}
	return status == SSH_OK ? 0 : say_end(r, e);
}

static int
stream_write(void *arg, const void *data, size_t n, struct err *e)
{
	struct remote *r = arg;
	int64_t deadline = clock_ms() + STALL_MS;
	const char *p = data;
	int done;

	while (n > 0) {
		if (ssh_channel_is_closed(r->channel) ||
		    !ssh_is_connected(r->session))
			return say_end(r, e);
		done = ssh_channel_write(r->channel, p,
		    n < CHUNK ? (uint32_t)n : (uint32_t)CHUNK);
		if (done < 0 && done != SSH_AGAIN)
			return say_end(r, e);
		if (done <= 0) {
			if (wait_to_write(r, deadline, e) < 0)
				return -1;
			continue;
		}
		p += done;
		n -= (size_t)done;
		if (flush(r, e) < 0)
			return -1;
		deadline = clock_ms() + STALL_MS;
	}
	return 0;
}

/* ------------------------------------------------------------ the subsystem */

static int
request_sftp(struct remote *r, struct err *e)
{
	int status;

	while ((status = ssh_channel_request_sftp(r->channel)) == SSH_AGAIN)
		if (remote_wait(r, e) < 0)
			return err_wrap(e, "ask for sftp");
	if (status == SSH_OK)
		return 0;
	if (ssh_is_connected(r->session))
		return err_set(e, ERR_PROTOCOL, "it has no sftp subsystem for "
		    "this account");
	return remote_cut(r, "ask for sftp", e);
}

int
remote_stream_open(struct remote *r, struct err *e)
{
	r->stream = (struct sftp_stream){
		.arg = r, .read = stream_read, .write = stream_write,
	};
	return remote_channel_open(r, e) < 0 ? -1 : request_sftp(r, e);
}
