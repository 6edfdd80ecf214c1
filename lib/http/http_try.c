/*
 * The life of one try: how it is set up, what of its answer is taken, and
 * what came of it.
 */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/http/http_client.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define CONNECT_MS 10000L
#define SLOW_BYTES 10L		/* a second, for so many seconds: stalled */
#define SLOW_SECONDS 45L
#define SLOW_FILE_BYTES 1024L	/* the same for a file */
#define HEAD_LIMIT ((size_t)64 << 10)

/* The body of any other status is a message. */
static bool
is_for_sink(const struct transfer *t)
{
	long status = 0;

	if (t->sink == NULL)
		return false;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	return status == 200;
}

static size_t
take_body(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;

	if (is_for_sink(t)) {
		t->is_too_large = n > t->sink_limit - t->sunk;
		if (t->is_too_large)
			return 0;
		t->sunk += n;
		return t->sink(data, n, t->sink_arg) < 0 ? 0 : n;
	}
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
	if (ms > HTTP_TRY_MS)
		ms = HTTP_TRY_MS;
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

void
http_try_start(struct transfer *t, int64_t deadline)
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
	_Static_assert(sizeof(t->outcome.detail) >= CURL_ERROR_SIZE, "");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->outcome.detail);
	set_connection(curl, t->h);
	set_limits(curl, deadline - t->began);
	if (t->sink != NULL)
		set_file_limits(curl);
	set_method(curl, t->r);
	if (curl_multi_add_handle(t->h->multi, curl) != CURLM_OK)
		abort();
}

void
http_try_perform(struct http *h)
{
	int running;

	if (curl_multi_perform(h->multi, &running) != CURLM_OK)
		abort();
}

void
http_try_wait(struct http *h, int ms)
{
	curl_multi_poll(h->multi, NULL, 0, ms, NULL);
}

bool
http_try_is_unsent(const struct transfer *t)
{
	curl_off_t begun = 0;
	long bytes = 0;

	curl_easy_getinfo(t->curl, CURLINFO_PRETRANSFER_TIME_T, &begun);
	curl_easy_getinfo(t->curl, CURLINFO_REQUEST_SIZE, &bytes);
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
		return http_try_is_unsent(t) ? HTTP_NOT_SENT : HTTP_CUT_OFF;
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
read_outcome(struct transfer *t, CURLcode code)
{
	struct http_outcome *o = &t->outcome;

	o->end = end_of(t, code);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &o->status);
	if (o->detail[0] == '\0')
		snprintf(o->detail, sizeof(o->detail), "%s", code != CURLE_OK ?
		    curl_easy_strerror(code) : "the answer breaks off");
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
drop(struct transfer *t)
{
	curl_multi_remove_handle(t->h->multi, t->curl);
	curl_easy_cleanup(t->curl);
	t->curl = NULL;
}

struct transfer *
http_try_ended(struct http *h)
{
	struct transfer *t;
	CURLMsg *message;
	CURLcode code;
	int left;

	do {
		message = curl_multi_info_read(h->multi, &left);
		if (message == NULL)
			return NULL;
	} while (message->msg != CURLMSG_DONE);
	code = message->data.result;
	if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) !=
	    CURLE_OK)
		abort();
	read_outcome(t, code);
	drop(t);
	return t;
}

void
http_try_abandon(struct transfer *t)
{
	/* the thread that asks for the address may take its time */
	curl_easy_setopt(t->curl, CURLOPT_QUICK_EXIT, 1L);
	drop(t);
}
