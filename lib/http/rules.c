#include "lib/http/rules.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/http/json.h"

#define FIRST_WAIT_MS 500
#define LONGEST_WAIT_MS 30000
#define FAR ((int64_t)100000000)	/* seconds: longer than all deadlines */
#define LAST_DATE ((int64_t)253402300799)	/* of the year 9999 */
#define PATH_COLUMNS 300
#define MESSAGE_LIMIT ((size_t)400)
#define RAW_LIMIT ((size_t)100)

const char *
http_method_name(enum http_method method)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT",
		[HTTP_DELETE] = "DELETE",
	};

	return names[method];
}

/* ------------------------------------------------------------- the head */

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* If the line is the header `name`, where its value begins; else NULL. */
static const char *
value_of(const char *line, const char *end, const char *name)
{
	size_t n = strlen(name);

	if ((size_t)(end - line) <= n || line[n] != ':' ||
	    strncasecmp(line, name, n) != 0)
		return NULL;
	return skip_blanks(line + n + 1, end);
}

/* A number and nothing else, at most `most`: retry-after may be a date. */
static void
read_number(const char *p, const char *end, int64_t most, int64_t *v)
{
	int64_t n = 0;
	const char *begin = p;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (n <= most)
			n = n * 10 + (*p - '0');
	if (p > begin && skip_blanks(p, end) == end)
		*v = n < most ? n : most;
}

static void
read_id(const char *p, const char *end, char *id)
{
	size_t n = 0;

	for (; p < end && n < HTTP_ID_SIZE - 1; p++)
		if (*p > ' ' && *p < 0x7f)
			id[n++] = *p;
	id[n] = '\0';
}

void
http_outcome_header(struct http_outcome *o, const char *line, size_t n)
{
	const char *p, *end = line + n;

	while (end > line && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (end - line >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		o->retry_after = o->remaining = o->reset = -1;
		o->id[0] = '\0';
	} else if ((p = value_of(line, end, "retry-after")) != NULL) {
		read_number(p, end, FAR, &o->retry_after);
	} else if ((p = value_of(line, end, "ratelimit-remaining")) != NULL) {
		read_number(p, end, INT64_C(1) << 53, &o->remaining);
	} else if ((p = value_of(line, end, "ratelimit-reset")) != NULL) {
		read_number(p, end, LAST_DATE, &o->reset);
	} else if ((p = value_of(line, end, "x-request-id")) != NULL) {
		read_id(p, end, o->id);
	}
}

/* ------------------------------------------------------- sending it again */

bool
http_outcome_again(const struct http_outcome *o, enum http_method method)
{
	switch (o->end) {
	case HTTP_NOT_SENT:
		return true;
	case HTTP_CUT_OFF:
		return method != HTTP_POST;
	case HTTP_ANSWERED:
		if (o->status == 429)
			return true;
		/* 501: it does not know the method, nor will it */
		return method != HTTP_POST && o->status >= 500 &&
		    o->status <= 599 && o->status != 501;
	default:
		return false;
	}
}

int64_t
http_outcome_wait(const struct http_outcome *o, unsigned tries, double factor,
    int64_t now)
{
	int64_t wait = FIRST_WAIT_MS, told = 0;

	while (tries-- > 1 && wait < LONGEST_WAIT_MS)
		wait *= 2;
	if (wait > LONGEST_WAIT_MS)
		wait = LONGEST_WAIT_MS;
	wait = (int64_t)((double)wait * factor);
	if (o->end != HTTP_ANSWERED)
		return wait;
	if (o->retry_after >= 0)
		told = o->retry_after;
	else if (o->status == 429 && o->reset > now)
		told = o->reset - now < FAR ? o->reset - now : FAR;
	return told * 1000 > wait ? told * 1000 : wait;
}

bool
http_outcome_may_have_worked(const struct http_outcome *o)
{
	if (o->end == HTTP_NOT_SENT || o->end == HTTP_UNTRUSTED)
		return false;
	if (o->end == HTTP_ANSWERED)
		return o->status >= 500;
	/* of what was cut off, the status line may be there, and decides */
	return o->status < 300 || o->status >= 500;
}

/* ------------------------------------------------------- what to say of it */

static const char *
reason_of(long status)
{
	static const struct {
		long status;
		const char *text;
	} reasons[] = {
		{400, "bad request"}, {401, "unauthorized"},
		{402, "payment required"}, {403, "forbidden"},
		{404, "not found"}, {405, "method not allowed"},
		{408, "request timeout"}, {409, "conflict"}, {410, "gone"},
		{412, "precondition failed"}, {413, "content too large"},
		{415, "unsupported media type"},
		{422, "unprocessable content"}, {423, "locked"},
		{429, "too many requests"}, {500, "internal server error"},
		{501, "not implemented"}, {502, "bad gateway"},
		{503, "service unavailable"}, {504, "gateway timeout"},
	};
	size_t i;

	for (i = 0; i < COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	if (status >= 300 && status <= 399)
		return "redirects are not followed";
	return "no message";
}

/*
 * Appends at most `most` bytes of text as one line: what is not printable
 * becomes a blank, and of more blanks one stays. UTF-8 is not cut through.
 */
static void
add_line(struct buf *out, const char *text, size_t n, size_t most)
{
	size_t start = out->n;
	bool is_blank = true;
	unsigned char c;

	for (; n > 0; text++, n--) {
		c = (unsigned char)*text;
		if (out->n - start >= most && (c & 0xc0) != 0x80)
			break;
		if (c > ' ' && c != 0x7f)
			buf_add(out, text, 1);
		else if (!is_blank)
			buf_add(out, " ", 1);
		is_blank = c <= ' ' || c == 0x7f;
		/* no UTF-8 has so many bytes to a character */
		if (out->n - start > most + 4)
			break;
	}
	if (out->n > start && out->p[out->n - 1] == ' ')
		out->p[--out->n] = '\0';
}

static void
add_word(struct buf *out, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	if (out->n > 0)
		buf_str(out, ": ");
	add_line(out, text, strlen(text), MESSAGE_LIMIT);
}

/* GitLab's may be a string, or the faults of each field, or a list. */
static void
add_message(struct buf *out, const struct json *message, long status)
{
	const char *text = json_string(message, "");
	struct buf printed = BUF_INIT;
	char again[16];
	int n;

	if (message == NULL)
		return;
	if (text == NULL) {
		json_print(message, &printed);
		add_word(out, buf_cstr(&printed));
		buf_wipe(&printed);
		return;
	}
	n = snprintf(again, sizeof(again), "%ld ", status);
	if (n > 0 && strncmp(text, again, (size_t)n) == 0)
		text += n;	/* "404 Project Not Found" */
	add_word(out, text);
}

/*
 * DigitalOcean: {"id", "message", "request_id"}. GitLab: {"message"} or
 * {"error", "error_description"}.
 */
static void
read_body(const struct buf *answer, long status, struct buf *out, char *id)
{
	struct err ignored = ERR_INIT;
	struct json *j = json_parse(buf_cstr(answer), answer->n, &ignored);
	const char *text;

	if (j == NULL) {
		add_line(out, buf_cstr(answer), answer->n, RAW_LIMIT);
		return;
	}
	add_word(out, json_string(j, "id"));
	add_word(out, json_string(j, "error"));
	add_word(out, json_string(j, "error_description"));
	add_message(out, json_at(j, "message"), status);
	text = json_string(j, "request_id");
	if (id[0] == '\0' && text != NULL)
		read_id(text, text + strlen(text), id);
	json_free(j);
}

static enum err_kind
kind_of_status(long status)
{
	switch (status) {
	case 401:
	case 403:
		return ERR_REFUSED;
	case 404:
	case 410:
		return ERR_MISSING;
	case 408:
	case 429:
		return ERR_AGAIN;
	default:
		break;
	}
	if (status >= 500 && status <= 599)
		return ERR_AGAIN;
	return status >= 400 && status <= 499 ? ERR_UNAVAILABLE : ERR_PROTOCOL;
}

static int
status_error(const struct http_outcome *o, const char *what,
    const struct buf *answer, struct err *e)
{
	struct buf text = BUF_INIT;
	char id[HTTP_ID_SIZE];

	if (o->status >= 200 && o->status <= 299)
		return 0;
	memcpy(id, o->id, sizeof(id));
	if (answer->n > 0)
		read_body(answer, o->status, &text, id);
	err_set(e, kind_of_status(o->status), "%s: %ld %s%s%s%s", what,
	    o->status, text.n > 0 ? text.p : reason_of(o->status),
	    id[0] ? " (request " : "", id, id[0] ? ")" : "");
	buf_wipe(&text);
	return -1;
}

int
http_outcome_error(const struct http_outcome *o, enum http_method method,
    const char *path, const struct buf *answer, struct err *e)
{
	const char *detail = o->detail[0] ? o->detail : "no answer";
	char what[PATH_COLUMNS + 64];
	int n = snprintf(what, sizeof(what), "%s %.*s",
	    http_method_name(method), PATH_COLUMNS, path);

	if (o->end != HTTP_ANSWERED && o->status != 0)
		snprintf(what + n, sizeof(what) - (size_t)n, ": %ld",
		    o->status);
	switch (o->end) {
	case HTTP_ANSWERED:
		return status_error(o, what, answer, e);
	case HTTP_UNTRUSTED:
		return err_set(e, ERR_REFUSED, "%s: the server's certificate "
		    "is not trusted: %s", what, detail);
	case HTTP_TOO_LARGE:
		return err_set(e, ERR_PROTOCOL, "%s: the answer is too large",
		    what);
	case HTTP_NONSENSE:
		return err_set(e, ERR_PROTOCOL, "%s: %s", what, detail);
	case HTTP_NOT_SENT:
		break;
	case HTTP_CUT_OFF:
		if (method != HTTP_GET && http_outcome_may_have_worked(o))
			return err_set(e, ERR_AGAIN, "%s: %s; it may or may "
			    "not have been carried out", what, detail);
		break;
	}
	return err_set(e, ERR_AGAIN, "%s: %s", what, detail);
}
