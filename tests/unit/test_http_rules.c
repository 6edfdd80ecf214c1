/*
 * lib/http/rules.h.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/http/rules.h"

static const enum http_method all[] = {
	HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE,
};

static struct http_outcome
answered(long status)
{
	struct http_outcome o = HTTP_OUTCOME_INIT;

	o.end = HTTP_ANSWERED;
	o.status = status;
	return o;
}

static struct http_outcome
ended(enum http_end end)
{
	struct http_outcome o = HTTP_OUTCOME_INIT;

	o.end = end;
	return o;
}

static void
header(struct http_outcome *o, const char *line)
{
	size_t n = strlen(line);
	char *copy = mem_alloc(n);	/* what reads beyond it is seen */

	memcpy(copy, line, n);
	http_outcome_header(o, copy, n);
	free(copy);
}

/* -------------------------------------------------------------- the head */

static void
headers_are_read(void **state)
{
	struct http_outcome o = HTTP_OUTCOME_INIT;

	(void)state;
	header(&o, "HTTP/1.1 429 Too Many Requests\r\n");
	header(&o, "Retry-After:  17 \r\n");
	header(&o, "ratelimit-REMAINING:0\r\n");
	header(&o, "RateLimit-Reset: 1795330830\n");
	header(&o, "X-Request-Id: 1a2b-3c\r\n");
	header(&o, "\r\n");
	header(&o, "");
	header(&o, "x-request-idle: 9\r\n");
	header(&o, "x-retry-after: 9\r\n");
	header(&o, "retry-after\r\n");
	assert_int_equal(o.retry_after, 17);
	assert_int_equal(o.remaining, 0);
	assert_int_equal(o.reset, 1795330830);
	assert_string_equal(o.id, "1a2b-3c");
	/* that was an interim answer */
	header(&o, "HTTP/1.1 200 OK\r\n");
	assert_int_equal(o.retry_after, -1);
	assert_int_equal(o.remaining, -1);
	assert_int_equal(o.reset, -1);
	assert_string_equal(o.id, "");
}

static void
odd_headers(void **state)
{
	static const char *const no_numbers[] = {
		"retry-after: \r\n", "retry-after:\r\n", "retry-after: -1\r\n",
		"retry-after: Sun, 22 Nov 2026 07:00:30 GMT\r\n",
		"retry-after: 1.5\r\n", "retry-after: 1 2\r\n",
		"retry-after: +1\r\n", "retry-after: 0x10\r\n",
	};
	struct http_outcome o = HTTP_OUTCOME_INIT;
	char line[300];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(no_numbers); i++) {
		header(&o, no_numbers[i]);
		assert_int_equal(o.retry_after, -1);
	}
	header(&o, "retry-after: 99999999999999999999999999999\r\n");
	assert_true(o.retry_after >= 86400 * 365);
	assert_true(o.retry_after < INT64_MAX / 1000000);
	header(&o, "ratelimit-reset: 99999999999999999999999999999\r\n");
	assert_true(o.reset > 0 && o.reset < INT64_MAX / 1000000);
	snprintf(line, sizeof(line), "x-request-id: \x1b[2J\t%0250d\r\n", 1);
	header(&o, line);
	assert_int_equal(strlen(o.id), HTTP_ID_SIZE - 1);
	assert_int_equal(strncmp(o.id, "[2J000", 6), 0);
}

/* ----------------------------------------------------------- sent again? */

static void
what_is_sent_again(void **state)
{
	static const struct {
		long status;
		bool is_again, is_post_again;
	} cases[] = {
		{200, false, false}, {204, false, false}, {301, false, false},
		{400, false, false}, {401, false, false}, {403, false, false},
		{404, false, false}, {408, false, false}, {409, false, false},
		{422, false, false}, {429, true, true}, {500, true, false},
		{501, false, false}, {502, true, false}, {503, true, false},
		{504, true, false}, {520, true, false}, {599, true, false},
		{600, false, false}, {999, false, false}, {0, false, false},
	};
	struct http_outcome o;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		for (k = 0; k < COUNT(all); k++) {
			o = answered(cases[i].status);
			if (http_outcome_again(&o, all[k]) !=
			    (all[k] == HTTP_POST ? cases[i].is_post_again :
			    cases[i].is_again))
				fail_msg("%s %ld", http_method_name(all[k]),
				    o.status);
		}
	for (k = 0; k < COUNT(all); k++) {
		o = ended(HTTP_NOT_SENT);
		assert_true(http_outcome_again(&o, all[k]));
		o = ended(HTTP_CUT_OFF);
		assert_int_equal(http_outcome_again(&o, all[k]),
		    all[k] != HTTP_POST);
		/* its status line was there, but who knows what else */
		o.status = 429;
		assert_int_equal(http_outcome_again(&o, all[k]),
		    all[k] != HTTP_POST);
		o = ended(HTTP_UNTRUSTED);
		assert_false(http_outcome_again(&o, all[k]));
		o = ended(HTTP_TOO_LARGE);
		assert_false(http_outcome_again(&o, all[k]));
		o = ended(HTTP_NONSENSE);
		assert_false(http_outcome_again(&o, all[k]));
	}
}

static void
what_may_have_worked(void **state)
{
	static const struct {
		enum http_end end;
		long status;
		bool wanted;
	} cases[] = {
		{HTTP_ANSWERED, 400, false}, {HTTP_ANSWERED, 404, false},
		{HTTP_ANSWERED, 422, false}, {HTTP_ANSWERED, 429, false},
		{HTTP_ANSWERED, 302, false}, {HTTP_ANSWERED, 500, true},
		{HTTP_ANSWERED, 501, true}, {HTTP_ANSWERED, 504, true},
		{HTTP_NOT_SENT, 0, false}, {HTTP_UNTRUSTED, 0, false},
		{HTTP_CUT_OFF, 0, true}, {HTTP_CUT_OFF, 200, true},
		{HTTP_CUT_OFF, 422, false}, {HTTP_CUT_OFF, 503, true},
		{HTTP_TOO_LARGE, 202, true}, {HTTP_TOO_LARGE, 404, false},
		{HTTP_NONSENSE, 0, true},
	};
	struct http_outcome o;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		o = ended(cases[i].end);
		o.status = cases[i].status;
		if (http_outcome_may_have_worked(&o) != cases[i].wanted)
			fail_msg("end %d, status %ld", (int)o.end, o.status);
	}
}

static void
waits_double(void **state)
{
	static const int64_t wanted[] = {
		500, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000,
	};
	struct http_outcome o = answered(503);
	unsigned i;

	(void)state;
	for (i = 0; i < COUNT(wanted); i++) {
		assert_int_equal(http_outcome_wait(&o, i, 1, 0), wanted[i]);
		assert_int_equal(http_outcome_wait(&o, i, 0.5, 0),
		    wanted[i] / 2);
		assert_int_equal(http_outcome_wait(&o, i, 1.5, 0),
		    wanted[i] / 2 * 3);
	}
	assert_int_equal(http_outcome_wait(&o, UINT32_MAX, 1, 0), 30000);
}

static void
waits_that_were_told(void **state)
{
	struct http_outcome o = answered(429);

	(void)state;
	o.reset = 1060;
	assert_int_equal(http_outcome_wait(&o, 1, 1, 1000), 60000);
	assert_int_equal(http_outcome_wait(&o, 1, 1, 1060), 500);
	assert_int_equal(http_outcome_wait(&o, 1, 1, 2000), 500);
	/* it knows better */
	o.retry_after = 7;
	assert_int_equal(http_outcome_wait(&o, 1, 1, 1000), 7000);
	o.retry_after = 0;
	assert_int_equal(http_outcome_wait(&o, 1, 1, 1000), 500);
	o.retry_after = 1;
	assert_int_equal(http_outcome_wait(&o, 4, 1, 1000), 4000);
	/* a window that is not used up is no reason to wait after a 503 */
	o.status = 503;
	o.retry_after = -1;
	assert_int_equal(http_outcome_wait(&o, 1, 1, 1000), 500);
	o.retry_after = 9;
	assert_int_equal(http_outcome_wait(&o, 1, 1, 1000), 9000);
	/* nothing overflows */
	o = answered(429);
	header(&o, "ratelimit-reset: 99999999999999999999\r\n");
	assert_true(http_outcome_wait(&o, 1, 1, 0) > 0);
	assert_true(http_outcome_wait(&o, 1, 1, 0) < INT64_MAX / 1000);
	header(&o, "retry-after: 99999999999999999999\r\n");
	assert_true(http_outcome_wait(&o, 1, 1, 0) > 86400000);
}

/* ---------------------------------------------------------- what is said */

static void
check_text(struct http_outcome *o, const char *body, int kind,
    const char *wanted, int line)
{
	struct buf answer = BUF_INIT;
	struct err e = ERR_INIT;

	if (body != NULL)
		buf_str(&answer, body);
	if (http_outcome_error(o, HTTP_POST, "/v2/x", &answer, &e) == 0)
		_fail(__FILE__, line);
	check_err(&e, kind, wanted, __FILE__, line);
	if (strcmp(e.text, wanted) != 0) {
		print_error("wanted '%s'\n   got '%s'\n", wanted, e.text);
		_fail(__FILE__, line);
	}
	buf_clear(&answer);
}

#define assert_text(status, body, kind, wanted) do {			\
	struct http_outcome o_ = answered(status);			\
	check_text(&o_, body, kind, wanted, __LINE__);			\
} while (0)

static void
kinds(void **state)
{
	(void)state;
	assert_text(400, NULL, ERR_UNAVAILABLE, "POST /v2/x: 400 bad request");
	assert_text(401, "", ERR_REFUSED, "POST /v2/x: 401 unauthorized");
	assert_text(403, "", ERR_REFUSED, "POST /v2/x: 403 forbidden");
	assert_text(404, "", ERR_MISSING, "POST /v2/x: 404 not found");
	assert_text(410, "", ERR_MISSING, "POST /v2/x: 410 gone");
	assert_text(408, "", ERR_AGAIN, "POST /v2/x: 408 request timeout");
	assert_text(418, "", ERR_UNAVAILABLE, "POST /v2/x: 418 no message");
	assert_text(429, "", ERR_AGAIN, "POST /v2/x: 429 too many requests");
	assert_text(500, "", ERR_AGAIN,
	    "POST /v2/x: 500 internal server error");
	assert_text(501, "", ERR_AGAIN, "POST /v2/x: 501 not implemented");
	assert_text(302, "", ERR_PROTOCOL,
	    "POST /v2/x: 302 redirects are not followed");
	assert_text(101, "", ERR_PROTOCOL, "POST /v2/x: 101 no message");
	assert_text(600, "", ERR_PROTOCOL, "POST /v2/x: 600 no message");
}

static void
messages_in_json(void **state)
{
	(void)state;
	/* DigitalOcean's */
	assert_text(422, "{\"id\":\"unprocessable_entity\",\"message\":"
	    "\"creating this/these droplet(s) will exceed your droplet "
	    "limit\",\"request_id\":\"1a2b\"}", ERR_UNAVAILABLE,
	    "POST /v2/x: 422 unprocessable_entity: creating this/these "
	    "droplet(s) will exceed your droplet limit (request 1a2b)");
	/* GitLab's */
	assert_text(404, "{\"message\":\"404 Project Not Found\"}",
	    ERR_MISSING, "POST /v2/x: 404 Project Not Found");
	assert_text(400, "{\"message\":{\"tag_list\":[\"is invalid\"]}}",
	    ERR_UNAVAILABLE,
	    "POST /v2/x: 400 {\"tag_list\":[\"is invalid\"]}");
	assert_text(400, "{\"message\":[\"a\",\"b\"]}", ERR_UNAVAILABLE,
	    "POST /v2/x: 400 [\"a\",\"b\"]");
	assert_text(401, "{\"error\":\"invalid_token\","
	    "\"error_description\":\"Token was revoked.\"}", ERR_REFUSED,
	    "POST /v2/x: 401 invalid_token: Token was revoked.");
	assert_text(403, "{\"error\":\"insufficient_scope\"}", ERR_REFUSED,
	    "POST /v2/x: 403 insufficient_scope");
	/* others */
	assert_text(403, "{}", ERR_REFUSED, "POST /v2/x: 403 forbidden");
	assert_text(403, "[1]", ERR_REFUSED, "POST /v2/x: 403 forbidden");
	assert_text(403, "{\"message\":\"\"}", ERR_REFUSED,
	    "POST /v2/x: 403 forbidden");
	assert_text(403, "{\"id\":7,\"message\":\"a\\nb\\u001b[2J  c \"}",
	    ERR_REFUSED, "POST /v2/x: 403 a b [2J c");
	assert_text(403, "{\"message\":null,\"request_id\":\"\\u001b x\"}",
	    ERR_REFUSED, "POST /v2/x: 403 null (request x)");
}

static void
messages_in_no_json(void **state)
{
	struct buf body = BUF_INIT, wanted = BUF_INIT;
	int i;

	(void)state;
	assert_text(502, "<html>\r\n <h1>502\tBad\x1b Gateway</h1>\n",
	    ERR_AGAIN, "POST /v2/x: 502 <html> <h1>502 Bad Gateway</h1>");
	assert_text(502, " \r\n ", ERR_AGAIN, "POST /v2/x: 502 bad gateway");
	/* 100 bytes of it, and no character in parts */
	buf_str(&wanted, "POST /v2/x: 500 a");
	buf_str(&body, "a");
	for (i = 0; i < 1000; i++) {
		buf_str(&body, "\xc3\xa4");
		if (i < 50)
			buf_str(&wanted, "\xc3\xa4");
	}
	assert_text(500, body.p, ERR_AGAIN, wanted.p);
	/* nor does what is no UTF-8 go on for ever */
	buf_clear(&body);
	for (i = 0; i < 5000; i++)
		buf_str(&body, "\x80");
	{
		struct http_outcome o = answered(500);
		struct err e = ERR_INIT;

		http_outcome_error(&o, HTTP_GET, "/", &body, &e);
		assert_true(strlen(e.text) < 150);
	}
	buf_clear(&body);
	buf_clear(&wanted);
}

static void
long_texts_leave_room(void **state)
{
	struct http_outcome o = answered(422);
	char *path = mem_format("/%05000d", 0);
	struct buf answer = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	buf_addf(&answer, "{\"message\":\"%05000d\"}", 0);
	header(&o, "x-request-id: the-id\r\n");
	http_outcome_error(&o, HTTP_DELETE, path, &answer, &e);
	assert_non_null(strstr(e.text, ": 422 000"));
	assert_non_null(strstr(e.text, " (request the-id)"));
	free(path);
	buf_clear(&answer);
}

static void
failures_without_a_status(void **state)
{
	static const struct {
		enum http_end end;
		int kind;
		const char *wanted;
	} cases[] = {
		{HTTP_NOT_SENT, ERR_AGAIN, "POST /v2/x: why"},
		{HTTP_CUT_OFF, ERR_AGAIN, "POST /v2/x: why; it "
		    "may or may not have been carried out"},
		{HTTP_UNTRUSTED, ERR_REFUSED, "POST /v2/x: the server's "
		    "certificate is not trusted: why"},
		{HTTP_TOO_LARGE, ERR_PROTOCOL,
		    "POST /v2/x: the answer is too large"},
		{HTTP_NONSENSE, ERR_PROTOCOL, "POST /v2/x: why"},
	};
	struct buf none = BUF_INIT;
	struct http_outcome o;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		o = ended(cases[i].end);
		strcpy(o.detail, "why");
		check_text(&o, NULL, cases[i].kind, cases[i].wanted, __LINE__);
	}
	o = ended(HTTP_CUT_OFF);
	o.status = 202;
	check_text(&o, NULL, ERR_AGAIN, "POST /v2/x: 202: no answer; it "
	    "may or may not have been carried out", __LINE__);
	o.status = 0;
	assert_fails(http_outcome_error(&o, HTTP_GET, "/", &none, &e), e,
	    ERR_AGAIN, "GET /: no answer");
	o = answered(204);
	assert_ok(http_outcome_error(&o, HTTP_GET, "/", &none, &e), e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read),
		cmocka_unit_test(odd_headers),
		cmocka_unit_test(what_is_sent_again),
		cmocka_unit_test(what_may_have_worked),
		cmocka_unit_test(waits_double),
		cmocka_unit_test(waits_that_were_told),
		cmocka_unit_test(kinds),
		cmocka_unit_test(messages_in_json),
		cmocka_unit_test(messages_in_no_json),
		cmocka_unit_test(long_texts_leave_room),
		cmocka_unit_test(failures_without_a_status),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
