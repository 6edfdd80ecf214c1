/*
 * Libcurl, which no other file knows: the connections of one client, and one
 * try of a request on them. What an answer means and what is tried again is
 * decided elsewhere (rules.h, http.c).
 *
 *	struct wire w;
 *	wire_open(&w);
 *	wire_add_header(&w, "Accept: application/json", true);
 *	wire_start(&w, &try, deadline);
 *	do {
 *		wire_perform(&w);
 *		if (wire_ended(&w) == &try)
 *			break;
 *		wire_wait(&w, 100);
 *	} while (...);
 *	wire_close(&w);
 */
#ifndef LIB_HTTP_WIRE_H
#define LIB_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/http/rules.h"

#define WIRE_TRY_MS 60000	/* the longest that one try may take */

struct curl_slist;

struct wire {
	void *multi;			/* CURLM */
	const char *protocols;		/* as curl lists them: "http,https" */
	bool has_no_proxy;		/* whatever the environment says */
	struct curl_slist *headers[2];	/* without a body, and with one */
	struct curl_slist *secret_node;	/* two of them, or NULL */
};

/* One try. The caller fills in the first part and keeps what it points to. */
struct wire_try {
	enum http_method method;
	const char *url;
	const struct buf *body;		/* JSON; empty: none */
	struct buf *answer;		/* the body goes here, up to limit */
	size_t limit;
	/* or that of a 200 goes here, up to sink_limit; below 0 ends it */
	int (*sink)(const void *data, size_t n, void *arg);
	void *sink_arg;
	uint64_t sink_limit;
	void *owner;			/* whatever the caller finds it by */

	uint64_t sunk;			/* given to sink, by all tries */
	int64_t began;			/* clock_ms's */
	struct http_outcome outcome;	/* once it has ended */

	void *curl;			/* CURL; NULL: not under way */
	size_t head;			/* bytes of the answer's head so far */
	bool is_head_whole;
	bool is_too_large;
};

/* https alone, unless w->protocols is then set to something else. */
void wire_open(struct wire *w);
void wire_close(struct wire *w);	/* after all tries have ended */

/* Sent with every request that has no body, or with every one that has. */
void wire_add_header(struct wire *w, const char *line, bool with_body);
/* The same for all requests, before all others, and without a copy of it. */
void wire_add_secret_header(struct wire *w, char *line);

/* Scheme and host of a URL, both yours. False: *why says what is wrong. */
bool wire_parse_url(const char *url, char **scheme, char **host,
    const char **why);

/* Begins it; nothing is sent before wire_perform. */
void wire_start(struct wire *w, struct wire_try *t, int64_t deadline);
/* All tries of the client, as far as they go without waiting. */
void wire_perform(struct wire *w);
/* Until something arrives, at most so long. */
void wire_wait(struct wire *w, int ms);
/* One that has ended, with its outcome; NULL: none has since. */
struct wire_try *wire_ended(struct wire *w);
/* Not a byte of the request has left, as far as curl knows. */
bool wire_is_unsent(const struct wire_try *t);
/* Ends it unanswered. */
void wire_abandon(struct wire *w, struct wire_try *t);

#endif
