#include "lib/ssh/agent.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/ssh/connect.h"
#include "lib/sys/log.h"

#define MESSAGE_LIMIT ((size_t)256 << 10)
#define KEYS_LIMIT 1024
#define KEY_LIMIT ((size_t)32 << 10)	/* bytes of one that is offered */

enum {
	REQUEST_IDENTITIES = 11,
	IDENTITIES_ANSWER = 12,
	SIGN_REQUEST = 13,
	SIGN_RESPONSE = 14
};

struct agent {
	int fd;			/* the user's agent */
	int ours, theirs;	/* a pair; theirs is libssh's */
	int64_t deadline;
	struct buf *keys;	/* as they travel */
	size_t n;
	size_t shown;		/* which one libssh is to know of */
};

/* --------------------------------------------------- messages of an agent */

/* The four bytes before each message and string. */
static size_t
get_length(const char *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return be32toh(n);
}

static void
add_u32(struct buf *b, size_t v)
{
	uint32_t n = htobe32((uint32_t)v);

	buf_add(b, &n, sizeof(n));
}

/* Until fd can be read or written. */
static int
wait_for(const struct agent *a, short events, struct err *e)
{
	struct pollfd p = {.fd = a->fd, .events = events};
	int ms;

	do {
		ms = slice_until(a->deadline, e);
		if (ms < 0)
			return -1;
	} while (poll(&p, 1, ms) <= 0);
	return 0;
}

static int
say_gone(ssize_t n, struct err *e)
{
	return n < 0 ? err_sys(e, "ask the ssh-agent") :
	    err_set(e, ERR_PROTOCOL, "the ssh-agent closed the connection");
}

static int
read_all(const struct agent *a, char *p, size_t n, struct err *e)
{
	ssize_t got;

	while (n > 0) {
		if (wait_for(a, POLLIN, e) < 0)
			return -1;
		got = recv(a->fd, p, n, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return say_gone(got, e);
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
	return 0;
}

static int
write_all(const struct agent *a, const char *p, size_t n, struct err *e)
{
	ssize_t put;

	while (n > 0) {
		if (wait_for(a, POLLOUT, e) < 0)
			return -1;
		put = send(a->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return say_gone(put, e);
		if (put > 0) {
			p += put;
			n -= (size_t)put;
		}
	}
	return 0;
}

/* A message and its answer, each with its length before it. */
static int
ask(const struct agent *a, const char *message, size_t size,
    struct buf *answer, struct err *e)
{
	char head[4];
	size_t n;

	if (write_all(a, message, size, e) < 0 ||
	    read_all(a, head, sizeof(head), e) < 0)
		return -1;
	n = get_length(head);
	if (n == 0 || n > MESSAGE_LIMIT)
		return err_set(e, ERR_PROTOCOL, "the ssh-agent sent an answer "
		    "of %zu bytes", n);
	buf_add(answer, head, sizeof(head));
	if (read_all(a, buf_room(answer, n), n, e) < 0)
		return -1;
	answer->n += n;
	return 0;
}

/* ------------------------------------------------------- which keys it has */

struct string {
	const char *p;
	size_t n;
	bool is_wanted;
};

static bool
next_string(const char **p, const char *end, struct string *out)
{
	size_t n;

	if (end - *p < 4)
		return false;
	n = get_length(*p);
	*p += 4;
	if (n > (size_t)(end - *p))
		return false;
	*out = (struct string){.p = *p, .n = n};
	*p += n;
	return true;
}

static bool
is_wanted(const struct string *key, const struct strv *wanted)
{
	struct buf text = BUF_INIT;
	bool has;

	base64_add(&text, key->p, key->n);
	has = strv_has(wanted, buf_cstr(&text));
	buf_clear(&text);
	return has;
}

/* Reads "these are my keys"; false where the message is no such answer. */
static bool
read_keys(const struct buf *message, const struct strv *wanted,
    struct string **keys, size_t *n)
{
	const char *p = message->p + 4, *end = message->p + message->n;
	struct string comment;
	size_t i;

	if (end - p < 5 || *p++ != IDENTITIES_ANSWER)
		return false;
	*n = get_length(p);
	p += 4;
	if (*n > KEYS_LIMIT)
		return false;
	*keys = mem_zero(*n + 1, sizeof(**keys));
	for (i = 0; i < *n; i++) {
		if (!next_string(&p, end, &(*keys)[i]) ||
		    !next_string(&p, end, &comment))
			return false;
		(*keys)[i].is_wanted = is_wanted(&(*keys)[i], wanted);
	}
	return true;
}

static void
choose(struct agent *a, const struct string *keys, size_t n, bool are_wanted,
    size_t max)
{
	size_t i;

	for (i = 0; i < n && a->n < max; i++)
		if (keys[i].is_wanted == are_wanted && keys[i].n <= KEY_LIMIT)
			buf_add(&a->keys[a->n++], keys[i].p, keys[i].n);
}

static int
choose_keys(struct agent *a, const struct strv *wanted, bool only_wanted,
    size_t max, struct err *e)
{
	static const char request[] = {0, 0, 0, 1, REQUEST_IDENTITIES};
	struct buf answer = BUF_INIT;
	struct string *keys = NULL;
	size_t n = 0;
	int status = ask(a, request, sizeof(request), &answer, e);

	if (status == 0 && !read_keys(&answer, wanted, &keys, &n))
		status = err_set(e, ERR_PROTOCOL, "the ssh-agent does not "
		    "list its keys");
	if (status == 0) {
		choose(a, keys, n, true, max);
		if (!only_wanted)
			choose(a, keys, n, false, max);
		if (n > a->n)
			log_detail("of the %zu keys of the ssh-agent, %zu are "
			    "tried", n, a->n);
	}
	free(keys);
	buf_clear(&answer);
	return status;
}

/* -------------------------------------------------------------- open, close */

static int
connect_agent(struct err *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("SSH_AUTH_SOCK");
	int fd;

	if (path == NULL || *path == '\0')
		return -1;
	if (strlen(path) >= sizeof(to.sun_path))
		return err_set(e, ERR_CONFIG, "SSH_AUTH_SOCK is too long");
	strcpy(to.sun_path, path);
	/* A full queue is no reason to wait: the agent is busy or dead. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	err_sys(e, "connect to the ssh-agent '%s'", path);
	close(fd);
	return -1;
}

struct agent *
agent_open(const struct strv *wanted, bool only_wanted, size_t max,
    int64_t deadline)
{
	struct agent *a = mem_zero(1, sizeof(*a));
	struct err e = ERR_INIT;

	a->ours = a->theirs = -1;
	a->deadline = deadline;
	a->keys = mem_zero(max + 1, sizeof(*a->keys));
	a->fd = connect_agent(&e);
	if (a->fd >= 0 && choose_keys(a, wanted, only_wanted, max, &e) == 0 &&
	    a->n > 0)
		return a;
	if (e.kind != ERR_NONE)
		log_detail("no key of the ssh-agent: %s", e.text);
	agent_close(a);
	return NULL;
}

size_t
agent_count(const struct agent *a)
{
	return a->n;
}

void
agent_close(struct agent *a)
{
	size_t i;

	if (a == NULL)
		return;
	if (a->fd >= 0)
		close(a->fd);
	if (a->ours >= 0)
		close(a->ours);
	for (i = 0; i < a->n; i++)
		buf_clear(&a->keys[i]);
	free(a->keys);
	free(a);
}

/* ------------------------------------------------ what libssh gets to see */

/*
 * A new pair in the place of the last one: libssh may have left answers unread.
 * Beyond what is said there is the end, so that it waits for nothing.
 */
static int
put_answers(struct agent *a, const struct buf *answers, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket for the ssh-agent's keys");
	if (a->ours >= 0)
		close(a->ours);
	a->ours = pair[0];
	if (a->theirs < 0)
		a->theirs = pair[1];
	else {
		(void)dup3(pair[1], a->theirs, O_CLOEXEC);
		close(pair[1]);
	}
	if (send(a->ours, answers->p, answers->n,
	    MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)answers->n)
		return err_set(e, ERR_PROTOCOL, "a key of the ssh-agent is too "
		    "large");
	shutdown(a->ours, SHUT_WR);
	return 0;
}

/* "I have this key", and what more there is to say. */
static int
put_key(struct agent *a, const struct buf *more, struct err *e)
{
	const struct buf *key = &a->keys[a->shown];
	struct buf b = BUF_INIT;
	int status;

	add_u32(&b, 1 + 4 + 4 + key->n + 4);
	buf_add(&b, "\014", 1);		/* IDENTITIES_ANSWER */
	add_u32(&b, 1);
	add_u32(&b, key->n);
	buf_add(&b, key->p, key->n);
	add_u32(&b, 0);			/* no comment */
	if (more != NULL)
		buf_add(&b, more->p, more->n);
	status = put_answers(a, &b, e);
	buf_clear(&b);
	return status;
}

int
agent_show(struct agent *a, size_t i, struct err *e)
{
	a->shown = i;
	return put_key(a, NULL, e) < 0 ? -1 : a->theirs;
}

/* Of the messages that libssh has written, the one to sign something. */
static bool
find_request(struct agent *a, struct buf *b, struct string *request)
{
	const char *p, *end;
	ssize_t n;

	while ((n = recv(a->ours, buf_room(b, 4096), 4096, MSG_DONTWAIT)) > 0)
		b->n += (size_t)n;
	p = b->p;
	end = p + b->n;
	while (next_string(&p, end, request))
		if (request->n > 0 && request->p[0] == SIGN_REQUEST) {
			request->p -= 4;
			request->n += 4;
			return true;
		}
	return false;
}

int
agent_sign(struct agent *a, struct err *e)
{
	struct buf asked = BUF_INIT, answer = BUF_INIT;
	struct string request;
	int status = 0;

	if (!find_request(a, &asked, &request))
		goto out;
	if (ask(a, request.p, request.n, &answer, e) < 0)
		status = e->kind == ERR_SIGNAL ? -1 : err_set(e, ERR_REFUSED,
		    "the ssh-agent does not sign: %s: does it ask somebody "
		    "for a confirmation?", e->text);
	else if (answer.p[4] == SIGN_RESPONSE)
		status = put_key(a, &answer, e) < 0 ? -1 : 1;
	else
		log_warning("the ssh-agent refuses to sign with a key that the "
		    "server accepts");
out:
	buf_clear(&asked);
	buf_clear(&answer);
	return status;
}
