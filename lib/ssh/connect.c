#include "lib/ssh/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define SILENT_MS 30000	/* sent and not confirmed for so long: gone */

int
slice_until(int64_t deadline, struct err *e)
{
	int64_t left = deadline - clock_ms();

	if (cleanup_check(e) < 0)
		return -1;
	if (left <= 0)
		return err_set(e, ERR_AGAIN, "no answer in time");
	return left < SLICE_MS ? (int)left : SLICE_MS;
}

/* ------------------------------------------------------- names to addresses */

/*
 * getaddrinfo(3) cannot be interrupted, so a thread does it. Who of the two
 * comes last frees.
 */
struct lookup {
	char *host;
	char port[8];
	int status;
	struct addrinfo *list;
	int done;		/* an eventfd */
	atomic_int users;
};

static void
leave_lookup(struct lookup *l)
{
	if (atomic_fetch_sub(&l->users, 1) > 1)
		return;
	if (l->list != NULL)
		freeaddrinfo(l->list);
	close(l->done);
	free(l->host);
	free(l);
}

static void *
look_up(void *arg)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct lookup *l = arg;

	l->status = getaddrinfo(l->host, l->port, &hints, &l->list);
	(void)eventfd_write(l->done, 1);
	leave_lookup(l);
	return NULL;
}

static struct lookup *
start_lookup(const char *host, unsigned port, struct err *e)
{
	struct lookup *l = mem_zero(1, sizeof(*l));
	pthread_attr_t attr;
	pthread_t thread;
	int status;

	l->host = mem_dup(host);
	snprintf(l->port, sizeof(l->port), "%u", port & 0xffff);
	l->done = eventfd(0, EFD_CLOEXEC);
	atomic_init(&l->users, 2);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	status = l->done < 0 ? errno :
	    pthread_create(&thread, &attr, look_up, l);
	pthread_attr_destroy(&attr);
	if (status == 0)
		return l;
	atomic_store(&l->users, 1);
	leave_lookup(l);
	errno = status;
	err_sys(e, "look up '%s'", host);
	return NULL;
}

static int
wait_lookup(struct lookup *l, int64_t deadline, struct err *e)
{
	struct pollfd p = {.fd = l->done, .events = POLLIN};
	eventfd_t n;
	int ms;

	do {
		ms = slice_until(deadline, e);
		if (ms < 0)
			return err_wrap(e, "look up '%s'", l->host);
	} while (poll(&p, 1, ms) <= 0);
	(void)eventfd_read(l->done, &n);
	if (l->status == 0)
		return 0;
	return err_set(e, l->status == EAI_AGAIN || l->status == EAI_SYSTEM ?
	    ERR_AGAIN : ERR_UNAVAILABLE, "look up '%s': %s", l->host,
	    gai_strerror(l->status));
}

/* -------------------------------------------------------------- connecting */

/*
 * A peer that is gone without a word would be waited for for hours: what is
 * sent must be confirmed, and a line on which nothing is sent is tried. All
 * of this is refused for what is no TCP, which does not matter.
 */
static void
set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, SILENT_MS},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 10},
		{IPPROTO_TCP, TCP_KEEPINTVL, 5},
		{IPPROTO_TCP, TCP_KEEPCNT, 4},
	};
	size_t i;

	for (i = 0; i < COUNT(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name,
		    &options[i].value, sizeof(options[i].value));
}

/* The outcome of a connect that was begun. */
static int
finish_connect(int fd, int64_t deadline, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int code = 0, ms;

	do {
		ms = slice_until(deadline, e);
		if (ms < 0)
			return -1;
	} while (poll(&p, 1, ms) <= 0);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	if (code != 0)
		return err_set(e, ERR_AGAIN, "%s", strerror(code));
	return 0;
}

static int
try_address(const struct addrinfo *a, int64_t deadline, struct err *e)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, a->ai_protocol);

	if (fd < 0)
		return err_set(e, ERR_AGAIN, "%s", strerror(errno));
	set_options(fd);
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
		return fd;
	if (errno != EINPROGRESS)
		err_set(e, ERR_AGAIN, "%s", strerror(errno));
	else if (finish_connect(fd, deadline, e) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One address after the other; each has its share of the time. */
static int
try_all(const struct addrinfo *list, int64_t deadline, struct err *e)
{
	const struct addrinfo *a;
	int64_t now, share;
	int fd = -1, left = 0;

	for (a = list; a != NULL; a = a->ai_next)
		left++;
	for (a = list; a != NULL; a = a->ai_next, left--) {
		now = clock_ms();
		share = now + (deadline - now) / left;
		fd = try_address(a, share, e);
		if (fd >= 0 || e->kind == ERR_SIGNAL)
			break;
	}
	return fd;
}

int
connect_tcp(const char *host, unsigned port, int64_t deadline,
    struct err *e)
{
	struct lookup *l = start_lookup(host, port, e);
	struct err failed = ERR_INIT;	/* of one address, if not of all */
	int fd;

	if (l == NULL)
		return -1;
	if (wait_lookup(l, deadline, e) < 0) {
		leave_lookup(l);
		return -1;
	}
	fd = try_all(l->list, deadline, &failed);
	leave_lookup(l);
	if (fd >= 0)
		return fd;
	*e = failed;
	return err_wrap(e, "connect to '%s' port %u", host, port);
}
