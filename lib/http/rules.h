/*
 * What an HTTP answer means: whether the request may be sent again, when, and
 * what is said of a failure. Functions without a network:
 *
 *	struct http_outcome o = HTTP_OUTCOME_INIT;
 *	http_outcome_header(&o, line, n);	(for each line of the head)
 *	o.end = HTTP_ANSWERED;
 *	o.status = 429;
 *	if (http_outcome_again(&o, HTTP_POST))
 *		wait = http_outcome_wait(&o, tries, factor, clock_now());
 */
#ifndef LIB_HTTP_RULES_H
#define LIB_HTTP_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE };

#define HTTP_ID_SIZE 80
#define HTTP_TRIES 6

/* How one try ended. */
enum http_end {
	HTTP_ANSWERED,	/* status and the whole body are there */
	HTTP_NOT_SENT,	/* no connection was made */
	HTTP_UNTRUSTED,	/* the same: a bad certificate, at the next try too */
	HTTP_CUT_OFF,	/* sent; no answer came, or not all of it */
	HTTP_TOO_LARGE,	/* sent; the answer goes beyond its limit */
	HTTP_NONSENSE	/* sent; what came is not HTTP */
};

struct http_outcome {
	enum http_end end;
	long status;		/* 0: none came */
	/* From the head of the answer; -1 where it does not say. */
	int64_t retry_after;	/* seconds */
	int64_t remaining;	/* requests that the rate limit leaves */
	int64_t reset;		/* when it leaves more, since the epoch */
	char id[HTTP_ID_SIZE];	/* x-request-id, printable */
	char detail[256];	/* what curl says of a failure */
};
#define HTTP_OUTCOME_INIT \
	{.retry_after = -1, .remaining = -1, .reset = -1}

/*
 * Takes in one line of the head. A status line forgets what was said before
 * it: that was an interim answer, 1xx.
 */
void http_outcome_header(struct http_outcome *o, const char *line, size_t n);

/* True where the same request may be sent again. */
bool http_outcome_again(const struct http_outcome *o, enum http_method method);

/*
 * Milliseconds to wait after so many tries. factor, 0.5 to 1.5, is drawn by
 * the caller: machines that failed together do not come back together.
 */
int64_t http_outcome_wait(const struct http_outcome *o, unsigned tries,
    double factor, int64_t now);

/* Whether the request may have been carried out, were it a failure. */
bool http_outcome_may_have_worked(const struct http_outcome *o);

/* 0 for a whole answer of 2xx, else -1 with *e as lib/http/http.h says. */
int http_outcome_error(const struct http_outcome *o, enum http_method method,
    const char *path, const struct buf *answer, struct err *e);

/* "GET" */
const char *http_method_name(enum http_method method);

#endif
