#include "lib/ssh/remote.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/ssh/remote_parts.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define CONNECT_MS 30000	/* where a target does not say */
#define GREETING_MS 300		/* most servers greet sooner */

/* ----------------------------------------------------- waiting, and failing */

/* One line of what came, or what there is of it. */
const char *
remote_first_line(struct remote *r)
{
	r->text.p[strcspn(r->text.p, "\r\n")] = '\0';
	return r->text.p;
}

/*
 * Before libssh takes it: something that is no SSH says so in its first line,
 * which libssh passes over while it waits for a better one.
 */
static void
peek(struct remote *r, int fd)
{
	char data[128];
	ssize_t n = recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);

	if (n < 4 || memcmp(data, "SSH-", 4) == 0 || r->text.n > 0)
		return;
	buf_add(&r->text, data, (size_t)n);
}

int
remote_wait(struct remote *r, struct err *e)
{
	struct pollfd p = {.fd = ssh_get_fd(r->session), .events = POLLIN};
	int ms = remote_slice(r->deadline, e);

	if (ms < 0)
		return -1;
	if (p.fd < 0)
		return err_set(e, ERR_AGAIN, "the connection was cut");
	if (ssh_get_poll_flags(r->session) & SSH_WRITE_PENDING)
		p.events |= POLLOUT;
	if (poll(&p, 1, ms) > 0 && (p.revents & POLLIN) &&
	    ssh_get_serverbanner(r->session) == NULL)
		peek(r, p.fd);
	return 0;
}

int
remote_cut(struct remote *r, const char *doing, struct err *e)
{
	const char *why = ssh_get_error(r->session);

	return err_set(e, ERR_AGAIN, "%s: %s", doing, why != NULL &&
	    *why != '\0' ? why : "the connection was cut");
}

/* --------------------------------------------------------------- connecting */

/* Why the other side and we did not come to talk. */
static int
say_no_ssh(struct remote *r, struct err *e)
{
	const char *why = ssh_get_error(r->session);
	bool is_ssh = ssh_get_serverbanner(r->session) != NULL;

	if (!is_ssh && r->text.n > 0) {
		/* sshd says the first two of these when it has enough */
		if (path_starts_with(r->text.p, "Exceeded MaxStartups") ||
		    path_starts_with(r->text.p, "Not allowed at this time"))
			return err_set(e, ERR_AGAIN, "sshd says '%s'",
			    remote_first_line(r));
		return err_set(e, ERR_PROTOCOL, "no SSH server: it says '%s'",
		    remote_first_line(r));
	}
	if (strstr(why, "no match for method") != NULL ||
	    strstr(why, "version of SSH protocol") != NULL ||
	    strstr(why, "banner") != NULL)
		return err_set(e, ERR_PROTOCOL, "no SSH 2 with us: %s", why);
	return remote_cut(r, is_ssh ? "exchange keys" : "wait for its greeting",
	    e);
}

static ino_t
inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/*
 * Whether libssh closes a socket that it was given depends on how far it got.
 * While it is open, no other one has its inode.
 */
static void
close_socket(struct remote *r)
{
	if (r->inode != 0 && inode_of(r->fd) == r->inode)
		close(r->fd);
}

/*
 * A server speaks first; what is no greeting is seen here, before libssh reads
 * it, and perhaps the end that follows it, in one go.
 */
static void
await_greeting(struct remote *r, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, GREETING_MS) > 0)
		peek(r, fd);
}

/*
 * The connection is ours, for libssh tries one address only and cannot be
 * interrupted; a ProxyCommand, which a ProxyJump becomes, is libssh's.
 */
static int
begin(struct remote *r, int *status, struct err *e)
{
	char *command = NULL, *host = NULL;
	unsigned port = 22;
	int fd = -1;

	if (ssh_options_get(r->session, SSH_OPTIONS_PROXYCOMMAND,
	    &command) == SSH_OK && command != NULL) {
		log_detail("connecting by '%s'", command);
		ssh_string_free_char(command);
		*status = ssh_connect(r->session);
		return 0;
	}
	if (ssh_options_get(r->session, SSH_OPTIONS_HOST, &host) != SSH_OK)
		return err_set(e, ERR_CONFIG, "no host");
	ssh_options_get_port(r->session, &port);
	fd = remote_connect(host, port, r->deadline, e);
	ssh_string_free_char(host);
	if (fd < 0)
		return -1;
	r->fd = fd;
	r->inode = inode_of(fd);
	await_greeting(r, fd);
	ssh_options_set(r->session, SSH_OPTIONS_FD, &fd);
	*status = ssh_connect(r->session);
	return 0;
}

static int
connect_ssh(struct remote *r, struct err *e)
{
	int status = SSH_ERROR;

	if (begin(r, &status, e) < 0)
		return -1;
	while (status == SSH_AGAIN) {
		if (remote_wait(r, e) < 0)
			return err_wrap(e, "%s", r->text.n > 0 ?
			    "no SSH yet" : "wait for SSH");
		status = ssh_connect(r->session);
	}
	if (status != SSH_OK)
		return say_no_ssh(r, e);
	buf_clear(&r->text);
	log_trace("'%s' is %s, cipher %s", r->name,
	    ssh_get_serverbanner(r->session), ssh_get_cipher_out(r->session));
	return 0;
}

/* ------------------------------------------------------------- its channels */

int
remote_channel_open(struct remote *r, struct err *e)
{
	int64_t start = clock_ms();
	int status;

	r->channel = ssh_channel_new(r->session);
	if (r->channel == NULL)
		return remote_cut(r, "open a channel", e);
	while ((status = ssh_channel_open_session(r->channel)) == SSH_AGAIN)
		if (remote_wait(r, e) < 0)
			return err_wrap(e, "open a channel");
	r->round_trip = (unsigned)(clock_ms() - start) * 1000;
	if (status == SSH_OK)
		return 0;
	if (ssh_is_connected(r->session))
		return err_set(e, ERR_PROTOCOL, "it opens no channel: %s",
		    ssh_get_error(r->session));
	return err_set(e, ERR_AGAIN, "it hung up after the login (%s): if it "
	    "does so again, sshd's log there says why, such as a chroot that "
	    "others than root can change", ssh_get_error(r->session));
}

void
remote_drop_stderr(struct remote *r)
{
	char text[1024];

	while (ssh_channel_read_nonblocking(r->channel, text, sizeof(text),
	    1) > 0)
		continue;
}

/* -------------------------------------------------------------- open, close */

static int
open_all(struct remote *r, const struct remote_target *t, struct err *e)
{
	return remote_options(r, t, e) < 0 || connect_ssh(r, e) < 0 ||
	    remote_check_host(r, t, e) < 0 || remote_login(r, t, e) < 0 ?
	    -1 : 0;
}

/* ~/.ssh/config can turn libssh's own messages on. */
static void
say_nothing(int priority, const char *function, const char *text, void *arg)
{
	(void)priority;
	(void)function;
	(void)text;
	(void)arg;
}

static void
stop_libssh(void)
{
	(void)ssh_finalize();
}

/*
 * libssh 0.11 jumps from host to host by itself, in threads, with errors of
 * its own; told so, it leaves that to ssh(1), as 0.10 does.
 */
static void
start_libssh(void)
{
	setenv("OPENSSH_PROXYJUMP", "1", 1);
	if (ssh_init() != SSH_OK)
		abort();
	atexit(stop_libssh);
}

static struct remote *
open_any(const struct remote_target *t,
    int (*then)(struct remote *r, struct err *e), struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct remote *r = mem_zero(1, sizeof(*r));

	pthread_once(&once, start_libssh);
	ssh_set_log_callback(say_nothing);	/* of this thread */
	r->deadline = clock_ms() +
	    (t->connect_ms > 0 ? t->connect_ms : CONNECT_MS);
	r->name = mem_dup(t->host);
	r->session = ssh_new();
	if (r->session == NULL)
		abort();
	if (open_all(r, t, e) == 0 && (then == NULL || then(r, e) == 0))
		return r;
	err_wrap(e, "%s", r->name);
	remote_close(r);
	return NULL;
}

struct remote *
remote_open(const struct remote_target *t, struct err *e)
{
	return open_any(t, remote_stream_open, e);
}

struct remote *
remote_open_to_run(const struct remote_target *t, struct err *e)
{
	return open_any(t, NULL, e);
}

void
remote_close(struct remote *r)
{
	if (r == NULL)
		return;
	if (r->channel != NULL)
		ssh_channel_free(r->channel);
	ssh_disconnect(r->session);
	ssh_free(r->session);
	close_socket(r);
	remote_agent_close(r->agent);
	buf_clear(&r->text);
	buf_clear(&r->taken);
	free(r->name);
	free(r);
}

const struct sftp_stream *
remote_stream(struct remote *r)
{
	return &r->stream;
}

unsigned
remote_round_trip(const struct remote *r)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	/* with a host or a proxy between, the kernel knows the first part */
	if (getsockopt(ssh_get_fd(r->session), IPPROTO_TCP, TCP_INFO, &info,
	    &size) == 0 && info.tcpi_rtt > r->round_trip)
		return info.tcpi_rtt;
	return r->round_trip;
}

const char *
remote_name(const struct remote *r)
{
	return r->name;
}
