/*
 * What an API answers: the bytes as JSON, read by all getters and written
 * again; as the lines of a head; and as the body of a failure, of which one
 * line is said.
 */
#include "lib/http/json.h"
#include "lib/http/rules.h"
#include "tests/fuzz/support.h"

static const char *const paths[] = {
	"", "id", "message", "droplet.id", "droplets", "links.pages.next",
	"meta.total", "a.b.c", ".", "networks.v4",
};

static void
read_values(const struct json *j)
{
	const struct json *element;
	size_t i, path, n;
	int64_t whole;
	double number;
	bool yes;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const char *p = paths[i];

		if (json_integer(j, p, &whole))
			must(json_number(j, p, &number) &&
			    (double)whole == number && whole != INT64_MIN);
		must(!json_bool(j, p, &yes) || !json_number(j, p, &number));
		must(json_string(j, p) == NULL || json_first(j, p) == NULL);
		must(!json_has(j, p, "x") || json_is_array(j, p));
		n = 0;
		for (element = json_first(j, p); element != NULL;
		    element = json_next(element), n++)
			for (path = 0; n < 10 && path < 4; path++)
				(void)json_string(element, paths[path]);
	}
}

/* What was read can be written, and is then the same for ever. */
static void
write_again(const struct json *j)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct err e = ERR_INIT;
	struct json *again;

	json_print(j, &once);
	again = json_parse(once.p, once.n, &e);
	must(again != NULL);
	json_print(again, &twice);
	must(once.n == twice.n && memcmp(once.p, twice.p, once.n) == 0);
	json_free(again);
	buf_clear(&once);
	buf_clear(&twice);
}

static void
judge(const uint8_t *data, size_t n, long status)
{
	static const enum http_method methods[] = {HTTP_GET, HTTP_POST};
	struct http_outcome o = HTTP_OUTCOME_INIT;
	struct buf answer = BUF_INIT;
	struct err e = ERR_INIT;
	int64_t wait;
	size_t i;

	http_outcome_header(&o, (const char *)data, n);
	must(strlen(o.id) < sizeof(o.id));
	must(o.retry_after >= -1 && o.remaining >= -1 && o.reset >= -1);
	o.status = status;
	wait = http_outcome_wait(&o, 3, 1.5, 1795330830);
	must(wait >= 500 && wait < INT64_MAX / 1000);
	buf_add(&answer, data, n);
	for (i = 0; i < 2; i++) {
		must(http_outcome_error(&o, methods[i], "/v2/x", &answer,
		    &e) < 0);
		must_have_reason(&e);
		must(strpbrk(e.text, "\r\n\x1b") == NULL);
		must(strlen(e.text) + 1 < sizeof(e.text));
	}
	buf_clear(&answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = ERR_INIT;
	struct json *j = json_parse((const char *)data, n, &e);

	if (j != NULL) {
		read_values(j);
		write_again(j);
	} else {
		must(e.kind == ERR_PROTOCOL);
		must_have_reason(&e);
	}
	json_free(j);
	judge(data, n, 422);
	judge(data, n, 429);
	return 0;
}
