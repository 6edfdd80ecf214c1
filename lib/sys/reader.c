#include "lib/sys/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/run.h"
#include "lib/sys/sandbox.h"
#include "lib/sys/secret.h"

#define CHUNK ((size_t)128 << 10)
#define SLICE_MS 100	/* a signal may be another thread's to handle */
#define END_MS 2000	/* one that hangs in the kernel is left to it */
#define PATIENCE_MS ((int64_t)30 * 60 * 1000)	/* for one package */
#define SPAWN_MS 120000	/* for a fork, where much else goes on */
#define MOST_IDLE 16

/* ------------------------------------------------------- what it answers */

ssize_t
reader_decode(const char *p, size_t n, struct reader_frame *f)
{
	uint32_t length;

	if (n < READER_HEAD)
		return 0;
	length = be32_read(p + 1);
	if (length > READER_FRAME || (p[0] != READER_DATA &&
	    p[0] != READER_ERROR && p[0] != READER_END))
		return -1;
	if (length > n - READER_HEAD)
		return 0;
	f->kind = (enum reader_kind)p[0];
	f->p = p + READER_HEAD;
	f->n = length;
	return (ssize_t)(READER_HEAD + length);
}

void
reader_decode_error(const struct reader_frame *f, struct err *e)
{
	int kind = f->n > 0 ? (unsigned char)f->p[0] : 0;
	size_t n = f->n > 0 ? strnlen(f->p + 1, f->n - 1) : 0;

	if (n > 0 && n < sizeof(e->text))
		err_set(e, kind == ERR_IO || kind == ERR_RESOURCE ?
		    (enum err_kind)kind : ERR_DATA, "%.*s", (int)n, f->p + 1);
	else
		err_set(e, ERR_DATA, "its reader gives no reason");
}

/* ------------------------------------------------------------- the reader */

/* What it is told to do, before the bytes. Forked, it has our functions. */
struct order {
	reader_work *work;
	uint32_t argument;
};

/*
 * The bytes come in pieces, each after its length, the last of length 0. All
 * of it, since this process has one socket and one thread.
 */
static struct {
	char *chunk;
	size_t n;	/* bytes in the chunk */
	size_t at;	/* so many are used */
	size_t left;	/* of the piece */
	bool is_over;	/* the last piece has come */
	struct buf said;
} self;

/* The tool has ended, or will have nothing more of us. */
static _Noreturn void
leave(void)
{
	_exit(0);
}

static void
fill(void)
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, self.chunk, CHUNK);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		leave();
	self.n = (size_t)n;
	self.at = 0;
}

static void
read_all(void *data, size_t n)
{
	char *p = data;
	size_t part;

	while (n > 0) {
		if (self.at == self.n)
			fill();
		part = n < self.n - self.at ? n : self.n - self.at;
		memcpy(p, self.chunk + self.at, part);
		self.at += part;
		p += part;
		n -= part;
	}
}

ssize_t
reader_source(void *unused, const void **chunk, struct err *e)
{
	uint32_t length;
	size_t part;

	(void)unused;
	(void)e;
	if (self.left == 0 && !self.is_over) {
		read_all(&length, sizeof(length));
		self.left = length;
		self.is_over = length == 0;
	}
	if (self.is_over)
		return 0;
	if (self.at == self.n)
		fill();
	part = self.left < self.n - self.at ? self.left : self.n - self.at;
	*chunk = self.chunk + self.at;
	self.at += part;
	self.left -= part;
	return (ssize_t)part;
}

static void
say(enum reader_kind kind, const void *data, size_t n)
{
	uint8_t head[READER_HEAD] = {(uint8_t)kind};

	be32_write(head + 1, (uint32_t)n);
	buf_add(&self.said, head, sizeof(head));
	buf_add(&self.said, data, n);
}

void
reader_say(const void *data, size_t n)
{
	const char *p = data;
	size_t part;

	for (; n > 0; p += part, n -= part) {
		part = n < READER_FRAME ? n : READER_FRAME;
		say(READER_DATA, p, part);
	}
}

static void
say_error(const struct err *e)
{
	char text[1 + sizeof(e->text)];
	size_t n = strlen(e->text);

	text[0] = (char)e->kind;
	memcpy(text + 1, e->text, n);
	say(READER_ERROR, text, 1 + n);
}

static void
flush_said(void)
{
	size_t done = 0;
	ssize_t n;

	while (done < self.said.n) {
		n = write(STDOUT_FILENO, self.said.p + done,
		    self.said.n - done);
		if (n < 0 && errno != EINTR)
			leave();
		if (n > 0)
			done += (size_t)n;
	}
	self.said.n = 0;
}

static void
serve_one(void)
{
	struct err e = ERR_INIT;
	struct order order;
	const void *rest;

	read_all(&order, sizeof(order));
	self.is_over = false;
	self.left = 0;
	if (order.work(order.argument, &e) == 0) {
		say(READER_END, NULL, 0);
	} else {
		self.said.n = 0;
		say_error(&e);
	}
	while (reader_source(NULL, &rest, &e) > 0)
		continue;
	flush_said();
}

/* The only descriptors are 0 and 1, which are one socket, and 2, nowhere. */
static _Noreturn void
be_reader(int socket, pid_t tool)
{
	struct err e = ERR_INIT;

	dup2(socket, STDIN_FILENO);
	dup2(socket, STDOUT_FILENO);
	syscall(SYS_close_range, 3U, ~0U, 0U);
	prctl(PR_SET_NAME, "reader");
	self.chunk = mem_alloc(CHUNK);
	if (sandbox_seal(tool, &e) < 0) {
		/* which is not the package's fault */
		e.kind = ERR_RESOURCE;
		err_wrap(&e, "seal the process that opens it");
		say_error(&e);
		flush_said();
		leave();
	}
	for (;;)
		serve_one();
}

/* -------------------------------------------- where readers come from */

static bool
receive(int orders, int *socket)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec data = {&byte, 1};
	struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(orders, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c == NULL || c->cmsg_type != SCM_RIGHTS)
		return false;
	memcpy(socket, CMSG_DATA(c), sizeof(*socket));
	return true;
}

/*
 * Knows nothing: neither the environment, where a job has its tokens, nor what
 * is secret memory. The readers are not its children but the tool's, which so
 * learns how each has ended.
 */
static _Noreturn void
be_spring(int orders, pid_t tool)
{
	static const int usual[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), socket, answer;
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != tool || null < 0)
		_exit(0);
	setsid();		/* ^C is for the tool, which ends us */
	for (i = 0; i < COUNT(usual); i++)
		signal(usual[i], SIG_DFL);
	secret_forget_environment();
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!sandbox_is_sanitized())
		dup2(null, STDERR_FILENO);	/* reports of a sanitizer */
	dup2(orders, 3);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	syscall(SYS_close_range, 4U, ~0U, 0U);
	while (receive(3, &socket)) {
		answer = (int)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL,
		    NULL, NULL, NULL);
		if (answer == 0)
			be_reader(socket, tool);
		if (answer < 0)
			answer = -errno;
		close(socket);
		if (write(3, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

/* --------------------------------------------------------------- the tool */

struct reader {
	int socket;
	pid_t pid;
	unsigned origin;
	bool is_done;		/* it has answered, and waits */
	bool has_ended;		/* its socket says so */
	int64_t end;		/* of our patience: clock_ms */
	struct buf fed;		/* what is not sent yet */
	struct buf got;		/* what is not looked at yet */
	struct reader *next;
};

static struct {
	pthread_mutex_t lock;
	int spring;		/* the socket */
	bool is_out_of_step;	/* an answer was not waited for */
	pid_t pid;
	struct reader *idle;
	size_t n_idle;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .spring = -1};

static _Thread_local unsigned this_origin;

void
reader_set_origin(unsigned origin)
{
	this_origin = origin;
}

int
reader_start(struct err *e)
{
	pid_t tool = getpid();
	int ends[2];

	if (pool.spring >= 0)
		return 0;
	sandbox_tell_absent();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, "make a socket");
	pool.pid = fork();
	if (pool.pid == 0)
		be_spring(ends[1], tool);
	close(ends[1]);
	if (pool.pid < 0) {
		err_sys(e, "start a process");
		close(ends[0]);
		return -1;
	}
	pool.spring = ends[0];
	return 0;
}

static int
send_socket(int spring, int socket)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.space = {0}};
	char byte = 0;
	struct iovec data = {&byte, 1};
	struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &socket, sizeof(socket));
	do
		n = sendmsg(spring, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return (int)n;
}

/* -1: with an error after a signal, without one where it has ended. */
static int
receive_answer(int *answer, struct err *e)
{
	struct pollfd p = {.fd = pool.spring, .events = POLLIN};
	int64_t end = clock_ms() + SPAWN_MS;
	ssize_t n;

	for (;;) {
		if (cleanup_check(e) < 0)
			return -1;
		if (clock_ms() >= end)
			return err_set(e, ERR_AGAIN, "no reader was started "
			    "for %d seconds", SPAWN_MS / 1000);
		if (poll(&p, 1, SLICE_MS) <= 0)
			continue;
		n = recv(pool.spring, answer, sizeof(*answer), MSG_DONTWAIT);
		if (n == (ssize_t)sizeof(*answer))
			return 0;
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return -1;
	}
}

/* The pool is locked: questions and answers are in one order. */
static pid_t
spawn(int socket, struct err *e)
{
	int answer = 0;

	if (pool.is_out_of_step || send_socket(pool.spring, socket) < 0 ||
	    receive_answer(&answer, e) < 0) {
		/* nobody may take an answer that comes later for their own */
		pool.is_out_of_step = true;
		if (e->kind == ERR_NONE && cleanup_check(e) == 0)
			err_set(e, ERR_UNAVAILABLE, "the process that starts "
			    "readers has ended");
		return -1;
	}
	if (answer > 0)
		return answer;
	errno = -answer;
	err_sys(e, "start a reader");
	return -1;
}

static struct reader *
make_reader(struct err *e)
{
	struct reader *r;
	int ends[2];
	pid_t pid;

	if (pool.spring < 0) {
		err_set(e, ERR_BUG, "reader_start was not called");
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		err_sys(e, "make a socket");
		return NULL;
	}
	pid = spawn(ends[1], e);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return NULL;
	}
	r = mem_zero(1, sizeof(*r));
	r->socket = ends[0];
	r->pid = pid;
	r->origin = this_origin;
	return r;
}

/* One of the origin, or NULL. */
static struct reader *
take_idle(void)
{
	struct reader **at, *r;

	for (at = &pool.idle; (r = *at) != NULL; at = &r->next)
		if (r->origin == this_origin) {
			*at = r->next;
			pool.n_idle--;
			return r;
		}
	return NULL;
}

struct reader *
reader_open(reader_work *work, uint32_t argument, struct err *e)
{
	struct order order;
	struct reader *r;

	pthread_mutex_lock(&pool.lock);
	r = take_idle();
	if (r == NULL)
		r = make_reader(e);
	pthread_mutex_unlock(&pool.lock);
	if (r == NULL)
		return NULL;
	memset(&order, 0, sizeof(order));
	order.work = work;
	order.argument = argument;
	buf_add(&r->fed, &order, sizeof(order));
	r->is_done = false;
	r->end = clock_ms() + PATIENCE_MS;
	return r;
}

/* -1 after a signal; false in *ready where our patience has come to an end. */
static int
wait_for(struct reader *r, short events, bool *ready, struct err *e)
{
	struct pollfd p = {.fd = r->socket, .events = events};

	do {
		*ready = clock_ms() < r->end;
		if (!*ready)
			return 0;
		if (cleanup_check(e) < 0)
			return -1;
	} while (poll(&p, 1, SLICE_MS) <= 0);
	return 0;
}

static int
send_fed(struct reader *r, struct err *e)
{
	size_t done = 0;
	bool ready = true;
	ssize_t n;

	while (done < r->fed.n && !r->has_ended) {
		n = send(r->socket, r->fed.p + done, r->fed.n - done,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN && wait_for(r, POLLOUT, &ready,
		    e) < 0)
			return -1;
		else if ((errno != EAGAIN && errno != EINTR) || !ready)
			r->has_ended = true;
	}
	r->fed.n = 0;
	return 0;
}

int
reader_feed(struct reader *r, const void *data, size_t n, struct err *e)
{
	const char *p = data, *end = p + n;
	uint32_t length;

	for (; p < end; p += length) {
		length = (size_t)(end - p) < CHUNK ? (uint32_t)(end - p) :
		    (uint32_t)CHUNK;
		buf_add(&r->fed, &length, sizeof(length));
		buf_add(&r->fed, p, length);
		if (r->fed.n >= CHUNK && send_fed(r, e) < 0)
			return -1;
	}
	return 0;
}

/* It has ended, or shall: of what, and whose fault that is. */
static int
tell_end(struct reader *r, const char *name, struct err *e)
{
	int status = 0;

	if (clock_ms() >= r->end)
		return err_set(e, ERR_DATA, "the reader of '%s' was ended: it "
		    "was not done after %d minutes", name,
		    (int)(PATIENCE_MS / 60000));
	if (!run_reap(r->pid, END_MS, &status))
		return err_set(e, ERR_DATA, "the reader of '%s' has stopped to "
		    "listen", name);
	r->pid = -1;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return err_set(e, ERR_RESOURCE, "the reader of '%s' was killed "
		    "by SIGKILL: is memory short?", name);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_DATA, "the reader of '%s' was killed by "
		    "SIG%s", name, sigabbrev_np(WTERMSIG(status)) ?
		    sigabbrev_np(WTERMSIG(status)) : "?");
	if (WEXITSTATUS(status) == ERR_RESOURCE)
		return err_set(e, ERR_RESOURCE, "the reader of '%s' ran out of "
		    "memory", name);
	return err_set(e, ERR_DATA, "the reader of '%s' ended with status %d",
	    name, WEXITSTATUS(status));
}

/* 1; 0 where it has ended; -1. */
static int
receive_more(struct reader *r, struct err *e)
{
	bool ready;
	ssize_t n;

	if (wait_for(r, POLLIN, &ready, e) < 0)
		return -1;
	if (!ready)
		return 0;
	n = recv(r->socket, buf_room(&r->got, READER_FRAME), READER_FRAME,
	    MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n <= 0)
		return 0;
	r->got.n += (size_t)n;
	return 1;
}

/* The frames that are there: 1 where more must come, 0 at the end, -1. */
static int
take_frames(struct reader *r, const char *name, size_t limit,
    struct buf *answer, struct err *e)
{
	struct reader_frame f;
	size_t at = 0;
	ssize_t n;

	while ((n = reader_decode(r->got.p + at, r->got.n - at, &f)) > 0) {
		at += (size_t)n;
		if (f.kind == READER_DATA && f.n > limit - answer->n)
			return err_set(e, ERR_DATA, "the reader of '%s' says "
			    "more than %zu bytes", name, limit);
		if (f.kind == READER_DATA) {
			buf_add(answer, f.p, f.n);
			continue;
		}
		r->is_done = at == r->got.n;
		if (f.kind == READER_END)
			return 0;
		reader_decode_error(&f, e);
		return -1;
	}
	if (n < 0)
		return err_set(e, ERR_DATA, "the reader of '%s' says what "
		    "makes no sense", name);
	memmove(r->got.p, r->got.p + at, r->got.n - at);
	r->got.n -= at;
	return 1;
}

int
reader_answer(struct reader *r, const char *name, size_t limit,
    struct buf *answer, struct err *e)
{
	static const uint32_t end;
	int status;

	buf_add(&r->fed, &end, sizeof(end));
	if (send_fed(r, e) < 0)
		return -1;
	r->got.n = 0;
	do {
		status = receive_more(r, e);
		if (status < 0)
			return -1;
		if (status == 0)
			return tell_end(r, name, e);
		status = take_frames(r, name, limit, answer, e);
	} while (status > 0);
	return status;
}

static void
end_reader(struct reader *r)
{
	int status;

	close(r->socket);
	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		(void)run_reap(r->pid, END_MS, &status);
	}
	buf_clear(&r->fed);
	buf_clear(&r->got);
	free(r);
}

void
reader_close(struct reader *r)
{
	struct reader **at, *old = NULL;

	if (r == NULL)
		return;
	if (!r->is_done) {
		end_reader(r);
		return;
	}
	pthread_mutex_lock(&pool.lock);
	r->next = pool.idle;
	pool.idle = r;
	if (++pool.n_idle > MOST_IDLE) {
		for (at = &pool.idle; (*at)->next != NULL; at = &(*at)->next)
			continue;
		old = *at;
		*at = NULL;
		pool.n_idle--;
	}
	pthread_mutex_unlock(&pool.lock);
	if (old != NULL)
		end_reader(old);
}

void
reader_stop(void)
{
	struct reader *r;
	int status;

	while ((r = pool.idle) != NULL) {
		pool.idle = r->next;
		end_reader(r);
	}
	pool.n_idle = 0;
	if (pool.spring < 0)
		return;
	close(pool.spring);
	pool.spring = -1;
	pool.is_out_of_step = false;
	kill(pool.pid, SIGKILL);
	(void)run_reap(pool.pid, END_MS, &status);
}
