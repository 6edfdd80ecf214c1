#include "lib/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/http_rules.h"
#include "lib/log.h"
#include "lib/mem.h"

#define CONNECT_MS 10000L
#define TRY_MS 60000
#define SLOW_BYTES 10L		/* a second, for so many seconds: stalled */
#define SLOW_SECONDS 45L
#define POLL_MS 100		/* how soon a signal is noticed */
#define SHORTEST_TOKEN 8	/* a shorter one is in many words */
#define HEAD_LIMIT ((size_t)64 << 10)

struct http {
	CURLM *multi;
	char *base;		/* without a slash at the end */
	const char *protocols;	/* as curl lists them */
	bool is_loopback;
	unsigned tries;
	/* Without a body, and with: the token's node is the first, if any. */
	struct curl_slist *headers[2];
	struct curl_slist token_node[2];
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
	size_t limit;		/* of the body */
	bool is_done;
	unsigned tries;
	int64_t not_before;	/* when the next try may start */

	CURL *curl;		/* the try under way, or NULL */
	int64_t began;
	size_t head;		/* bytes of its head so far */
	bool is_head_whole;
	bool is_too_large;
	struct http_outcome outcome;
	char detail[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
start_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	atexit(curl_global_cleanup);
}

/* ------------------------------------------------------------- the client */

static void
add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		abort();
	*list = longer;
}

static struct http *
client_new(const char *protocols, unsigned tries)
{
	struct http *h = mem_zero(1, sizeof(*h));

	pthread_once(&once, start_curl);
	h->multi = curl_multi_init();
	if (h->multi == NULL)
		abort();
	h->protocols = protocols;
	h->tries = tries;
	return h;
}

void
http_close(struct http *h)
{
	size_t i;

	if (h == NULL)
		return;
	curl_multi_cleanup(h->multi);
	for (i = 0; i < 2; i++)
		curl_slist_free_all(h->headers[i] == &h->token_node[i] ?
		    h->token_node[i].next : h->headers[i]);
	secret_clear(&h->token);
	free(h->base);
	free(h);
}

/*
 * curl wants a list whose texts it only reads: its first node is ours, and
 * points into the secret pages.
 */
static void
put_token_first(struct http *h)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		h->token_node[i].data = h->token.p;
		h->token_node[i].next = h->headers[i];
		h->headers[i] = &h->token_node[i];
	}
}

static void
fill_headers(struct http *h)
{
	add_header(&h->headers[0], "Accept: application/json");
	/* else curl calls an empty body a form */
	add_header(&h->headers[0], "Content-Type:");
	add_header(&h->headers[1], "Accept: application/json");
	add_header(&h->headers[1], "Content-Type: application/json");
	/* Do not wait to be asked for a large body. */
	add_header(&h->headers[1], "Expect:");
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
			return err_set(e, ERR_CONFIG, "the token has a "
			    "character that no token has, at byte %zu", i);
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

/* Of a url that curl could read. */
static int
judge_base(struct http *h, CURLU *u, bool has_token, struct err *e)
{
	char *scheme = NULL, *host = NULL;
	int status = 0;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
		status = err_set(e, ERR_CONFIG, "not a url: '%s'", h->base);
		goto out;
	}
	h->is_loopback = is_loopback(host);
	if (strcmp(scheme, "https") == 0)
		h->protocols = "https";
	else if (strcmp(scheme, "http") != 0)
		status = err_set(e, ERR_CONFIG, "neither https nor http: '%s'",
		    h->base);
	else if (has_token && !h->is_loopback)
		status = err_set(e, ERR_CONFIG, "a token is not sent over "
		    "http: '%s' must begin with https", h->base);
	else
		h->protocols = "http,https";
out:
	curl_free(scheme);
	curl_free(host);
	return status;
}

static int
check_base(struct http *h, bool has_token, struct err *e)
{
	CURLU *u = curl_url();
	CURLUcode code;
	int status;

	if (u == NULL)
		abort();
	code = curl_url_set(u, CURLUPART_URL, h->base, CURLU_DISALLOW_USER);
	if (code == CURLUE_USER_NOT_ALLOWED)	/* it may be a password */
		status = err_set(e, ERR_CONFIG, "a url with a user in it");
	else if (code != CURLUE_OK)
		status = err_set(e, ERR_CONFIG, "not a url: '%s': %s",
		    h->base, curl_url_strerror(code));
	else if (strpbrk(h->base, "?#\\ ") != NULL)
		status = err_set(e, ERR_CONFIG, "a url with more than a host "
		    "and a path");
	else
		status = judge_base(h, u, has_token, e);
	curl_url_cleanup(u);
	return status;
}

struct http *
http_open(const char *base_url, const char *header,
    const struct secret *token, struct err *e)
{
	struct http *h = client_new("https", HTTP_TRIES);
	size_t n = strlen(base_url);

	while (n > 0 && base_url[n - 1] == '/')
		n--;
	h->base = mem_dupn(base_url, n);
	fill_headers(h);
	if (check_base(h, header != NULL, e) < 0)
		goto fail;
	if (header != NULL) {
		if (check_token(token, e) < 0 ||
		    secret_join(&h->token, header, token, e) < 0)
			goto fail;
		h->before_token = strlen(header);
		put_token_first(h);
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

/* ---------------------------------------------------------------- one try */

static size_t
take_body(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;

	if (n > t->limit - t->r->answer.n) {
		t->is_too_large = true;
		return 0;	/* curl: a short count ends the transfer */
	}
	buf_add(&t->r->answer, data, n);
	return n;
}

static size_t
take_head(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;

	if (n > HEAD_LIMIT - t->head) {
		t->is_too_large = true;
		return 0;
	}
	t->head += n;
	/* of an interim answer it is whole, and then another one begins */
	if (n <= 2)
		t->is_head_whole = true;
	else if (memcmp(data, "HTTP/", n < 5 ? n : 5) == 0)
		t->is_head_whole = false;
	http_outcome_header(&t->outcome, data, n);
	return n;
}

static void
set_method(CURL *curl, const struct http_request *r)
{
	bool has_body = r->method != HTTP_GET && (r->body.n > 0 ||
	    r->method != HTTP_DELETE);

	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST,
	    http_method_name(r->method));
	if (has_body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)r->body.n);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buf_cstr(&r->body));
	}
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT,
	    r->method == HTTP_POST ? 1L : 0L);
}

static void
set_limits(CURL *curl, int64_t ms)
{
	if (ms > TRY_MS)
		ms = TRY_MS;
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(ms > 0 ? ms : 1));
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

/* Whom it may talk to, and how. */
static void
set_connection(CURL *curl, const struct http *h)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, h->protocols);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	/* One request to a connection: then it is certain what was sent. */
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	/* A proxy of https gets neither our headers, nor do we take its. */
	curl_easy_setopt(curl, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (h->is_loopback)
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

static void
try_start(struct transfer *t, int64_t deadline)
{
	CURL *curl = curl_easy_init();

	if (curl == NULL)
		abort();
	t->curl = curl;
	t->began = clock_ms();
	t->tries++;
	t->h->sent++;
	t->head = 0;
	t->is_head_whole = t->is_too_large = false;
	t->outcome = (struct http_outcome)HTTP_OUTCOME_INIT;
	t->detail[0] = '\0';
	buf_wipe(&t->r->answer);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, t);
	curl_easy_setopt(curl, CURLOPT_URL, t->url);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "veilid-cicd/" VERSION);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER,
	    t->h->headers[t->r->body.n > 0]);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->detail);
	set_connection(curl, t->h);
	set_limits(curl, deadline - t->began);
	set_method(curl, t->r);
	if (curl_multi_add_handle(t->h->multi, curl) != CURLM_OK)
		abort();
}

/* Not a byte of the request has left, as far as curl knows. */
static bool
is_unsent(CURL *curl)
{
	curl_off_t begun = 0;
	long bytes = 0;

	curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &begun);
	curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &bytes);
	return begun == 0 && bytes == 0;
}

static enum http_end
end_of(const struct transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		/* curl does not mind a head that breaks off */
		return t->is_head_whole ? HTTP_ANSWERED : HTTP_CUT_OFF;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PROXY:
		return HTTP_NOT_SENT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
		return HTTP_UNTRUSTED;
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return is_unsent(t->curl) ? HTTP_NOT_SENT : HTTP_CUT_OFF;
	default:
		return t->is_too_large ? HTTP_TOO_LARGE : HTTP_NONSENSE;
	}
}

static void
keep_rate(struct http *h, const struct http_outcome *o)
{
	if (o->remaining < 0 || o->reset < 0)
		return;
	h->has_rate = true;
	h->remaining = o->remaining;
	h->reset = o->reset;
}

/* What is known of the try goes into the request. */
static void
try_read(struct transfer *t, CURLcode code)
{
	struct http_outcome *o = &t->outcome;

	o->end = end_of(t, code);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &o->status);
	snprintf(o->detail, sizeof(o->detail), "%s", t->detail[0] != '\0' ?
	    t->detail : code != CURLE_OK ? curl_easy_strerror(code) :
	    "the answer breaks off");
	t->r->status = o->status;
	memcpy(t->r->id, o->id, sizeof(o->id));
	/* once it may have, a later refusal does not undo it */
	t->r->may_have_worked |= http_outcome_may_have_worked(o);
	keep_rate(t->h, o);
	log_trace("%s %s: %ld in %" PRId64 " ms%s%s%s",
	    http_method_name(t->r->method), t->r->path, o->status,
	    clock_ms() - t->began, o->id[0] ? ", request " : "", o->id,
	    code == CURLE_OK ? "" : ", failed");
}

static void
try_drop(struct transfer *t)
{
	curl_multi_remove_handle(t->h->multi, t->curl);
	curl_easy_cleanup(t->curl);
	t->curl = NULL;
}

/* ------------------------------------------------------------ the requests */

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
say_why_not(struct transfer *t, int64_t wait)
{
	struct err *e = &t->r->error;
	time_t until = (time_t)(clock_now() + wait / 1000);
	char text[32];
	struct tm tm;

	if (t->outcome.status == 429 && gmtime_r(&until, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		err_set(e, e->kind, "%s; the limit holds until %s", e->text,
		    text);
	else if (t->tries > 1)
		err_set(e, e->kind, "%s; tried %u times", e->text, t->tries);
}

/* A server that tells us our token must not have it printed by us. */
static void
hide_token(const struct http *h, char *text)
{
	size_t n = h->token.n - h->before_token;
	const char *token;

	if (n < SHORTEST_TOKEN)
		return;
	token = h->token.p + h->before_token;
	while ((text = strstr(text, token)) != NULL)
		memset(text, '*', n);
}

/*
 * An answer is there, or will not come. Either the request is done, or it
 * waits for its next try.
 */
static void
settle(struct transfer *t, bool is_stopped, int64_t deadline)
{
	struct http_request *r = t->r;
	struct http_outcome *o = &t->outcome;
	int64_t wait, now = clock_ms();

	r->error = (struct err)ERR_INIT;
	(void)http_outcome_judge(o, r->method, r->path, &r->answer, &r->error);
	hide_token(t->h, r->error.text);
	if (r->error.kind == ERR_NONE || is_stopped ||
	    !http_outcome_again(o, r->method)) {
		finish(t);
		return;
	}
	wait = http_outcome_wait(o, t->tries, draw_factor(), clock_now());
	if (t->tries >= t->h->tries || wait >= deadline - now) {
		say_why_not(t, wait);
		finish(t);
		return;
	}
	t->not_before = now + wait;
	log_detail("%s; again in %.1f s", r->error.text, (double)wait / 1000);
}

/* Returns how many tries have ended. */
static size_t
collect(struct http *h, bool is_stopped, int64_t deadline)
{
	size_t n = 0;
	struct transfer *t;
	CURLMsg *message;
	CURLcode code;
	int left;

	while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		code = message->data.result;
		if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
		    &t) != CURLE_OK)
			abort();
		try_read(t, code);
		try_drop(t);
		settle(t, is_stopped, deadline);
		n++;
	}
	return n;
}

/* Ends a request that is waiting, or under way, unanswered. */
static void
abandon(struct transfer *t, enum err_kind kind, const char *why)
{
	struct http_request *r = t->r;

	if (t->curl != NULL) {
		if (!is_unsent(t->curl))
			r->may_have_worked = true;
		/* the thread that asks for the address may take its time */
		curl_easy_setopt(t->curl, CURLOPT_QUICK_EXIT, 1L);
		try_drop(t);
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
		if (!v[i].is_done && (v[i].curl == NULL || is_over ||
		    v[i].r->method == HTTP_GET || is_unsent(v[i].curl)))
			abandon(&v[i], heard->kind, heard->text);
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
		running += v[i].curl != NULL;
	for (i = 0; i < n; i++) {
		if (v[i].is_done || v[i].curl != NULL)
			continue;
		if (now >= deadline)
			abandon(&v[i], ERR_AGAIN, "no time was left");
		else if (v[i].not_before - now > 0)
			sleep = shorter(sleep, v[i].not_before - now);
		else if (running++ < HTTP_AT_ONCE)
			try_start(&v[i], deadline);
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
run(struct http *h, struct transfer *v, size_t n, int64_t deadline)
{
	struct err heard = ERR_INIT;
	int64_t stopped = 0;	/* when a signal was seen */
	int wait, running;

	for (;;) {
		if (stopped == 0 && cleanup_check(&heard) < 0)
			stopped = clock_ms();
		if (stopped != 0)
			stop(v, n, &heard,
			    clock_ms() - stopped >= HTTP_GRACE_MS);
		wait = stopped == 0 ? start(v, n, deadline) : POLL_MS;
		if (all_done(v, n))
			break;
		if (curl_multi_perform(h->multi, &running) != CURLM_OK)
			abort();
		/* where a try ended, there is room to start another */
		if (collect(h, stopped != 0, deadline) == 0)
			curl_multi_poll(h->multi, NULL, 0, wait, NULL);
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
	    .limit = r->limit != 0 ? r->limit : HTTP_LIMIT};
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

/* ------------------------------------------------------------- a single GET */

static int
judge_get(const struct transfer *t, const char *url, struct err *e)
{
	const struct http_outcome *o = &t->outcome;

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
	struct http *h = client_new("http,https", 1);
	struct http_request r = {.path = mem_dup(url)};
	struct transfer t = {.h = h, .r = &r, .url = r.path, .limit = max};
	int status;

	add_header(&h->headers[0], "Cache-Control: no-cache");
	run(h, &t, 1, clock_ms() + TRY_MS);
	status = judge_get(&t, url, e);
	if (status == 0)
		buf_add(body, buf_cstr(&r.answer), r.answer.n);
	http_request_clear(&r);
	http_close(h);
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
