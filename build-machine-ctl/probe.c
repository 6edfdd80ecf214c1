#include "build-machine-ctl/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define SLICE_MS 200	/* how soon a signal is noticed */

static void
probe_end(struct probe *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static void
probe_start(struct probe *p)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(PROBE_PORT)};

	p->answers = p->is_connected = false;
	p->n_got = 0;
	p->fd = -1;
	if (inet_pton(AF_INET, p->address, &to.sin_addr) != 1)
		return;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd >= 0 && connect(p->fd, (struct sockaddr *)&to,
	    sizeof(to)) < 0 && errno != EINPROGRESS)
		probe_end(p);
}

static bool
has_connected(struct probe *p)
{
	socklen_t size = sizeof(int);
	int error = 0;

	return getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
	    error == 0;
}

/* Something has happened on its socket. */
static void
probe_step(struct probe *p)
{
	ssize_t n;

	if (!p->is_connected) {
		p->is_connected = has_connected(p);
		if (!p->is_connected)
			probe_end(p);
		return;
	}
	n = recv(p->fd, p->got + p->n_got, sizeof(p->got) - p->n_got, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		p->n_got += (size_t)n;
	if (n > 0 && p->n_got < sizeof(p->got))
		return;
	p->answers = p->n_got == sizeof(p->got) &&
	    memcmp(p->got, "SSH-", sizeof(p->got)) == 0;
	probe_end(p);
}

void
probe_run(struct probe *v, size_t n, int ms)
{
	struct pollfd *wait = mem_zero(n + 1, sizeof(*wait));
	int64_t deadline = clock_ms() + ms;
	struct err stop = ERR_INIT;
	size_t i, open;

	for (i = 0; i < n; i++)
		probe_start(&v[i]);
	do {
		for (i = open = 0; i < n; i++) {
			wait[i].fd = v[i].fd;	/* below 0: poll skips it */
			wait[i].events = v[i].is_connected ? POLLIN : POLLOUT;
			wait[i].revents = 0;
			open += v[i].fd >= 0;
		}
		if (open == 0 || poll(wait, n, SLICE_MS) < 0)
			continue;
		for (i = 0; i < n; i++)
			if (v[i].fd >= 0 && wait[i].revents != 0)
				probe_step(&v[i]);
	} while (open > 0 && clock_ms() < deadline &&
	    cleanup_check(&stop) == 0);
	for (i = 0; i < n; i++)
		probe_end(&v[i]);
	free(wait);
}
