#include "lib/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/cleanup.h"

#define CONNECT_SECONDS 10L
#define TOTAL_SECONDS 60L

struct transfer {
	struct buf *body;
	size_t start;
	size_t max;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
start_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	atexit(curl_global_cleanup);
}

static size_t
take(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;

	if (n > t->max - (t->body->n - t->start))
		return 0;	/* curl: a short count ends the transfer */
	buf_add(t->body, data, n);
	return n;
}

static int
watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct err e = ERR_INIT;

	(void)arg, (void)a, (void)b, (void)c, (void)d;
	return cleanup_check(&e) < 0;
}

static int
judge(CURL *curl, CURLcode code, const char *url, const char *detail,
    struct err *e)
{
	long status = 0;

	if (code == CURLE_ABORTED_BY_CALLBACK)
		return cleanup_check(e);
	if (code == CURLE_WRITE_ERROR)
		return err_set(e, ERR_PROTOCOL, "get '%s': the answer is too "
		    "large", url);
	if (code != CURLE_OK)
		return err_set(e, ERR_AGAIN, "get '%s': %s", url,
		    detail[0] ? detail : curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return err_set(e, status == 404 ? ERR_MISSING : ERR_PROTOCOL,
		    "get '%s': status %ld", url, status);
	return 0;
}

int
http_get(const char *url, size_t max, struct buf *body, struct err *e)
{
	struct transfer t = {body, body->n, max};
	char detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers;
	CURL *curl;
	int status;

	pthread_once(&once, start_curl);
	curl = curl_easy_init();
	headers = curl_slist_append(NULL, "Cache-Control: no-cache");
	if (curl == NULL || headers == NULL)
		abort();
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &t);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, TOTAL_SECONDS);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	status = judge(curl, curl_easy_perform(curl), url, detail, e);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	return status;
}
