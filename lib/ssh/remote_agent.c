/*
 * The ssh-agent (draft-ietf-sshm-ssh-agent), asked through a thread of ours:
 * libssh offers all that an agent holds, until the server hangs up, and waits
 * for an agent without end. To libssh the keys that we choose are all there
 * are, and what takes too long is answered by the end of the socket.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/ssh/remote_parts.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define MESSAGE_LIMIT ((size_t)256 << 10)

enum {
	AGENT_FAILURE = 5,
	AGENT_REQUEST_IDENTITIES = 11,
	AGENT_SIGN_REQUEST = 13
};

struct remote_agent {
	int agent;		/* the user's */
	int ours, theirs;	/* a pair; theirs is libssh's */
	int64_t deadline;
	struct remote_keys keys;
	atomic_bool stop;
	bool is_running;
	pthread_t thread;
};

/* ----------------------------------------------------------------- messages */

/* Until fd can be read or written; false where it is of no use any more. */
static bool
wait_for(struct remote_agent *a, int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	struct err e = ERR_INIT;
	int ms;

	for (;;) {
		ms = remote_slice(a->deadline, &e);
		if (ms < 0 || atomic_load(&a->stop))
			return false;
		if (poll(&p, 1, ms) > 0)
			return true;
	}
}

static bool
take(struct remote_agent *a, int fd, void *data, size_t n)
{
	char *p = data;
	ssize_t got;

	while (n > 0) {
		if (!wait_for(a, fd, POLLIN))
			return false;
		got = recv(fd, p, n, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
	return true;
}

static bool
give(struct remote_agent *a, int fd, const struct buf *b)
{
	size_t done = 0;
	ssize_t n;

	while (done < b->n) {
		if (!wait_for(a, fd, POLLOUT))
			return false;
		n = send(fd, b->p + done, b->n - done,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0)
			done += (size_t)n;
	}
	return true;
}

/* Becomes one message, with its length before it. */
static bool
take_message(struct remote_agent *a, int fd, struct buf *b)
{
	uint8_t head[4];
	size_t n;

	b->n = 0;
	if (!take(a, fd, head, sizeof(head)))
		return false;
	n = remote_agent_length(head);
	if (n == 0 || n > MESSAGE_LIMIT)
		return false;
	buf_add(b, head, sizeof(head));
	if (!take(a, fd, buf_room(b, n), n))
		return false;
	b->n += n;
	return true;
}

/* --------------------------------------------------------------- the thread */

/* Nothing but signatures is passed on. */
static bool
serve_one(struct remote_agent *a, struct buf *b)
{
	static char failure[] = {0, 0, 0, 1, AGENT_FAILURE};
	const struct buf no = {failure, sizeof(failure), 0};

	if (!take_message(a, a->ours, b))
		return false;
	switch (b->p[4]) {
	case AGENT_REQUEST_IDENTITIES:
		return give(a, a->ours, &a->keys.message);
	case AGENT_SIGN_REQUEST:
		return give(a, a->agent, b) && take_message(a, a->agent, b) &&
		    give(a, a->ours, b);
	default:
		return give(a, a->ours, &no);
	}
}

static void *
serve(void *arg)
{
	struct remote_agent *a = arg;
	struct buf b = BUF_INIT;

	while (serve_one(a, &b))
		continue;
	shutdown(a->ours, SHUT_RDWR);	/* ends what libssh waits for */
	buf_clear(&b);
	return NULL;
}

static int
connect_agent(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;

	if (path == NULL || *path == '\0')
		return -1;
	if (strlen(path) >= sizeof(to.sun_path))
		return -1;
	strcpy(to.sun_path, path);
	/* A full queue is no reason to wait: the agent is busy or dead. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	log_detail("the ssh-agent of SSH_AUTH_SOCK does not answer: %s",
	    strerror(errno));
	close(fd);
	return -1;
}

static bool
ask(struct remote_agent *a, const struct strv *wanted, bool only_wanted,
    size_t max)
{
	static char request[] = {0, 0, 0, 1, AGENT_REQUEST_IDENTITIES};
	const struct buf which = {request, sizeof(request), 0};
	const struct remote_choice choice = {wanted, only_wanted, max};
	struct buf b = BUF_INIT;
	bool good = give(a, a->agent, &which) &&
	    take_message(a, a->agent, &b) &&
	    remote_agent_choose(&b, &choice, &a->keys);

	if (!good)
		log_detail("the ssh-agent of SSH_AUTH_SOCK does not tell "
		    "which keys it has");
	buf_clear(&b);
	return good && a->keys.count > 0;
}

struct remote_agent *
remote_agent_open(const struct strv *wanted, bool only_wanted, size_t max,
    int64_t deadline)
{
	int pair[2], fd = connect_agent(getenv("SSH_AUTH_SOCK"));
	struct remote_agent *a;

	if (fd < 0)
		return NULL;
	a = mem_zero(1, sizeof(*a));
	a->agent = fd;
	a->ours = a->theirs = -1;
	a->deadline = deadline;
	atomic_init(&a->stop, false);
	if (max == 0 || !ask(a, wanted, only_wanted, max) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		goto fail;
	a->ours = pair[0];
	a->theirs = pair[1];
	if (pthread_create(&a->thread, NULL, serve, a) != 0)
		goto fail;
	a->is_running = true;
	return a;
fail:
	remote_agent_close(a);
	return NULL;
}

int
remote_agent_take_fd(struct remote_agent *a)
{
	int fd = a->theirs;

	a->theirs = -1;
	return fd;
}

size_t
remote_agent_count(const struct remote_agent *a)
{
	return a->keys.count;
}

void
remote_agent_close(struct remote_agent *a)
{
	if (a == NULL)
		return;
	atomic_store(&a->stop, true);
	if (a->ours >= 0)
		shutdown(a->ours, SHUT_RDWR);
	if (a->is_running)
		pthread_join(a->thread, NULL);
	close(a->agent);
	if (a->ours >= 0)
		close(a->ours);
	if (a->theirs >= 0)
		close(a->theirs);
	buf_clear(&a->keys.message);
	free(a);
}
