/*
 * A long line: passes on what comes on a port of loopback to another one, each
 * way so much later, and as fast as it comes.
 *
 *	delay_line TARGET-PORT MS
 *
 * Prints "ready PORT" and runs until it is killed. A thread for each way of
 * each connection; what is under way is bounded by 64 MiB each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK ((size_t)256 << 10)
#define LIMIT ((size_t)64 << 20)

struct chunk {
	struct chunk *next;
	double due;
	size_t n, done;
	char data[];
};

struct way {
	int from, to;
	struct chunk *first, **last;
	size_t n;		/* bytes under way */
	bool is_at_end;
};

static double delay;

static void
die(const char *what)
{
	fprintf(stderr, "delay_line: %s: %s\n", what, strerror(errno));
	exit(74);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
take(struct way *w)
{
	struct chunk *c = malloc(sizeof(*c) + CHUNK);
	ssize_t n;

	if (c == NULL)
		die("malloc");
	n = read(w->from, c->data, CHUNK);
	if (n <= 0) {
		w->is_at_end |= n == 0 || errno != EAGAIN;
		free(c);
		return;
	}
	c->next = NULL;
	c->due = now() + delay;
	c->n = (size_t)n;
	c->done = 0;
	*w->last = c;
	w->last = &c->next;
	w->n += (size_t)n;
}

/* False where nobody takes it any more. */
static bool
give(struct way *w)
{
	struct chunk *c = w->first;
	ssize_t n = write(w->to, c->data + c->done, c->n - c->done);

	if (n < 0)
		return errno == EAGAIN;
	c->done += (size_t)n;
	w->n -= (size_t)n;
	if (c->done < c->n)
		return true;
	w->first = c->next;
	if (w->first == NULL)
		w->last = &w->first;
	free(c);
	return true;
}

static void *
pass(void *arg)
{
	struct way *w = arg;
	struct pollfd p[2];
	double left;

	while (w->first != NULL || !w->is_at_end) {
		left = w->first != NULL ? w->first->due - now() : -1;
		p[0] = (struct pollfd){.events = POLLIN,
		    .fd = w->is_at_end || w->n >= LIMIT ? -1 : w->from};
		p[1] = (struct pollfd){.events = POLLOUT,
		    .fd = w->first != NULL && left <= 0 ? w->to : -1};
		if (poll(p, 2, left > 0 ? (int)left + 1 : -1) < 0 &&
		    errno != EINTR)
			die("poll");
		if (p[0].revents != 0)
			take(w);
		if (p[1].revents != 0 && !give(w))
			break;
	}
	shutdown(w->to, SHUT_WR);
	shutdown(w->from, SHUT_RD);
	/* two descriptors for each connection last until the end */
	return NULL;
}

static void
start(int from, int to)
{
	struct way *w = calloc(1, sizeof(*w));
	int on = 1;
	pthread_t thread;

	if (w == NULL)
		die("calloc");
	*w = (struct way){.from = from, .to = to, .last = &w->first};
	setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(from, F_SETFL, O_NONBLOCK);
	if (pthread_create(&thread, NULL, pass, w) != 0)
		die("pthread_create");
	pthread_detach(thread);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, b;
	socklen_t size = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), near, far;

	if (argc != 3)
		return 64;
	signal(SIGPIPE, SIG_IGN);
	delay = strtod(argv[2], NULL);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	b = a;
	b.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(s, 100) < 0 ||
	    getsockname(s, (struct sockaddr *)&a, &size) < 0)
		die("listen");
	printf("ready %u\n", ntohs(a.sin_port));
	fflush(stdout);
	while ((near = accept(s, NULL, NULL)) >= 0) {
		far = socket(AF_INET, SOCK_STREAM, 0);
		if (far < 0 || connect(far, (struct sockaddr *)&b,
		    sizeof(b)) < 0) {
			close(near);
			continue;
		}
		start(near, far);
		start(far, near);
	}
	die("accept");
}
