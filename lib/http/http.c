/*
 * A client knows which host gets the token. A run is many of its requests at
 * once: which may start, which are tried again and when, and how they end when
 * time is over or a signal came.
 */
#include "lib/http/http.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/date.h"
#include "lib/base/mem.h"
#include "lib/http/wire.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define POLL_MS 100		/* how soon a signal is noticed */
#define SHORTEST_TOKEN 8	/* a shorter one is in many words */

struct http {
	struct wire wire;
	char *base;		/* without a slash at the end */
	unsigned tries;		/* of each request, at most */
	struct secret token;	/* the whole line; what is before the token: */
	size_t before_token;
	bool has_rate;
	int64_t remaining;
	int64_t reset;
	unsigned sent;
};

/* One request of a run. */
struct transfer {
	struct http *h;
	struct http_request *r;
	char *url;
	bool is_done;
	unsigned tries;
	int64_t not_before;	/* when the next try may start */
	struct wire_try try;
};

/* -------------------------------------------------------------- clients */

/* Its base url, if it has one, is still to be checked. */
static struct http *
client_new(const char *base_url, unsigned tries)
{
	struct http *h = mem_zero(1, sizeof(*h));
	size_t n = strlen(base_url);

	wire_open(&h->wire);
	h->tries = tries;
	while (n > 0 && base_url[n - 1] == '/')
		n--;
	h->base = mem_dupn(base_url, n);
	return h;
}

void
http_close(struct http *h)
{
	if (h == NULL)
		return;
	wire_close(&h->wire);
	secret_clear(&h->token);
	free(h->base);
	free(h);
}

static void
fill_headers(struct wire *w)
{
	wire_add_header(w, "Accept: application/json", false);
	/* else curl calls an empty body a form */
	wire_add_header(w, "Content-Type:", false);
	wire_add_header(w, "Accept: application/json", true);
	wire_add_header(w, "Content-Type: application/json", true);
	/* Do not wait to be asked for a large body. */
	wire_add_header(w, "Expect:", true);
}

/* A line break in it would begin a header of its own. */
static int
check_token(const struct secret *token, struct err *e)
{
	size_t i;

	if (token == NULL || token->n == 0)
		return err_set(e, ERR_CONFIG, "the token is empty");
	for (i = 0; i < token->n; i++)
		if (token->p[i] <= ' ' || token->p[i] >= 0x7f)
			return err_set(e, ERR_CONFIG, "the token has an "
			    "invalid character at byte %zu", i);
	return 0;
}

static bool
is_loopback(const char *host)
{
	struct in_addr four;

	if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &four) == 1 &&
	    ntohl(four.s_addr) >> 24 == 127;
}

/* Who may be asked, and by what protocol. */
static int
check_base(struct http *h, bool has_token, struct err *e)
{
	char *scheme = NULL, *host = NULL;
	const char *why;
	int status = 0;

	if (!wire_parse_url(h->base, &scheme, &host, &why))
		/* what stands before an @ may be a password */
		return strchr(h->base, '@') != NULL ?
		    err_set(e, ERR_CONFIG, "the URL must not name a "
		    "user: %s", why) :
		    err_set(e, ERR_CONFIG, "'%s' is not a URL: %s", h->base,
		    why);
	h->wire.has_no_proxy = is_loopback(host);
	if (strpbrk(h->base, "?#\\ ") != NULL)
		status = err_set(e, ERR_CONFIG, "the URL must have only a host "
		    "and a path");
	else if (strcmp(scheme, "http") == 0 && has_token && !is_loopback(host))
		status = err_set(e, ERR_CONFIG, "a token is not sent over "
		    "http: '%s' must begin with https", h->base);
	else if (strcmp(scheme, "http") == 0)
		h->wire.protocols = "http,https";
	else if (strcmp(scheme, "https") != 0)
		status = err_set(e, ERR_CONFIG, "'%s' must begin with https or "
		    "http", h->base);
	free(scheme);
	free(host);
	return status;
}

struct http *
http_open(const char *base_url, const char *header,
    const struct secret *token, struct err *e)
{
	struct http *h = client_new(base_url, HTTP_TRIES);

	fill_headers(&h->wire);
	if (check_base(h, header != NULL, e) < 0)
		goto fail;
	if (header != NULL) {
		if (check_token(token, e) < 0 ||
		    secret_join(&h->token, header, token, e) < 0)
			goto fail;
		h->before_token = strlen(header);
		wire_add_secret_header(&h->wire, h->token.p);
	}
	return h;
fail:
	http_close(h);
	return NULL;
}

bool
http_rate(const struct http *h, int64_t *remaining, int64_t *reset)
{
	if (h->has_rate) {
		*remaining = h->remaining;
		*reset = h->reset;
	}
	return h->has_rate;
}

unsigned
http_sent(const struct http *h)
{
	return h->sent;
}

void
http_request_clear(struct http_request *r)
{
	free(r->path);
	buf_wipe(&r->body);
	buf_wipe(&r->answer);
	*r = (struct http_request)HTTP_REQUEST_INIT;
}

/* ----------------------------------------------------------------- runs */

static void
finish(struct transfer *t)
{
	t->is_done = true;
	if (t->r->error.kind == ERR_NONE)
		t->r->may_have_worked = false;
}

/* Half of it to one and a half. */
static double
draw_factor(void)
{
	uint16_t r;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return 1;
	return 0.5 + (double)r / 65536;
}

/* The reason why a request that failed is not tried any more. */
static void
add_reason(struct transfer *t, int64_t wait)
{
	struct err *e = &t->r->error;
	char text[DATE_SIZE];

	date_format(clock_now() + wait / 1000, text);
	if (t->try.outcome.status == 429)
		err_set(e, e->kind, "%s; the limit holds until %s", e->text,
		    text);
	else if (t->tries > 1)
		err_set(e, e->kind, "%s; tried %u times", e->text, t->tries);
}

/*
 * A server that quotes a secret must not have it printed by us; also not the
 * part of it that its own message was cut to.
 */
static void
hide_secret(char *text, const char *secret)
{
	size_t n;

	for (; *text != '\0'; text++) {
		for (n = 0; secret[n] != '\0' && text[n] == secret[n]; n++)
			;
		if (n >= SHORTEST_TOKEN)
			memset(text, '*', n);
	}
}

static void
keep_outcome(struct transfer *t)
{
	const struct http_outcome *o = &t->try.outcome;
	struct http_request *r = t->r;

	r->status = o->status;
	memcpy(r->id, o->id, sizeof(o->id));
	/* once it may have, a later refusal does not undo it */
	r->may_have_worked |= http_outcome_may_have_worked(o);
	if (o->remaining >= 0 && o->reset >= 0) {
		t->h->has_rate = true;
		t->h->remaining = o->remaining;
		t->h->reset = o->reset;
	}
	log_trace("%s %s: %ld in %" PRId64 " ms%s%s%s",
	    http_method_name(r->method), r->path, o->status,
	    clock_ms() - t->try.began, o->id[0] ? ", request " : "", o->id,
	    o->end == HTTP_ANSWERED ? "" : ", failed");
}

/*
 * An answer is there, or will not come. Either the request is done, or it
 * waits for its next try.
 */
static void
settle(struct transfer *t, bool is_stopped, int64_t deadline)
{
	struct http_request *r = t->r;
	struct http_outcome *o = &t->try.outcome;
	int64_t wait, now = clock_ms();

	keep_outcome(t);
	r->error = (struct err)ERR_INIT;
	(void)http_outcome_error(o, r->method, r->path, &r->answer, &r->error);
	if (t->h->token.p != NULL)
		hide_secret(r->error.text, t->h->token.p + t->h->before_token);
	if (r->hide != NULL)
		hide_secret(r->error.text, r->hide);
	if (r->error.kind == ERR_NONE || is_stopped ||
	    !http_outcome_again(o, r->method)) {
		finish(t);
		return;
	}
	wait = http_outcome_wait(o, t->tries, draw_factor(), clock_now());
	/* what a sink was given cannot be taken back */
	if (t->tries >= t->h->tries || wait >= deadline - now ||
	    t->try.sunk > 0) {
		add_reason(t, wait);
		finish(t);
		return;
	}
	t->not_before = now + wait;
	log_detail("%s; again in %.1f s", r->error.text, (double)wait / 1000);
}

/* Returns how many tries have ended. */
static size_t
settle_ended(struct http *h, bool is_stopped, int64_t deadline)
{
	size_t n = 0;
	struct wire_try *t;

	for (; (t = wire_ended(&h->wire)) != NULL; n++)
		settle(t->owner, is_stopped, deadline);
	return n;
}

/* Ends a request that is waiting, or under way, unanswered. */
static void
abandon(struct transfer *t, enum err_kind kind, const char *why)
{
	struct http_request *r = t->r;

	if (t->try.curl != NULL) {
		if (!wire_is_unsent(&t->try))
			r->may_have_worked = true;
		wire_abandon(&t->h->wire, &t->try);
	}
	err_set(&r->error, kind, "%s %.300s: %s",
	    http_method_name(r->method), r->path, why);
	finish(t);
}

/*
 * After a signal: what changes nothing, and what has not been sent, ends now;
 * the others when their time is over.
 */
static void
stop(struct transfer *v, size_t n, const struct err *heard, bool is_over)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!v[i].is_done && (v[i].try.curl == NULL || is_over ||
		    v[i].r->method == HTTP_GET || wire_is_unsent(&v[i].try)))
			abandon(&v[i], heard->kind, heard->text);
}

static void
begin_try(struct transfer *t, int64_t deadline)
{
	struct http_request *r = t->r;

	t->try.method = r->method;
	t->try.url = t->url;
	t->try.body = &r->body;
	t->try.answer = &r->answer;
	t->try.owner = t;
	t->tries++;
	t->h->sent++;
	wire_start(&t->h->wire, &t->try, deadline);
}

static int64_t
shorter(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Starts what may start now; returns how long poll may sleep. */
static int
start(struct transfer *v, size_t n, int64_t deadline)
{
	int64_t now = clock_ms(), sleep = POLL_MS;
	size_t i, running = 0;

	for (i = 0; i < n; i++)
		running += v[i].try.curl != NULL;
	for (i = 0; i < n; i++) {
		if (v[i].is_done || v[i].try.curl != NULL)
			continue;
		if (now >= deadline)
			abandon(&v[i], ERR_AGAIN, "no time left");
		else if (v[i].not_before - now > 0)
			sleep = shorter(sleep, v[i].not_before - now);
		else if (running++ < HTTP_AT_ONCE)
			begin_try(&v[i], deadline);
	}
	return (int)sleep;
}

static bool
all_done(const struct transfer *v, size_t n)
{
	while (n > 0 && v[n - 1].is_done)
		n--;
	return n == 0;
}

static void
run(struct http *h, struct transfer *v, size_t n,
    int64_t deadline)
{
	struct err heard = ERR_INIT;
	int64_t stopped = 0;	/* when a signal was seen */
	int wait;

	for (;;) {
		if (stopped == 0 && cleanup_check(&heard) < 0)
			stopped = clock_ms();
		if (stopped != 0)
			stop(v, n, &heard,
			    clock_ms() - stopped >= HTTP_GRACE_MS);
		wait = stopped == 0 ? start(v, n, deadline) : POLL_MS;
		if (all_done(v, n))
			break;
		wire_perform(&h->wire);
		/* where a try ended, there is room to start another */
		if (settle_ended(h, stopped != 0, deadline) == 0)
			wire_wait(&h->wire, wait);
	}
}

/* Whether it can be a path: what does not begin with / would be a host. */
static bool
is_path(const char *path)
{
	const char *p;

	if (path == NULL || path[0] != '/')
		return false;
	for (p = path; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return false;
	return true;
}

static void
begin(struct transfer *t, struct http *h, struct http_request *r)
{
	*t = (struct transfer){.h = h, .r = r,
	    .try.limit = r->limit != 0 ? r->limit : HTTP_LIMIT};
	r->status = 0;
	buf_wipe(&r->answer);
	r->id[0] = '\0';
	r->may_have_worked = false;
	r->error = (struct err)ERR_INIT;
	if (is_path(r->path)) {
		t->url = mem_format("%s%s", h->base, r->path);
		return;
	}
	err_set(&r->error, ERR_BUG, "not the path of a request: '%s'",
	    r->path != NULL ? r->path : "");
	t->is_done = true;
}

void
http_run(struct http *h, struct http_request *requests, size_t n,
    int64_t deadline)
{
	struct transfer *v = mem_zero(n, sizeof(*v));
	size_t i;

	for (i = 0; i < n; i++)
		begin(&v[i], h, &requests[i]);
	run(h, v, n, deadline);
	for (i = 0; i < n; i++)
		free(v[i].url);
	free(v);
}

/* ------------------------------------------------------------------ JSON */

struct json *
http_answer(const struct http_request *r, struct err *e)
{
	struct json *j = json_parse(buf_cstr(&r->answer), r->answer.n, e);

	if (j == NULL)
		err_wrap(e, "the answer to %s%s%s%s", r->path,
		    r->id[0] ? " (request " : "", r->id, r->id[0] ? ")" : "");
	return j;
}

struct json *
http_get_json(struct http *h, char *path, int64_t deadline, struct err *e)
{
	struct http_request r = {.method = HTTP_GET, .path = path};
	struct json *j = NULL;

	http_run(h, &r, 1, deadline);
	if (r.error.kind == ERR_NONE)
		j = http_answer(&r, e);
	else
		*e = r.error;
	http_request_clear(&r);
	return j;
}

/* ------------------------------------------------------------- a single GET */

static int
get_error(const struct transfer *t, const char *url, struct err *e)
{
	const struct http_outcome *o = &t->try.outcome;

	if (t->r->error.kind == ERR_SIGNAL)
		return cleanup_check(e);
	switch (o->end) {
	case HTTP_ANSWERED:
		break;
	case HTTP_TOO_LARGE:
		return err_set(e, ERR_PROTOCOL, "get '%s': the answer is too "
		    "large", url);
	default:
		return err_set(e, ERR_AGAIN, "get '%s': %s", url, o->detail);
	}
	if (o->status != 200)
		return err_set(e, o->status == 404 ? ERR_MISSING :
		    ERR_PROTOCOL, "get '%s': status %ld", url, o->status);
	return 0;
}

int
http_get(const char *url, size_t max, struct buf *body, struct err *e)
{
	struct http *h = client_new("", 1);
	struct http_request r = {.path = mem_dup(url)};
	struct transfer t = {.h = h, .r = &r, .url = r.path, .try.limit = max};
	int status;

	h->wire.protocols = "http,https";
	wire_add_header(&h->wire, "Cache-Control: no-cache", false);
	run(h, &t, 1, clock_ms() + WIRE_TRY_MS);
	status = get_error(&t, url, e);
	if (status == 0)
		buf_add(body, buf_cstr(&r.answer), r.answer.n);
	http_request_clear(&r);
	http_close(h);
	return status;
}

/* -------------------------------------------------------------------- files */

struct http *
http_open_files(const char *base_url, struct err *e)
{
	struct http *h = client_new(base_url, HTTP_TRIES);

	wire_add_header(&h->wire, "Cache-Control: no-cache", false);
	if (check_base(h, false, e) == 0)
		return h;
	http_close(h);
	return NULL;
}

/* "apt/x+y": "/apt/x%2By", yours. */
static char *
quote_path(const char *path)
{
	struct buf quoted = BUF_INIT;
	const char *slash;
	char *part;

	for (;;) {
		slash = strchr(path, '/');
		part = slash ? mem_dupn(path, (size_t)(slash - path)) :
		    mem_dup(path);
		buf_str(&quoted, "/");
		http_quote(&quoted, part);
		free(part);
		if (slash == NULL)
			return buf_take(&quoted);
		path = slash + 1;
	}
}

int
http_get_file(struct http *h, const char *path, uint64_t max,
    http_sink *sink, void *arg, struct err *e)
{
	struct http_request r = {.path = quote_path(path)};
	struct transfer t = {.h = h, .r = &r, .try = {.limit = HTTP_LIMIT,
	    .sink = sink, .sink_arg = arg, .sink_limit = max}};
	int status = 0;

	t.url = mem_format("%s%s", h->base, r.path);
	run(h, &t, 1, clock_ms() + WIRE_TRY_MS);
	if (r.error.kind == ERR_NONE && r.status != 200)
		err_set(&r.error, ERR_PROTOCOL, "GET %s: status %ld", r.path,
		    r.status);
	if (r.error.kind != ERR_NONE) {
		*e = r.error;
		status = -1;
	}
	free(t.url);
	http_request_clear(&r);
	return status;
}

void
http_quote(struct buf *out, const char *text)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-._~";

	for (; *text != '\0'; text++)
		if (strchr(plain, *text) != NULL)
			buf_add(out, text, 1);
		else
			buf_addf(out, "%%%02X", (unsigned char)*text);
}
