#include "lib/http/wire.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/sys/clock.h"

#define CONNECT_MS 10000L
#define SLOW_BYTES 10L		/* a second, for so many seconds: stalled */
#define SLOW_SECONDS 45L
#define SLOW_FILE_BYTES 1024L	/* the same for a file */
#define HEAD_LIMIT ((size_t)64 << 10)

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
start_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	atexit(curl_global_cleanup);
}

void
wire_open(struct wire *w)
{
	pthread_once(&once, start_curl);
	*w = (struct wire){.multi = curl_multi_init(), .protocols = "https"};
	if (w->multi == NULL)
		abort();
}

void
wire_close(struct wire *w)
{
	size_t i;

	curl_multi_cleanup(w->multi);
	for (i = 0; i < 2; i++)
		curl_slist_free_all(w->secret_node != NULL ?
		    w->secret_node[i].next : w->headers[i]);
	free(w->secret_node);
}

void
wire_add_header(struct wire *w, const char *line, bool with_body)
{
	struct curl_slist **list = &w->headers[with_body];
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		abort();
	*list = longer;
}

/* curl wants a list whose texts it only reads: its first node is ours. */
void
wire_add_secret_header(struct wire *w, char *line)
{
	size_t i;

	w->secret_node = mem_zero(2, sizeof(*w->secret_node));
	for (i = 0; i < 2; i++) {
		w->secret_node[i].data = line;
		w->secret_node[i].next = w->headers[i];
		w->headers[i] = &w->secret_node[i];
	}
}

bool
wire_parse_url(const char *url, char **scheme, char **host, const char **why)
{
	char *s = NULL, *h = NULL;
	CURLU *u = curl_url();
	CURLUcode code;

	if (u == NULL)
		abort();
	code = curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	if (code == CURLUE_OK)
		code = curl_url_get(u, CURLUPART_SCHEME, &s, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(u, CURLUPART_HOST, &h, 0);
	if (code == CURLUE_OK) {
		*scheme = mem_dup(s);
		*host = mem_dup(h);
	}
	*why = code == CURLUE_OK ? NULL : curl_url_strerror(code);
	curl_free(s);
	curl_free(h);
	curl_url_cleanup(u);
	return code == CURLUE_OK;
}

/* ------------------------------------------------------------------ a try */

/* The body of any other status is a message. */
static bool
is_for_sink(const struct wire_try *t)
{
	long status = 0;

	if (t->sink == NULL)
		return false;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	return status == 200;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	struct wire_try *t = arg;
	size_t n = size * count;

	if (is_for_sink(t)) {
		t->is_too_large = n > t->sink_limit - t->sunk;
		if (t->is_too_large)
			return 0;
		t->sunk += n;
		return t->sink(data, n, t->sink_arg) < 0 ? 0 : n;
	}
	if (n > t->limit - t->answer->n) {
		t->is_too_large = true;
		return 0;	/* curl: a short count ends the transfer */
	}
	buf_add(t->answer, data, n);
	return n;
}

static size_t
on_head(char *data, size_t size, size_t count, void *arg)
{
	struct wire_try *t = arg;
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
set_method(CURL *curl, const struct wire_try *t)
{
	bool has_body = t->method != HTTP_GET && (t->body->n > 0 ||
	    t->method != HTTP_DELETE);

	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST,
	    http_method_name(t->method));
	if (has_body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)t->body->n);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buf_cstr(t->body));
	}
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT,
	    t->method == HTTP_POST ? 1L : 0L);
}

static void
set_limits(CURL *curl, int64_t ms)
{
	if (ms > WIRE_TRY_MS)
		ms = WIRE_TRY_MS;
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(ms > 0 ? ms : 1));
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

/* A file takes as long as it takes, but it must move. */
static void
set_file_limits(CURL *curl)
{
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 0L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_FILE_BYTES);
}

/* Whom it may talk to, and how. */
static void
set_connection(CURL *curl, const struct wire *w)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, w->protocols);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	/* One request to a connection: then it is certain what was sent. */
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	/* A proxy of https gets neither our headers, nor do we take its. */
	curl_easy_setopt(curl, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (w->has_no_proxy)
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

void
wire_start(struct wire *w, struct wire_try *t, int64_t deadline)
{
	CURL *curl = curl_easy_init();

	if (curl == NULL)
		abort();
	t->curl = curl;
	t->began = clock_ms();
	t->head = 0;
	t->is_head_whole = t->is_too_large = false;
	t->outcome = (struct http_outcome)HTTP_OUTCOME_INIT;
	buf_wipe(t->answer);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, t);
	curl_easy_setopt(curl, CURLOPT_URL, t->url);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "veilid-cicd/" VERSION);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER,
	    w->headers[t->body->n > 0]);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
	_Static_assert(sizeof(t->outcome.detail) >= CURL_ERROR_SIZE, "");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->outcome.detail);
	set_connection(curl, w);
	set_limits(curl, deadline - t->began);
	if (t->sink != NULL)
		set_file_limits(curl);
	set_method(curl, t);
	if (curl_multi_add_handle(w->multi, curl) != CURLM_OK)
		abort();
}

void
wire_perform(struct wire *w)
{
	int running;

	if (curl_multi_perform(w->multi, &running) != CURLM_OK)
		abort();
}

void
wire_wait(struct wire *w, int ms)
{
	curl_multi_poll(w->multi, NULL, 0, ms, NULL);
}

bool
wire_is_unsent(const struct wire_try *t)
{
	curl_off_t begun = 0;
	long bytes = 0;

	curl_easy_getinfo(t->curl, CURLINFO_PRETRANSFER_TIME_T, &begun);
	curl_easy_getinfo(t->curl, CURLINFO_REQUEST_SIZE, &bytes);
	return begun == 0 && bytes == 0;
}

static enum http_end
end_of(const struct wire_try *t, CURLcode code)
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
		return wire_is_unsent(t) ? HTTP_NOT_SENT : HTTP_CUT_OFF;
	default:
		return t->is_too_large ? HTTP_TOO_LARGE : HTTP_NONSENSE;
	}
}

static void
read_outcome(struct wire_try *t, CURLcode code)
{
	struct http_outcome *o = &t->outcome;

	o->end = end_of(t, code);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &o->status);
	if (o->detail[0] == '\0')
		snprintf(o->detail, sizeof(o->detail), "%s", code != CURLE_OK ?
		    curl_easy_strerror(code) : "the answer ended early");
}

static void
drop(struct wire *w, struct wire_try *t)
{
	curl_multi_remove_handle(w->multi, t->curl);
	curl_easy_cleanup(t->curl);
	t->curl = NULL;
}

struct wire_try *
wire_ended(struct wire *w)
{
	struct wire_try *t;
	CURLMsg *message;
	CURLcode code;
	int left;

	do {
		message = curl_multi_info_read(w->multi, &left);
		if (message == NULL)
			return NULL;
	} while (message->msg != CURLMSG_DONE);
	code = message->data.result;
	if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) !=
	    CURLE_OK)
		abort();
	read_outcome(t, code);
	drop(w, t);
	return t;
}

void
wire_abandon(struct wire *w, struct wire_try *t)
{
	/* the thread that asks for the address may take its time */
	curl_easy_setopt(t->curl, CURLOPT_QUICK_EXIT, 1L);
	drop(w, t);
}
