/*
 * lib/http/http.h, against a server in this process that answers from a script
 * and remembers what it was asked. In a child where a signal comes: its flag
 * stays. SIGTERM, for the others may be ignored: nohup, a job of a script.
 */
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/mem.h"
#include "lib/http/http.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define TOKEN "0123456789abcdef-token"
#define LONG_MS 300000		/* for what must come: nobody waits so long */
#define MANY 30
#define MAX_PEERS 64

/* ------------------------------------------------------------ the server */

enum then { KEEP, CLOSE, STALL, RESET };

struct step {
	const char *answer;	/* NULL: none */
	enum then then;		/* what happens to the connection after it */
	int signal;		/* to this process, before the answer */
	int wait_ms;		/* between the two */
};

static struct server {
	const struct step *steps;	/* the last one is for all the rest */
	size_t n_steps;
	int listener, port;
	int stop[2];
	pthread_t thread, peers[MAX_PEERS];
	int fds[MAX_PEERS];
	size_t n_peers;			/* connections so far */
	pthread_mutex_t lock;
	size_t asked;			/* requests so far */
	struct buf seen;		/* the requests, one after another */
} server;

/* False where the server is to end, or the peer has closed. */
static bool
readable(int fd)
{
	struct pollfd p[2] = {
		{.fd = fd, .events = POLLIN},
		{.fd = server.stop[0], .events = POLLIN},
	};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			abort();
	return p[1].revents == 0;
}

/* One whole request, with its body. */
static bool
read_request(int fd, struct buf *b)
{
	size_t need = 0;
	const char *end, *length;
	ssize_t n;

	while (need == 0 || b->n < need) {
		if (!readable(fd))
			return false;
		n = read(fd, buf_room(b, 65536), 65536);
		if (n <= 0)
			return false;
		b->n += (size_t)n;
		b->p[b->n] = '\0';
		end = strstr(b->p, "\r\n\r\n");
		if (need == 0 && end != NULL) {
			need = (size_t)(end - b->p) + 4;
			length = strstr(b->p, "Content-Length: ");
			if (length != NULL && length < end)
				need += (size_t)atoi(length + 16);
		}
	}
	return true;
}

static const struct step *
next_step(const struct buf *request)
{
	size_t i;

	pthread_mutex_lock(&server.lock);
	i = server.asked++;
	buf_add(&server.seen, request->p, request->n);
	pthread_mutex_unlock(&server.lock);
	return &server.steps[i < server.n_steps ? i : server.n_steps - 1];
}

static bool
play(int fd, const struct step *s)
{
	struct linger hard = {.l_onoff = 1};
	size_t n = s->answer != NULL ? strlen(s->answer) : 0, done = 0;
	struct timespec pause = {.tv_sec = s->wait_ms / 1000,
	    .tv_nsec = s->wait_ms % 1000 * 1000000L};
	ssize_t k;

	if (s->signal != 0)
		kill(getpid(), s->signal);
	nanosleep(&pause, NULL);
	while (done < n) {
		k = send(fd, s->answer + done, n - done, MSG_NOSIGNAL);
		if (k < 0)
			return false;
		done += (size_t)k;
	}
	if (s->then == RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	if (s->then == STALL)
		(void)readable(fd);
	return s->then == KEEP;
}

static void *
serve_peer(void *arg)
{
	int fd = *(int *)arg;
	struct buf request = BUF_INIT;

	while (read_request(fd, &request)) {
		if (!play(fd, next_step(&request)))
			break;
		buf_clear(&request);
	}
	close(fd);
	buf_clear(&request);
	return NULL;
}

static void *
serve(void *arg)
{
	size_t i;

	(void)arg;
	while (readable(server.listener)) {
		i = server.n_peers;
		if (i == MAX_PEERS)
			abort();
		server.fds[i] = accept4(server.listener, NULL, NULL,
		    SOCK_CLOEXEC);
		if (server.fds[i] < 0)
			abort();
		if (pthread_create(&server.peers[i], NULL, serve_peer,
		    &server.fds[i]) != 0)
			abort();
		server.n_peers++;
	}
	for (i = 0; i < server.n_peers; i++)
		pthread_join(server.peers[i], NULL);
	return NULL;
}

static int
bound_socket(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		abort();
	*port = ntohs(a.sin_port);
	return fd;
}

static void
server_start(const struct step *steps, size_t n)
{
	memset(&server, 0, sizeof(server));
	server.steps = steps;
	server.n_steps = n;
	pthread_mutex_init(&server.lock, NULL);
	server.listener = bound_socket(&server.port);
	if (listen(server.listener, 64) < 0 || pipe(server.stop) < 0 ||
	    pthread_create(&server.thread, NULL, serve, NULL) != 0)
		abort();
}

/* Then all that was seen can be looked at. */
static void
server_stop(void)
{
	close(server.stop[1]);
	pthread_join(server.thread, NULL);
	close(server.stop[0]);
	close(server.listener);
	pthread_mutex_destroy(&server.lock);
}

static void
server_clear(void)
{
	buf_clear(&server.seen);
}

static size_t
times_seen(const char *words)
{
	const char *p = buf_cstr(&server.seen);
	size_t n = 0;

	while ((p = strstr(p, words)) != NULL)
		p++, n++;
	return n;
}

/* ------------------------------------------------------------ the client */

static struct http *
open_port(int port, bool has_token)
{
	struct secret token = SECRET_INIT;
	struct err e = ERR_INIT;
	struct http *h;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	assert_ok(secret_join(&token, TOKEN, NULL, &e), e);
	h = http_open(url, has_token ? "Authorization: Bearer " : NULL,
	    has_token ? &token : NULL, &e);
	secret_clear(&token);
	if (h == NULL)
		fail_msg("%s", e.text);
	return h;
}

static struct http_request
request(enum http_method method, const char *path, const char *body)
{
	struct http_request r = HTTP_REQUEST_INIT;

	r.method = method;
	r.path = mem_dup(path);
	if (body != NULL)
		buf_str(&r.body, body);
	return r;
}

/* One request against the script; then the server has ended. */
static void
ask(struct http_request *r, const struct step *steps, size_t n, int64_t ms)
{
	struct http *h;

	server_start(steps, n);
	h = open_port(server.port, true);
	http_run(h, r, 1, clock_ms() + ms);
	http_close(h);
	server_stop();
}

#define ASK(r, steps, ms) ask(r, steps, COUNT(steps), ms)

static void
check_request(const struct http_request *r, long status, int kind,
    const char *part, bool may_have_worked, int line)
{
	check_err(&r->error, kind, part, __FILE__, line);
	if (r->status == status && r->may_have_worked == may_have_worked)
		return;
	print_error("status %ld, may have worked: %d, %s\n", r->status,
	    r->may_have_worked, r->error.text);
	_fail(__FILE__, line);
}

#define assert_request(r, status, kind, part, may_have_worked) \
	check_request(r, status, kind, part, may_have_worked, __LINE__)

#define HEAD(status) "HTTP/1.1 " status "\r\n"
#define LENGTH(n) "Content-Length: " n "\r\n"
#define OK_ANSWER HEAD("200 OK") LENGTH("2") "\r\n{}"
#define HTML_502 HEAD("502 Bad Gateway") "Content-Type: text/html\r\n" \
	LENGTH("59") "\r\n<html>\r\n<head><title>502 Bad Gateway</title>" \
	"</head></html>\n"

/* ----------------------------------------------------------- usual answers */

static void
a_get_is_answered(void **state)
{
	static const struct step steps[] = {{
		HEAD("200 OK") "x-request-id: 1a2b\r\n"
		"ratelimit-remaining: 4999\r\nRateLimit-Reset: 1795330830\r\n"
		"content-type: application/json\r\n" LENGTH("7")
		"\r\n{\"a\":1}", KEEP, 0, 0,
	}};
	struct http_request r = request(HTTP_GET, "/v2/account?a=b", NULL);
	int64_t remaining, reset;
	struct http *h;

	(void)state;
	server_start(steps, 1);
	h = open_port(server.port, true);
	assert_false(http_rate(h, &remaining, &reset));
	http_run(h, &r, 1, clock_ms() + LONG_MS);
	assert_request(&r, 200, ERR_NONE, "", false);
	assert_string_equal(buf_cstr(&r.answer), "{\"a\":1}");
	assert_string_equal(r.id, "1a2b");
	assert_true(http_rate(h, &remaining, &reset));
	assert_int_equal(remaining, 4999);
	assert_int_equal(reset, 1795330830);
	/* begun anew: nothing of the first remains */
	http_run(h, &r, 1, clock_ms() + LONG_MS);
	assert_request(&r, 200, ERR_NONE, "", false);
	assert_string_equal(buf_cstr(&r.answer), "{\"a\":1}");
	assert_int_equal(http_sent(h), 2);
	http_close(h);
	server_stop();
	assert_int_equal(server.n_peers, 1);
	assert_int_equal(times_seen("GET /v2/account?a=b HTTP/1.1\r\n"), 2);
	assert_int_equal(times_seen("Authorization: Bearer " TOKEN "\r\n"), 2);
	assert_int_equal(times_seen("User-Agent: veilid-cicd/"), 2);
	assert_int_equal(times_seen("Accept: application/json\r\n"), 2);
	assert_int_equal(times_seen("Content-"), 0);
	assert_int_equal(times_seen("Accept-Encoding"), 0);
	http_request_clear(&r);
	assert_null(r.path);
	assert_null(r.answer.p);
	server_clear();
}

static void
bodies_are_json(void **state)
{
	static const struct step steps[] = {{
		HEAD("204 No Content") "\r\n", KEEP, 0, 0,
	}};
	char *large = mem_format("{\"a\":\"%02000000d\"}", 7);
	struct http_request r[6] = {
		request(HTTP_POST, "/a", "{\"a\":1}"),
		request(HTTP_PUT, "/b", "{\"b\":1}"),
		request(HTTP_DELETE, "/c", NULL),
		request(HTTP_POST, "/d", NULL),
		request(HTTP_PUT, "/e", NULL),
		request(HTTP_POST, "/f", large),
	};
	struct http *h;
	size_t i;

	(void)state;
	server_start(steps, 1);
	h = open_port(server.port, true);
	for (i = 0; i < COUNT(r); i++) {
		http_run(h, &r[i], 1, clock_ms() + LONG_MS);
		assert_request(&r[i], 204, ERR_NONE, "", false);
		assert_int_equal(r[i].answer.n, 0);
		http_request_clear(&r[i]);
	}
	http_close(h);
	server_stop();
	assert_int_equal(times_seen("POST /a HTTP/1.1\r\n"), 1);
	assert_int_equal(times_seen("\r\n\r\n{\"a\":1}PUT /b HTTP/1.1\r\n"),
	    1);
	assert_int_equal(times_seen("\r\n\r\n{\"b\":1}DELETE /c "), 1);
	assert_int_equal(times_seen("Content-Type: application/json\r\n"), 3);
	assert_int_equal(times_seen("Content-Type"), 3);
	assert_int_equal(times_seen("Content-Length: 0\r\n"), 2);
	assert_int_equal(times_seen("Content-Length"), 5);
	assert_int_equal(times_seen("Expect"), 0);
	assert_non_null(strstr(server.seen.p, large));
	free(large);
	server_clear();
}

static void
chunks_are_put_together(void **state)
{
	static const struct step steps[] = {{
		HEAD("200 OK") "Transfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nx-trailer: 1\r\n\r\n",
		KEEP, 0, 0,
	}};
	struct http_request r = request(HTTP_GET, "/", NULL);

	(void)state;
	ASK(&r, steps, LONG_MS);
	assert_request(&r, 200, ERR_NONE, "", false);
	assert_string_equal(buf_cstr(&r.answer), "abcdefg");
	http_request_clear(&r);
	server_clear();
}

static void
many_at_once(void **state)
{
	static const struct step steps[] = {{OK_ANSWER, KEEP, 0, 20}};
	struct http_request r[MANY];
	struct http *h;
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		r[i] = request(i % 3 == 0 ? HTTP_POST : HTTP_GET, "/", NULL);
		free(r[i].path);
		r[i].path = mem_format("/%zu-", i);
	}
	server_start(steps, 1);
	h = open_port(server.port, true);
	http_run(h, r, MANY, clock_ms() + LONG_MS);
	http_run(h, r, 0, clock_ms() + LONG_MS);
	http_close(h);
	server_stop();
	for (i = 0; i < MANY; i++) {
		char line[32];

		assert_request(&r[i], 200, ERR_NONE, "", false);
		assert_string_equal(buf_cstr(&r[i].answer), "{}");
		snprintf(line, sizeof(line), " %s HTTP/1.1", r[i].path);
		assert_int_equal(times_seen(line), 1);
		http_request_clear(&r[i]);
	}
	assert_int_equal(server.asked, MANY);
	server_clear();
}

/* ------------------------------------------------------------- sent again */

static void
a_limit_is_waited_for(void **state)
{
	static const struct step steps[] = {
		{HEAD("429 Too Many Requests") "retry-after: 1\r\n"
		    LENGTH("0") "\r\n", KEEP, 0, 0},
		{OK_ANSWER, KEEP, 0, 0},
	};
	static const enum http_method methods[] = {HTTP_GET, HTTP_POST};
	struct http_request r;
	int64_t began;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(methods); i++) {
		r = request(methods[i], "/", NULL);
		began = clock_ms();
		ASK(&r, steps, 10000);
		assert_request(&r, 200, ERR_NONE, "", false);
		assert_int_equal(server.asked, 2);
		assert_true(clock_ms() - began >= 1000);
		http_request_clear(&r);
		server_clear();
	}
}

static void
a_limit_beyond_the_deadline_is_told_at_once(void **state)
{
	static const struct step steps[] = {{
		HEAD("429 Too Many Requests") "x-request-id: r1\r\n"
		"ratelimit-remaining: 0\r\nratelimit-reset: 4102444800\r\n"
		"\r\n{\"id\":\"too_many_requests\","
		"\"message\":\"API Rate limit exceeded.\"}", CLOSE, 0, 0,
	}};
	struct http_request r = request(HTTP_POST, "/v2/droplets", "{}");

	(void)state;
	ASK(&r, steps, 3600000);
	assert_request(&r, 429, ERR_AGAIN, "POST /v2/droplets: 429 "
	    "too_many_requests: API Rate limit exceeded. (request r1); "
	    "the limit holds until 20", false);
	assert_int_equal(server.asked, 1);
	http_request_clear(&r);
	server_clear();
}

static void
what_the_server_failed_at_is_sent_again(void **state)
{
	static const struct step steps[] = {
		{HTML_502, KEEP, 0, 0}, {OK_ANSWER, KEEP, 0, 0},
	};
	static const enum http_method methods[] = {
		HTTP_GET, HTTP_PUT, HTTP_DELETE,
	};
	struct http_request r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(methods); i++) {
		r = request(methods[i], "/", NULL);
		ASK(&r, steps, 10000);
		assert_request(&r, 200, ERR_NONE, "", false);
		assert_int_equal(server.asked, 2);
		http_request_clear(&r);
		server_clear();
	}
}

static void
but_not_a_post(void **state)
{
	static const struct step steps[] = {
		{HTML_502, KEEP, 0, 0}, {OK_ANSWER, KEEP, 0, 0},
	};
	struct http_request r = request(HTTP_POST, "/v2/droplets", "{}");

	(void)state;
	ASK(&r, steps, 10000);
	assert_request(&r, 502, ERR_AGAIN, "POST /v2/droplets: 502 "
	    "<html> <head><title>502 Bad Gateway</title></head></html>", true);
	assert_int_equal(server.asked, 1);
	http_request_clear(&r);
	server_clear();
}

static void
failing_for_ever_ends_at_the_deadline(void **state)
{
	static const struct step steps[] = {{HTML_502, KEEP, 0, 0}};
	struct http_request r = request(HTTP_GET, "/x", NULL);

	(void)state;
	ASK(&r, steps, 1200);
	assert_request(&r, 502, ERR_AGAIN, "GET /x: 502 <html>", true);
	assert_true(server.asked >= 2);
	http_request_clear(&r);
	server_clear();
}

/* Of a DELETE that was sent twice, the second may find nothing any more. */
static void
what_was_sent_before_is_not_forgotten(void **state)
{
	static const struct step steps[] = {
		{HTML_502, KEEP, 0, 0},
		{HEAD("404 Not Found") LENGTH("0") "\r\n", KEEP, 0, 0},
	};
	struct http_request r = request(HTTP_DELETE, "/v2/droplets/7", NULL);

	(void)state;
	ASK(&r, steps, 10000);
	assert_request(&r, 404, ERR_MISSING,
	    "DELETE /v2/droplets/7: 404 not found", true);
	http_request_clear(&r);
	server_clear();
}

/* ------------------------------------------------------ broken connections */

static void
a_broken_connection_is_tried_again(void **state)
{
	static const struct step cases[][2] = {
		{{NULL, CLOSE, 0, 0}, {OK_ANSWER, KEEP, 0, 0}},
		{{NULL, RESET, 0, 0}, {OK_ANSWER, KEEP, 0, 0}},
		{{HEAD("200 OK") LENGTH("9") "\r\nhalf", CLOSE, 0, 0},
		    {OK_ANSWER, KEEP, 0, 0}},
		{{HEAD("200 OK") "Transfer-Encoding: chunked\r\n\r\n"
		    "ff\r\nhalf", CLOSE, 0, 0}, {OK_ANSWER, KEEP, 0, 0}},
	};
	static const enum http_method methods[] = {
		HTTP_GET, HTTP_DELETE, HTTP_PUT, HTTP_GET
	};
	struct http_request r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		r = request(methods[i], "/", NULL);
		ASK(&r, cases[i], 10000);
		assert_request(&r, 200, ERR_NONE, "", false);
		assert_string_equal(buf_cstr(&r.answer), "{}");
		assert_int_equal(server.asked, 2);
		http_request_clear(&r);
		server_clear();
	}
}

static void
a_post_is_never_sent_twice(void **state)
{
	static const struct step cases[][2] = {
		{{NULL, CLOSE, 0, 0}, {OK_ANSWER, KEEP, 0, 0}},
		{{NULL, RESET, 0, 0}, {OK_ANSWER, KEEP, 0, 0}},
		{{HEAD("202 Accepted") LENGTH("9") "\r\nhalf", CLOSE, 0, 0},
		    {OK_ANSWER, KEEP, 0, 0}},
		/* libcurl takes a head that breaks off for a whole answer */
		{{HEAD("202 Accepted") "x: y", CLOSE, 0, 0},
		    {OK_ANSWER, KEEP, 0, 0}},
		{{HEAD("100 Continue") "\r\n" HEAD("202 Accepted"), CLOSE, 0,
		    0}, {OK_ANSWER, KEEP, 0, 0}},
	};
	struct http_request r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		r = request(HTTP_POST, "/v2/droplets", "{\"name\":\"a\"}");
		ASK(&r, cases[i], 10000);
		assert_request(&r, i < 2 ? 0 : 202, ERR_AGAIN, "it may or may "
		    "not have been carried out", true);
		assert_int_equal(server.asked, 1);
		assert_int_equal(server.n_peers, 1);
		http_request_clear(&r);
		server_clear();
	}
}

static void
a_stalled_answer_ends_at_the_deadline(void **state)
{
	static const struct step cases[][1] = {
		{{NULL, STALL, 0, 0}},
		{{HEAD("200 OK") LENGTH("9") "\r\nhalf", STALL, 0, 0}},
		{{HEAD("200 OK") "x: ", STALL, 0, 0}},
	};
	struct http_request r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		r = request(i == 0 ? HTTP_GET : HTTP_POST, "/", NULL);
		ASK(&r, cases[i], 600);
		assert_request(&r, i == 0 ? 0 : 200, ERR_AGAIN, "timed out",
		    true);
		assert_int_equal(server.asked, 1);
		http_request_clear(&r);
		server_clear();
	}
}

static void
nothing_starts_after_the_deadline(void **state)
{
	static const struct step steps[] = {{OK_ANSWER, KEEP, 0, 0}};
	struct http_request r = request(HTTP_POST, "/", NULL);

	(void)state;
	ASK(&r, steps, 0);
	assert_request(&r, 0, ERR_AGAIN, "no time left", false);
	assert_int_equal(server.n_peers, 0);
	http_request_clear(&r);
	server_clear();
}

static void
a_refused_connection_is_tried_until_the_deadline(void **state)
{
	struct http_request r = request(HTTP_POST, "/", "{}");
	int port, fd = bound_socket(&port);	/* nobody listens */
	struct http *h = open_port(port, true);

	(void)state;
	http_run(h, &r, 1, clock_ms() + 1200);
	assert_request(&r, 0, ERR_AGAIN, "; tried ", false);
	assert_non_null(strstr(r.error.text, "POST /: "));
	assert_true(http_sent(h) >= 2);
	http_close(h);
	close(fd);
	http_request_clear(&r);
}

/* TLS with one that speaks none: the request itself is not sent. */
static void
a_handshake_that_fails_has_sent_nothing(void **state)
{
	static const struct step steps[] = {{NULL, CLOSE, 0, 0}};
	struct http_request r = request(HTTP_POST, "/", "{}");
	struct err e = ERR_INIT;
	struct http *h;
	char url[64];
	int fd, port;

	(void)state;
	server_start(steps, 1);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", server.port);
	h = http_open(url, NULL, NULL, &e);
	assert_non_null(h);
	http_run(h, &r, 1, clock_ms() + 300);
	assert_request(&r, 0, ERR_AGAIN, "POST /: ", false);
	http_close(h);
	server_stop();
	server_clear();
	/* connected to by the kernel, and never accepted */
	fd = bound_socket(&port);
	assert_int_equal(listen(fd, 8), 0);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", port);
	h = http_open(url, NULL, NULL, &e);
	http_run(h, &r, 1, clock_ms() + 300);
	assert_request(&r, 0, ERR_AGAIN, "timed out", false);
	http_close(h);
	close(fd);
	http_request_clear(&r);
}

/*
 * libcurl sends a request again by itself when a connection that it used
 * before turns out to be closed. Twice of a POST is two machines.
 */
static void
a_connection_that_was_closed_is_not_posted_on(void **state)
{
	static const struct step steps[] = {
		{OK_ANSWER, CLOSE, 0, 0},	/* kept alive, it said */
		{NULL, CLOSE, 0, 0},
		{OK_ANSWER, KEEP, 0, 0},
	};
	struct http_request get = request(HTTP_GET, "/", NULL);
	struct http_request post = request(HTTP_POST, "/v2/droplets", "{}");
	struct http *h;

	(void)state;
	server_start(steps, COUNT(steps));
	h = open_port(server.port, true);
	http_run(h, &get, 1, clock_ms() + LONG_MS);
	assert_request(&get, 200, ERR_NONE, "", false);
	http_run(h, &post, 1, clock_ms() + LONG_MS);
	assert_request(&post, 0, ERR_AGAIN, "", true);
	http_run(h, &get, 1, clock_ms() + LONG_MS);
	assert_request(&get, 200, ERR_NONE, "", false);
	http_close(h);
	server_stop();
	assert_int_equal(times_seen("POST "), 1);
	assert_int_equal(server.n_peers, 3);
	http_request_clear(&get);
	http_request_clear(&post);
	server_clear();
}

static void
a_post_has_a_connection_of_its_own(void **state)
{
	static const struct step steps[] = {{OK_ANSWER, KEEP, 0, 0}};
	struct http_request get = request(HTTP_GET, "/", NULL);
	struct http_request post = request(HTTP_POST, "/", "{}");
	struct http *h;

	(void)state;
	server_start(steps, COUNT(steps));
	h = open_port(server.port, true);
	http_run(h, &get, 1, clock_ms() + LONG_MS);
	http_run(h, &get, 1, clock_ms() + LONG_MS);
	http_run(h, &post, 1, clock_ms() + LONG_MS);
	assert_request(&post, 200, ERR_NONE, "", false);
	http_close(h);
	server_stop();
	assert_int_equal(server.asked, 3);
	assert_int_equal(server.n_peers, 2);
	http_request_clear(&get);
	http_request_clear(&post);
	server_clear();
}

/* --------------------------------------------------------- hostile answers */

static void
redirects_are_not_followed(void **state)
{
	struct http_request r = request(HTTP_GET, "/v2/account", NULL);
	struct step redirect = {NULL, KEEP, 0, 0};
	int port, other = bound_socket(&port);
	char *answer;

	(void)state;
	assert_int_equal(listen(other, 8), 0);
	answer = mem_format(HEAD("302 Found") "Location: http://127.0.0.1:%d/"
	    "\r\n" LENGTH("0") "\r\n", port);
	redirect.answer = answer;
	ask(&r, &redirect, 1, 5000);
	assert_request(&r, 302, ERR_PROTOCOL,
	    "GET /v2/account: 302 redirects are not followed", false);
	assert_int_equal(server.asked, 1);
	/* nobody has knocked at the other one */
	assert_int_equal(fcntl(other, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(accept(other, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	close(other);
	free(answer);
	http_request_clear(&r);
	server_clear();
}

static void
bodies_are_bounded(void **state)
{
	static const struct step cases[][1] = {
		{{HEAD("200 OK") LENGTH("11") "\r\n0123456789a", KEEP, 0, 0}},
		{{HEAD("200 OK") "Transfer-Encoding: chunked\r\n\r\n"
		    "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n", KEEP, 0, 0}},
		{{HEAD("200 OK") "\r\n0123456789abcdef", CLOSE, 0, 0}},
		{{HEAD("200 OK") LENGTH("10") "\r\n0123456789", KEEP, 0, 0}},
	};
	struct http_request r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		r = request(i == 0 ? HTTP_POST : HTTP_GET, "/", NULL);
		r.limit = 10;
		ASK(&r, cases[i], 5000);
		assert_int_equal(server.asked, 1);
		if (i == 3)
			assert_request(&r, 200, ERR_NONE, "", false);
		else
			assert_request(&r, 200, ERR_PROTOCOL,
			    "/: 200: the answer is too large", true);
		assert_true(r.answer.n <= 10);
		http_request_clear(&r);
		server_clear();
	}
}

static void
heads_are_bounded(void **state)
{
	struct buf flood = BUF_INIT, line = BUF_INIT, interim = BUF_INIT;
	struct step cases[3] = {{.then = KEEP}};
	struct http_request r;
	size_t i;

	(void)state;
	buf_str(&flood, HEAD("200 OK"));
	buf_str(&line, HEAD("200 OK") "x: ");
	for (i = 0; i < 20000; i++) {
		buf_addf(&flood, "x-%zu: flood\r\n", i);
		buf_addf(&line, "%08zu", i);
		buf_str(&interim, HEAD("103 Early Hints") "\r\n");
	}
	buf_str(&flood, "\r\n");
	buf_str(&line, "\r\n\r\n");
	buf_str(&interim, OK_ANSWER);
	cases[0].answer = flood.p;
	cases[1].answer = line.p;
	cases[2].answer = interim.p;
	for (i = 0; i < COUNT(cases); i++) {
		r = request(HTTP_POST, "/", NULL);
		ask(&r, &cases[i], 1, 5000);
		assert_int_equal(r.error.kind, ERR_PROTOCOL);
		assert_true(r.may_have_worked);
		assert_int_equal(server.asked, 1);
		http_request_clear(&r);
		server_clear();
	}
	buf_clear(&flood);
	buf_clear(&line);
	buf_clear(&interim);
}

static void
what_is_not_http_is_no_answer(void **state)
{
	static const struct step cases[][1] = {
		{{"SSH-2.0-OpenSSH_9.2\r\n\r\n", CLOSE, 0, 0}},
		{{"HTTP/1.1 abc\r\n\r\n", CLOSE, 0, 0}},
		{{HEAD("200 OK") "Content-Length: -5\r\n\r\n", CLOSE, 0, 0}},
	};
	struct http_request r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		r = request(HTTP_GET, "/", NULL);
		ASK(&r, cases[i], 5000);
		assert_int_equal(r.error.kind, ERR_PROTOCOL);
		http_request_clear(&r);
		server_clear();
	}
}

static void
the_token_is_not_in_messages(void **state)
{
	static const struct step steps[] = {{
		HEAD("401 Unauthorized") "\r\nno such token: " TOKEN " "
		TOKEN, CLOSE, 0, 0,
	}};
	struct http_request r = request(HTTP_GET, "/", NULL);

	(void)state;
	ASK(&r, steps, LONG_MS);
	assert_request(&r, 401, ERR_REFUSED, "GET /: 401 no such token: ***",
	    false);
	assert_null(strstr(r.error.text, TOKEN));
	http_request_clear(&r);
	server_clear();
}

static void
interim_answers_are_passed_over(void **state)
{
	static const struct step steps[] = {{
		HEAD("100 Continue") "x-request-id: no\r\n\r\n"
		HEAD("422 Unprocessable Entity") "x-request-id: yes\r\n"
		"\r\n{\"id\":\"unprocessable_entity\","
		"\"message\":\"limit\"}", CLOSE, 0, 0,
	}};
	struct http_request r = request(HTTP_POST, "/v2/droplets", "{}");

	(void)state;
	ASK(&r, steps, LONG_MS);
	assert_request(&r, 422, ERR_UNAVAILABLE, "POST /v2/droplets: 422 "
	    "unprocessable_entity: limit (request yes)", false);
	assert_string_equal(r.id, "yes");
	http_request_clear(&r);
	server_clear();
}

/* The answer quotes what it was sent, and is cut in the middle of a secret. */
static void
a_quoted_secret_is_not_seen(void **state)
{
	static const struct step steps[] = {{
		HEAD("422 Unprocessable Entity") "\r\n{\"message\":\"bad: "
		"glrt-secret-secret and glrt-secret-\"}", CLOSE, 0, 0,
	}};
	struct http_request r = request(HTTP_POST, "/v2/droplets", "{}");

	(void)state;
	r.hide = "glrt-secret-secret";
	ASK(&r, steps, LONG_MS);
	assert_non_null(strstr(r.error.text, "bad: ****"));
	assert_null(strstr(r.error.text, "secret"));
	http_request_clear(&r);
	server_clear();
}

/* ----------------------------------------------------------- what is opened */

static void
urls_are_judged(void **state)
{
	static const struct {
		const char *url, *part;		/* part NULL: accepted */
		bool without_token;		/* is accepted all the same */
	} cases[] = {
		{"https://api.example.org", NULL, true},
		{"https://api.example.org/", NULL, true},
		{"https://git.example.org:8443/gitlab/", NULL, true},
		{"http://127.0.0.1:8080", NULL, true},
		{"http://127.3.2.1", NULL, true},
		{"http://[::1]:80", NULL, true},
		{"http://localhost/v2", NULL, true},
		{"http://api.example.org", "not sent over http", true},
		{"http://127.0.0.1.example.org", "not sent over http", true},
		{"http://localhost.example.org", "not sent over http", true},
		{"http://[::2]", "not sent over http", true},
		{"http://128.0.0.1", "not sent over http", true},
		{"https://me@api.example.org",
		    "must not name a user", false},
		{"https://me:sesame@api.example.org",
		    "must not name a user", false},
		{"http://127.0.0.1:80@api.example.org",
		    "must not name a user", false},
		{"https://api.example.org/?a=b", "only a host", false},
		{"https://api.example.org?", "only a host", false},
		{"https://api.example.org/#a", "only a host", false},
		{"https://api.example.org\\@127.0.0.1", "", false},
		{"https://api.example.org/a b", "", false},
		{"https://api.example.org/\r\nx: y", "", false},
		{"ftp://127.0.0.1", "begin with https or http", false},
		{"file:///etc/passwd", "", false},
		{"api.example.org", "", false},
		{"", "", false},
		{"/", "", false},
		{"https://", "", false},
		{"https://api.example.org:99999", "", false},
	};
	struct secret token = SECRET_INIT;
	struct err e = ERR_INIT;
	struct http *h;
	size_t i;

	(void)state;
	assert_ok(secret_join(&token, TOKEN, NULL, &e), e);
	for (i = 0; i < COUNT(cases); i++) {
		e = (struct err)ERR_INIT;
		h = http_open(cases[i].url, "X-Token: ", &token, &e);
		if ((h != NULL) != (cases[i].part == NULL))
			fail_msg("'%s': %s", cases[i].url, e.text);
		if (h == NULL)
			check_err(&e, ERR_CONFIG, cases[i].part, __FILE__,
			    __LINE__);
		assert_null(strstr(e.text, "sesame"));
		http_close(h);
		h = http_open(cases[i].url, NULL, NULL, &e);
		if ((h != NULL) != cases[i].without_token)
			fail_msg("'%s' without: %s", cases[i].url, e.text);
		http_close(h);
	}
	secret_clear(&token);
	http_close(NULL);
}

static void
tokens_are_judged(void **state)
{
	static const char *const bad[] = {
		"", "a b", "a\nb", "token\n", "\xc3\xa4", "a\r\nx: y", "\x7f",
	};
	struct secret token = SECRET_INIT;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_ok(secret_join(&token, bad[i], NULL, &e), e);
		assert_null(http_open("https://api.example.org", "X: ", &token,
		    &e));
		check_err(&e, ERR_CONFIG, "the token ", __FILE__, __LINE__);
	}
	secret_clear(&token);
	assert_null(http_open("https://api.example.org", "X: ", NULL, &e));
	assert_null(http_open("https://api.example.org", "X: ", &token, &e));
}

/* Behind the host's name, they would make another one of it. */
static void
paths_are_judged(void **state)
{
	static const char *const bad[] = {
		"", ".example.org/", "@example.org/", ":80/", "v2", "/a b",
		"/a\r\nx: y", "/a#b", "/\x7f",
	};
	static const struct step steps[] = {{OK_ANSWER, KEEP, 0, 0}};
	struct http_request r[COUNT(bad) + 1];
	struct http *h;
	size_t i;

	(void)state;
	server_start(steps, 1);
	h = open_port(server.port, true);
	for (i = 0; i < COUNT(bad); i++)
		r[i] = request(HTTP_GET, bad[i], NULL);
	r[i] = (struct http_request)HTTP_REQUEST_INIT;
	http_run(h, r, COUNT(r), clock_ms() + LONG_MS);
	for (i = 0; i < COUNT(r); i++) {
		assert_request(&r[i], 0, ERR_BUG, "not the path", false);
		http_request_clear(&r[i]);
	}
	http_close(h);
	server_stop();
	assert_int_equal(server.n_peers, 0);
	server_clear();
}

static void
loopback_needs_no_proxy(void **state)
{
	static const struct step steps[] = {{OK_ANSWER, KEEP, 0, 0}};
	struct http_request r = request(HTTP_GET, "/", NULL);

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	ASK(&r, steps, LONG_MS);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_request(&r, 200, ERR_NONE, "", false);
	http_request_clear(&r);
	server_clear();
}

/* The proxy of https is asked for a connection, and told no more. */
static void
a_proxy_does_not_get_the_token(void **state)
{
	static const struct step steps[] = {{
		HEAD("503 No") "x-request-id: proxy\r\n" LENGTH("0") "\r\n",
		CLOSE, 0, 0,
	}};
	struct http_request r = request(HTTP_POST, "/", "{}");
	struct secret token = SECRET_INIT;
	struct err e = ERR_INIT;
	char proxy[64];
	struct http *h;

	(void)state;
	server_start(steps, 1);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", server.port);
	setenv("https_proxy", proxy, 1);
	assert_ok(secret_join(&token, TOKEN, NULL, &e), e);
	h = http_open("https://api.example.org", "X-Token: ", &token, &e);
	assert_non_null(h);
	http_run(h, &r, 1, clock_ms() + 800);
	unsetenv("https_proxy");
	http_close(h);
	server_stop();
	assert_int_equal(r.error.kind, ERR_AGAIN);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.id, "");
	assert_true(times_seen("CONNECT api.example.org:443") >= 1);
	assert_int_equal(times_seen(TOKEN), 0);
	secret_clear(&token);
	http_request_clear(&r);
	server_clear();
}

/* ----------------------------------------------------------------- signals */

#define check(claim) do {						\
	if (!(claim)) {							\
		print_error("line %d: not so: %s\n", __LINE__, #claim);	\
		return 1;						\
	}								\
} while (0)

/* What follows a signal: nothing, until tidying begins. */
static int
check_tidying(struct http *h)
{
	struct http_request r = request(HTTP_DELETE, "/tidy", NULL);
	unsigned sent = http_sent(h);

	http_run(h, &r, 1, clock_ms() + LONG_MS);
	check(r.error.kind == ERR_SIGNAL && r.status == 0);
	check(!r.may_have_worked && http_sent(h) == sent);
	cleanup_tidy();
	http_run(h, &r, 1, clock_ms() + LONG_MS);
	check(r.error.kind == ERR_NONE && r.status == 200);
	http_request_clear(&r);
	return 0;
}

static int
interrupted_get(void *arg)
{
	static const struct step steps[] = {
		{NULL, STALL, SIGTERM, 0}, {OK_ANSWER, KEEP, 0, 0},
	};
	struct http_request r[MANY];
	int64_t began = clock_ms();
	struct http *h;
	size_t i;

	(void)arg;
	cleanup_start();
	server_start(steps, COUNT(steps));
	for (i = 0; i < MANY; i++)
		r[i] = request(HTTP_GET, "/", NULL);
	h = open_port(server.port, true);
	/* all but the first are not there yet when it comes, or wait */
	http_run(h, r, 1, clock_ms() + LONG_MS);
	check(r[0].error.kind == ERR_SIGNAL);
	check(strstr(r[0].error.text, "GET /: interrupted (Terminated)"));
	http_run(h, r, MANY, clock_ms() + LONG_MS);
	for (i = 0; i < MANY; i++)
		check(r[i].error.kind == ERR_SIGNAL);
	check(http_sent(h) == 1);
	check(clock_ms() - began < HTTP_GRACE_MS);
	check(check_tidying(h) == 0);
	http_close(h);
	server_stop();
	for (i = 0; i < MANY; i++)
		http_request_clear(&r[i]);
	return 0;
}

/* The answer comes after the signal, and is waited for. */
static int
interrupted_post(void *arg)
{
	static const struct step steps[] = {
		{HEAD("202 Accepted") LENGTH("2") "\r\n{}", KEEP, SIGTERM, 500},
		{OK_ANSWER, KEEP, 0, 0},
	};
	struct http_request r = request(HTTP_POST, "/", "{}");
	struct http *h;

	(void)arg;
	cleanup_start();
	server_start(steps, COUNT(steps));
	h = open_port(server.port, true);
	http_run(h, &r, 1, clock_ms() + LONG_MS);
	check(r.error.kind == ERR_NONE && r.status == 202);
	check(check_tidying(h) == 0);
	http_close(h);
	server_stop();
	check(times_seen("POST ") == 1);
	http_request_clear(&r);
	return 0;
}

/* No answer: it is known that it may have been carried out. */
static int
interrupted_and_stalled(void *arg)
{
	static const struct step steps[] = {{NULL, STALL, SIGTERM, 0}};
	struct http_request r = request(HTTP_POST, "/", "{}");
	struct http *h;

	(void)arg;
	cleanup_start();
	server_start(steps, COUNT(steps));
	h = open_port(server.port, true);
	http_run(h, &r, 1, clock_ms() + 1000);
	check(r.error.kind != ERR_NONE && r.may_have_worked);
	http_close(h);
	server_stop();
	http_request_clear(&r);
	return 0;
}

/* It waits to be sent again, and is not. */
static int
interrupted_wait(void *arg)
{
	static const struct step steps[] = {{
		HEAD("429 Slow") "retry-after: 400\r\n" LENGTH("0") "\r\n",
		KEEP, SIGTERM, 0,
	}};
	struct http_request r = request(HTTP_PUT, "/", "{}");
	int64_t began = clock_ms();
	struct http *h;

	(void)arg;
	cleanup_start();
	server_start(steps, COUNT(steps));
	h = open_port(server.port, true);
	http_run(h, &r, 1, clock_ms() + 4000000);
	check(r.error.kind == ERR_SIGNAL || r.error.kind == ERR_AGAIN);
	check(!r.may_have_worked);
	check(clock_ms() - began < 400000);
	http_close(h);
	server_stop();
	check(server.asked == 1);
	http_request_clear(&r);
	return 0;
}

static int
interrupted_before(void *arg)
{
	static const struct step steps[] = {{OK_ANSWER, KEEP, 0, 0}};
	struct buf body = BUF_INIT;
	struct err e = ERR_INIT;
	struct http *h;
	char url[64];

	(void)arg;
	cleanup_start();
	server_start(steps, COUNT(steps));
	h = open_port(server.port, true);
	raise(SIGTERM);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
	check(http_get(url, 10, &body, &e) < 0 && e.kind == ERR_SIGNAL);
	check(check_tidying(h) == 0);
	check(http_get(url, 10, &body, &e) == 0);
	http_close(h);
	server_stop();
	check(server.asked == 2);
	buf_clear(&body);
	return 0;
}

static void
signals(void **state)
{
	static int (*const parts[])(void *) = {
		interrupted_get, interrupted_post, interrupted_and_stalled,
		interrupted_wait, interrupted_before,
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(parts); i++)
		if (in_child(parts[i], NULL) != 0)
			fail_msg("part %zu", i);
}

/* ---------------------------------------------------------- http_get, quote */

static int
get_port(int port, size_t max, struct buf *body, struct err *e)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/a?b", port);
	return http_get(url, max, body, e);
}

static void
a_single_get(void **state)
{
	static const struct step steps[] = {
		{HEAD("200 OK") LENGTH("5") "\r\nhello", KEEP, 0, 0},
		{HEAD("200 OK") LENGTH("6") "\r\nhello!", KEEP, 0, 0},
		{HEAD("404 Not Found") LENGTH("1") "\r\nx", KEEP, 0, 0},
		{HTML_502, KEEP, 0, 0},
		{HEAD("204 No Content") "\r\n", KEEP, 0, 0},
		{HEAD("301 Moved") "Location: /\r\n" LENGTH("0") "\r\n", KEEP,
		    0, 0},
		{HEAD("200 OK") LENGTH("5") "\r\nhal", CLOSE, 0, 0},
		{NULL, CLOSE, 0, 0},
	};
	struct buf body = BUF_INIT;
	struct err e = ERR_INIT;
	int port;

	(void)state;
	server_start(steps, COUNT(steps));
	port = server.port;
	buf_str(&body, "before ");
	assert_ok(get_port(port, 5, &body, &e), e);
	assert_string_equal(body.p, "before hello");
	assert_fails(get_port(port, 5, &body, &e), e, ERR_PROTOCOL,
	    "the answer is too large");
	assert_fails(get_port(port, 5, &body, &e), e, ERR_MISSING,
	    "/a?b': status 404");
	assert_fails(get_port(port, 99, &body, &e), e, ERR_PROTOCOL,
	    "status 502");
	assert_fails(get_port(port, 99, &body, &e), e, ERR_PROTOCOL,
	    "status 204");
	assert_fails(get_port(port, 99, &body, &e), e, ERR_PROTOCOL,
	    "status 301");
	assert_fails(get_port(port, 99, &body, &e), e, ERR_AGAIN, "get 'http");
	assert_fails(get_port(port, 99, &body, &e), e, ERR_AGAIN, "get 'http");
	assert_fails(http_get("nonsense://x", 9, &body, &e), e, ERR_AGAIN,
	    "get 'nonsense://x'");
	assert_string_equal(body.p, "before hello");
	server_stop();
	assert_int_equal(server.asked, COUNT(steps));
	assert_int_equal(times_seen("Cache-Control: no-cache\r\n"),
	    COUNT(steps));
	assert_fails(get_port(port, 99, &body, &e), e, ERR_AGAIN, "get 'http");
	buf_clear(&body);
	server_clear();
}

static void
texts_are_quoted(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	http_quote(&b, "");
	http_quote(&b, "aZ09-._~");
	http_quote(&b, " &=?#/%+:\xc3\xa4\n");
	assert_string_equal(buf_cstr(&b),
	    "aZ09-._~%20%26%3D%3F%23%2F%25%2B%3A%C3%A4%0A");
	buf_clear(&b);
}

static void
each_try_is_one_line(void **state)
{
	static const struct step steps[] = {
		{HTML_502, KEEP, 0, 0},
		{HEAD("200 OK") "x-request-id: 77\r\n" LENGTH("6")
		    "\r\nsesame", KEEP, 0, 0},
	};
	struct http_request r = request(HTTP_GET, "/v2/x", NULL);
	struct buf text = BUF_INIT;
	int saved = mute_stderr("stderr");

	(void)state;
	log_open("tool", LOG_TRACE);
	ASK(&r, steps, 10000);
	log_open("tool", LOG_NOTICE);
	unmute_stderr(saved);
	get("stderr", &text);
	assert_non_null(strstr(text.p, "tool: GET /v2/x: 502 in "));
	assert_non_null(strstr(text.p, "</html>; again in "));
	assert_non_null(strstr(text.p, "tool: GET /v2/x: 200 in "));
	assert_non_null(strstr(text.p, " ms, request 77\n"));
	assert_null(strstr(text.p, TOKEN));
	assert_null(strstr(text.p, "sesame"));
	buf_clear(&text);
	http_request_clear(&r);
	server_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_get_is_answered),
		cmocka_unit_test(bodies_are_json),
		cmocka_unit_test(chunks_are_put_together),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(a_limit_is_waited_for),
		cmocka_unit_test(a_limit_beyond_the_deadline_is_told_at_once),
		cmocka_unit_test(what_the_server_failed_at_is_sent_again),
		cmocka_unit_test(but_not_a_post),
		cmocka_unit_test(failing_for_ever_ends_at_the_deadline),
		cmocka_unit_test(what_was_sent_before_is_not_forgotten),
		cmocka_unit_test(a_broken_connection_is_tried_again),
		cmocka_unit_test(a_post_is_never_sent_twice),
		cmocka_unit_test(a_stalled_answer_ends_at_the_deadline),
		cmocka_unit_test(nothing_starts_after_the_deadline),
		cmocka_unit_test(
		    a_refused_connection_is_tried_until_the_deadline),
		cmocka_unit_test(a_handshake_that_fails_has_sent_nothing),
		cmocka_unit_test(
		    a_connection_that_was_closed_is_not_posted_on),
		cmocka_unit_test(a_post_has_a_connection_of_its_own),
		cmocka_unit_test(redirects_are_not_followed),
		cmocka_unit_test(bodies_are_bounded),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(what_is_not_http_is_no_answer),
		cmocka_unit_test(the_token_is_not_in_messages),
		cmocka_unit_test(interim_answers_are_passed_over),
		cmocka_unit_test(a_quoted_secret_is_not_seen),
		cmocka_unit_test(urls_are_judged),
		cmocka_unit_test(tokens_are_judged),
		cmocka_unit_test(paths_are_judged),
		cmocka_unit_test(loopback_needs_no_proxy),
		cmocka_unit_test(a_proxy_does_not_get_the_token),
		cmocka_unit_test(signals),
		cmocka_unit_test(a_single_get),
		cmocka_unit_test(texts_are_quoted),
		cmocka_unit_test(each_try_is_one_line),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
