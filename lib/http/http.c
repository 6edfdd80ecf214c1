/*
 * The clients: which host gets the token, and what headers a request has; and
 * the one that lives for a single GET.
 */
#include "lib/http/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/http/http_client.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
start_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	atexit(curl_global_cleanup);
}

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
		curl_slist_free_all(h->token_node != NULL ?
		    h->token_node[i].next : h->headers[i]);
	free(h->token_node);
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

	h->token_node = mem_zero(2, sizeof(*h->token_node));
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

/* Its base url is still to be checked. */
static struct http *
client_at(const char *base_url)
{
	struct http *h = client_new("https", HTTP_TRIES);
	size_t n = strlen(base_url);

	while (n > 0 && base_url[n - 1] == '/')
		n--;
	h->base = mem_dupn(base_url, n);
	return h;
}

struct http *
http_open(const char *base_url, const char *header,
    const struct secret *token, struct err *e)
{
	struct http *h = client_at(base_url);

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
	http_run_transfers(h, &t, 1, clock_ms() + HTTP_TRY_MS);
	status = judge_get(&t, url, e);
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
	struct http *h = client_at(base_url);

	add_header(&h->headers[0], "Cache-Control: no-cache");
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
	struct transfer t = {.h = h, .r = &r, .limit = HTTP_LIMIT,
	    .sink = sink, .sink_arg = arg, .sink_limit = max};
	int status = 0;

	t.url = mem_format("%s%s", h->base, r.path);
	http_run_transfers(h, &t, 1, clock_ms() + HTTP_TRY_MS);
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
