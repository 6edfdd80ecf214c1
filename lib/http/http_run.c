/*
 * Many requests at once: which may start, which are tried again and when, and
 * how they end when time is over or a signal came.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/date.h"
#include "lib/base/mem.h"
#include "lib/http/http_client.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define POLL_MS 100		/* how soon a signal is noticed */
#define SHORTEST_TOKEN 8	/* a shorter one is in many words */

static void
finish(struct transfer *t)
{
	t->is_done = true;
	if (t->r->error.kind == ERR_NONE)
		t->r->may_have_worked = false;
}

/* Half of it to one and a half. */
static double
draw_factor(void)
{
	uint16_t r;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return 1;
	return 0.5 + (double)r / 65536;
}

/* The reason why a request that failed is not tried any more. */
static void
say_why_not(struct transfer *t, int64_t wait)
{
	struct err *e = &t->r->error;
	char text[DATE_SIZE];

	date_format(clock_now() + wait / 1000, text);
	if (t->outcome.status == 429)
		err_set(e, e->kind, "%s; the limit holds until %s", e->text,
		    text);
	else if (t->tries > 1)
		err_set(e, e->kind, "%s; tried %u times", e->text, t->tries);
}

/*
 * A server that quotes a secret must not have it printed by us; also not the
 * part of it that its own message was cut to.
 */
static void
hide_secret(char *text, const char *secret)
{
	size_t n;

	for (; *text != '\0'; text++) {
		for (n = 0; secret[n] != '\0' && text[n] == secret[n]; n++)
			;
		if (n >= SHORTEST_TOKEN)
			memset(text, '*', n);
	}
}

/*
 * An answer is there, or will not come. Either the request is done, or it
 * waits for its next try.
 */
static void
settle(struct transfer *t, bool is_stopped, int64_t deadline)
{
	struct http_request *r = t->r;
	struct http_outcome *o = &t->outcome;
	int64_t wait, now = clock_ms();

	r->error = (struct err)ERR_INIT;
	(void)http_outcome_judge(o, r->method, r->path, &r->answer, &r->error);
	if (t->h->token.p != NULL)
		hide_secret(r->error.text, t->h->token.p + t->h->before_token);
	if (r->hide != NULL)
		hide_secret(r->error.text, r->hide);
	if (r->error.kind == ERR_NONE || is_stopped ||
	    !http_outcome_again(o, r->method)) {
		finish(t);
		return;
	}
	wait = http_outcome_wait(o, t->tries, draw_factor(), clock_now());
	/* what a sink was given cannot be taken back */
	if (t->tries >= t->h->tries || wait >= deadline - now ||
	    t->sunk > 0) {
		say_why_not(t, wait);
		finish(t);
		return;
	}
	t->not_before = now + wait;
	log_detail("%s; again in %.1f s", r->error.text, (double)wait / 1000);
}

/* Returns how many tries have ended. */
static size_t
collect(struct http *h, bool is_stopped, int64_t deadline)
{
	size_t n = 0;
	struct transfer *t;

	while ((t = http_try_ended(h)) != NULL) {
		settle(t, is_stopped, deadline);
		n++;
	}
	return n;
}

/* Ends a request that is waiting, or under way, unanswered. */
static void
abandon(struct transfer *t, enum err_kind kind, const char *why)
{
	struct http_request *r = t->r;

	if (t->curl != NULL) {
		if (!http_try_is_unsent(t))
			r->may_have_worked = true;
		http_try_abandon(t);
	}
	err_set(&r->error, kind, "%s %.300s: %s",
	    http_method_name(r->method), r->path, why);
	finish(t);
}

/*
 * After a signal: what changes nothing, and what has not been sent, ends now;
 * the others when their time is over.
 */
static void
stop(struct transfer *v, size_t n, const struct err *heard, bool is_over)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!v[i].is_done && (v[i].curl == NULL || is_over ||
		    v[i].r->method == HTTP_GET || http_try_is_unsent(&v[i])))
			abandon(&v[i], heard->kind, heard->text);
}

static int64_t
shorter(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Starts what may start now; returns how long poll may sleep. */
static int
start(struct transfer *v, size_t n, int64_t deadline)
{
	int64_t now = clock_ms(), sleep = POLL_MS;
	size_t i, running = 0;

	for (i = 0; i < n; i++)
		running += v[i].curl != NULL;
	for (i = 0; i < n; i++) {
		if (v[i].is_done || v[i].curl != NULL)
			continue;
		if (now >= deadline)
			abandon(&v[i], ERR_AGAIN, "no time was left");
		else if (v[i].not_before - now > 0)
			sleep = shorter(sleep, v[i].not_before - now);
		else if (running++ < HTTP_AT_ONCE)
			http_try_start(&v[i], deadline);
	}
	return (int)sleep;
}

static bool
all_done(const struct transfer *v, size_t n)
{
	while (n > 0 && v[n - 1].is_done)
		n--;
	return n == 0;
}

void
http_run_transfers(struct http *h, struct transfer *v, size_t n,
    int64_t deadline)
{
	struct err heard = ERR_INIT;
	int64_t stopped = 0;	/* when a signal was seen */
	int wait;

	for (;;) {
		if (stopped == 0 && cleanup_check(&heard) < 0)
			stopped = clock_ms();
		if (stopped != 0)
			stop(v, n, &heard,
			    clock_ms() - stopped >= HTTP_GRACE_MS);
		wait = stopped == 0 ? start(v, n, deadline) : POLL_MS;
		if (all_done(v, n))
			break;
		http_try_perform(h);
		/* where a try ended, there is room to start another */
		if (collect(h, stopped != 0, deadline) == 0)
			http_try_wait(h, wait);
	}
}

/* Whether it can be a path: what does not begin with / would be a host. */
static bool
is_path(const char *path)
{
	const char *p;

	if (path == NULL || path[0] != '/')
		return false;
	for (p = path; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return false;
	return true;
}

static void
begin(struct transfer *t, struct http *h, struct http_request *r)
{
	*t = (struct transfer){.h = h, .r = r,
	    .limit = r->limit != 0 ? r->limit : HTTP_LIMIT};
	r->status = 0;
	buf_wipe(&r->answer);
	r->id[0] = '\0';
	r->may_have_worked = false;
	r->error = (struct err)ERR_INIT;
	if (is_path(r->path)) {
		t->url = mem_format("%s%s", h->base, r->path);
		return;
	}
	err_set(&r->error, ERR_BUG, "not the path of a request: '%s'",
	    r->path != NULL ? r->path : "");
	t->is_done = true;
}

void
http_run(struct http *h, struct http_request *requests, size_t n,
    int64_t deadline)
{
	struct transfer *v = mem_zero(n, sizeof(*v));
	size_t i;

	for (i = 0; i < n; i++)
		begin(&v[i], h, &requests[i]);
	http_run_transfers(h, v, n, deadline);
	for (i = 0; i < n; i++)
		free(v[i].url);
	free(v);
}

/* ------------------------------------------------------------------ JSON */

struct json *
http_answer(const struct http_request *r, struct err *e)
{
	struct json *j = json_parse(buf_cstr(&r->answer), r->answer.n, e);

	if (j == NULL)
		err_wrap(e, "the answer to %s%s%s%s", r->path,
		    r->id[0] ? " (request " : "", r->id, r->id[0] ? ")" : "");
	return j;
}

struct json *
http_get_json(struct http *h, char *path, int64_t deadline, struct err *e)
{
	struct http_request r = {.method = HTTP_GET, .path = path};
	struct json *j = NULL;

	http_run(h, &r, 1, deadline);
	if (r.error.kind == ERR_NONE)
		j = http_answer(&r, e);
	else
		*e = r.error;
	http_request_clear(&r);
	return j;
}
