/*
 * Commands on the far side, one after the other on one connection. Where they
 * are none that the account may run, whatever else it runs gets an end of
 * input, and ends.
 */
#include <libssh/libssh.h>

#include "lib/ssh/remote_parts.h"
#include "lib/sys/clock.h"

#define BEGIN_MS 10000	/* until the far side has said yes or no */
#define ROOM ((size_t)16 << 10)
#define TRIES 20
#define PAUSE_MS 50

static void
end_channel(struct remote *r)
{
	if (r->channel != NULL)
		ssh_channel_free(r->channel);
	r->channel = NULL;
}

static int
request(struct remote *r, const char *command, struct err *e)
{
	int status;

	while ((status = ssh_channel_request_exec(r->channel, command)) ==
	    SSH_AGAIN)
		if (remote_wait(r, e) < 0)
			return err_wrap(e, "ask for a command");
	if (status != SSH_OK && ssh_is_connected(r->session))
		return err_set(e, ERR_PROTOCOL, "it runs no commands for this "
		    "account");
	if (status != SSH_OK || ssh_channel_send_eof(r->channel) == SSH_ERROR)
		return remote_cut(r, "ask for a command", e);
	return 0;
}

/*
 * Where an account may have one session at a time, the one before may not have
 * come to its end yet: sshd says so after its output has ended.
 */
static int
open_after(struct remote *r, bool is_first, struct err *e)
{
	int tries = 0;

	while (remote_channel_open(r, e) < 0) {
		end_channel(r);
		if (is_first || e->kind != ERR_PROTOCOL || ++tries == TRIES ||
		    clock_sleep(PAUSE_MS, e) < 0)
			return -1;
		*e = (struct err)ERR_INIT;
	}
	return 0;
}

int
remote_run(struct remote *r, const char *command, struct err *e)
{
	bool is_first = r->channel == NULL;

	end_channel(r);
	r->deadline = clock_ms() + BEGIN_MS;
	if (open_after(r, is_first, e) < 0)
		return -1;
	return request(r, command, e);
}

int
remote_run_read(struct remote *r, struct buf *out, size_t max, int ms,
    struct err *e)
{
	int got = ssh_channel_read_timeout(r->channel, buf_room(out, ROOM),
	    (uint32_t)ROOM, 0, ms);

	if (got > 0) {
		out->n += (size_t)got;
		if (out->n <= max)
			return 0;
		return err_set(e, ERR_PROTOCOL, "it says more than %zu bytes",
		    max);
	}
	remote_drop_stderr(r);
	if (!ssh_is_connected(r->session) || (got != 0 && got != SSH_AGAIN &&
	    got != SSH_EOF))
		return remote_cut(r, "wait for a command", e);
	return ssh_channel_is_eof(r->channel) ||
	    ssh_channel_is_closed(r->channel) ? 1 : 0;
}
