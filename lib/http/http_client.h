/*
 * What the client (http.c), its requests (http_run.c) and their tries
 * (http_try.c) share, and nobody else. Of curl there are only pointers:
 * http_run.c does without it.
 */
#ifndef LIB_HTTP_HTTP_CLIENT_H
#define LIB_HTTP_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http/http.h"
#include "lib/http/http_rules.h"
#include "lib/sys/secret.h"

#define HTTP_TRY_MS 60000

struct curl_slist;

struct http {
	void *multi;		/* CURLM */
	char *base;		/* without a slash at the end */
	const char *protocols;	/* as curl lists them */
	bool is_loopback;
	unsigned tries;
	/* Without a body, and with: the token's node is the first, if any. */
	struct curl_slist *headers[2];
	struct curl_slist *token_node;	/* two of them, or NULL */
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
	http_sink *sink;	/* gets the body of a 200, or NULL */
	void *sink_arg;
	uint64_t sink_limit;
	uint64_t sunk;		/* bytes that sink was given, of all tries */
	bool is_done;
	unsigned tries;
	int64_t not_before;	/* when the next try may start */

	void *curl;		/* CURL: the try under way, or NULL */
	int64_t began;
	size_t head;		/* bytes of its head so far */
	bool is_head_whole;
	bool is_too_large;
	struct http_outcome outcome;
};

/* Returns when all n are done. */
void http_run_transfers(struct http *h, struct transfer *v, size_t n,
    int64_t deadline);

/*
 * A try: begun, then performed again and again with waits between, until it
 * has ended or is abandoned; t->curl is NULL then.
 */
void http_try_start(struct transfer *t, int64_t deadline);
/* All tries of the client, as far as they go without waiting. */
void http_try_perform(struct http *h);
/* Until something arrives, at most so long. */
void http_try_wait(struct http *h, int ms);
/* One that has ended, its outcome in the transfer; NULL: none. */
struct transfer *http_try_ended(struct http *h);
/* Not a byte of the request has left, as far as curl knows. */
bool http_try_is_unsent(const struct transfer *t);
/* Ends it unanswered. */
void http_try_abandon(struct transfer *t);

#endif
