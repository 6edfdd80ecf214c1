/*
 * HTTP by libcurl: bounded in time and size, certificates checked, redirects
 * never followed. For an API there is a client, which knows the one host that
 * gets the token, and runs many requests at once:
 *
 *	struct http *h = http_open("https://api.example.org",
 *	    "Authorization: Bearer ", &token, e);
 *	struct http_request r[2] = {HTTP_REQUEST_INIT, HTTP_REQUEST_INIT};
 *	r[0].path = mem_dup("/v2/account");
 *	...
 *	http_run(h, r, 2, deadline);
 *	if (r[0].error.kind != ERR_NONE) ...
 *	http_request_clear(&r[0]);
 *	http_close(h);
 *
 * GET, PUT and DELETE are sent again after 429, 5xx and a broken connection,
 * with exponential backoff and jitter, but not sooner than retry-after or,
 * without it, ratelimit-reset say (PUT is used only for what can be repeated).
 * POST is sent again only if the first one certainly did not arrive: 429, or no
 * connection was made. A POST never uses a connection a second time: libcurl
 * would send it again by itself if the server has closed that connection.
 */
#ifndef LIB_HTTP_HTTP_H
#define LIB_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/http/json.h"
#include "lib/http/rules.h"
#include "lib/sys/secret.h"

#define HTTP_LIMIT ((size_t)8 << 20)	/* answers, unless said otherwise */

struct http_request {
	/* For the caller to fill in. */
	enum http_method method;
	char *path;		/* "/v2/droplets?page=2", after the base url */
	struct buf body;	/* JSON; empty: none */
	size_t limit;		/* largest answer; 0: HTTP_LIMIT */
	const char *hide;	/* a secret in the body, or NULL: it is
				 * masked in error if the answer quotes it */

	/* What came of it. */
	long status;		/* of the last answer; 0: none came */
	struct buf answer;	/* the body */
	char id[HTTP_ID_SIZE];	/* x-request-id, or "" */
	/*
	 * The request failed but may have been carried out: it was sent and
	 * not answered, or answered with 5xx, or the answer broke off.
	 */
	bool may_have_worked;
	/*
	 * ERR_NONE: answered with 2xx. ERR_AGAIN: no answer in time, 408, 429,
	 * 5xx. ERR_REFUSED: 401, 403. ERR_MISSING: 404, 410. ERR_UNAVAILABLE:
	 * any other 4xx. ERR_PROTOCOL: a redirect, another status, or an
	 * answer that is too large. ERR_SIGNAL. ERR_BUG: path is not one. The
	 * text names method and path, the status, the message in the body
	 * (of DigitalOcean's, GitLab's or no form), and the request id.
	 */
	struct err error;
};
#define HTTP_REQUEST_INIT {.method = HTTP_GET}

/*
 * base_url is https, or http on loopback (127/8, ::1, localhost), or, without
 * a token, http anywhere. It has no user, query or fragment; a path is kept, a
 * slash at the end is not. Loopback is reached without a proxy, other hosts
 * through those in curl's environment variables. header is what stands before
 * the token; both are NULL for none. The token is copied into secret memory.
 * ERR_CONFIG.
 */
struct http *http_open(const char *base_url, const char *header,
    const struct secret *token, struct err *e);
void http_close(struct http *h);	/* accepts NULL */

/*
 * Runs n requests, at most HTTP_AT_ONCE at a time, until each is answered or
 * given up; deadline is clock_ms's, and no wait goes beyond it. After a
 * signal nothing new is sent, GETs end at once, and POST, PUT and DELETE that
 * are under way have HTTP_GRACE_MS to be answered, so that one knows what
 * they did. Each request that was run before is begun anew.
 */
#define HTTP_AT_ONCE 10
#define HTTP_GRACE_MS 5000
void http_run(struct http *h, struct http_request *requests, size_t n,
    int64_t deadline);

/* Frees what is in it, wiped; it can then be used again. */
void http_request_clear(struct http_request *r);

/*
 * The JSON of an answer, yours to json_free; NULL: ERR_PROTOCOL, with path and
 * request id. http_get_json asks for it, too; path is given away.
 */
struct json *http_answer(const struct http_request *r, struct err *e);
struct json *http_get_json(struct http *h, char *path, int64_t deadline,
    struct err *e);

/*
 * What the last answer said of the rate limit: requests that are left, and
 * when the oldest one of the window expires, in seconds since the epoch.
 * False where no answer had these headers.
 */
bool http_rate(const struct http *h, int64_t *remaining, int64_t *reset);

/* How many requests were sent so far; each try counts. */
unsigned http_sent(const struct http *h);

/*
 * One GET of any URL, without a token: appends the body to *body, asking
 * caches on the way for a fresh one. ERR_AGAIN: cannot be reached now;
 * ERR_MISSING: 404; ERR_PROTOCOL: any other status than 200, or a body of
 * more than max bytes.
 */
int http_get(const char *url, size_t max, struct buf *body, struct err *e);

/*
 * For files of any size: a client without a token, kept for many GETs, which
 * uses its connection again. base_url as http_open has it.
 */
struct http *http_open_files(const char *base_url, struct err *e);
/*
 * GETs a path, unquoted, below the base url, and gives the body of a 200 to
 * sink in pieces as they come; -1 from it ends the GET. Begun again as above
 * only while sink was given nothing. There is no time limit as long as bytes
 * come. Errors as in struct http_request, and ERR_PROTOCOL where sink ended it
 * or the body has more than max bytes.
 */
typedef int http_sink(const void *data, size_t n, void *arg);
int http_get_file(struct http *h, const char *path, uint64_t max,
    http_sink *sink, void *arg, struct err *e);

/* Appends text, percent-encoded for one value of a query. */
void http_quote(struct buf *out, const char *text);

#endif
