#include "build-machine-ctl/removal.h"

#include <stdlib.h>

#include "build-machine-ctl/poll.h"
#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/tally.h"

/* A droplet that is still there this long after its DELETE gets another. */
#define PATIENCE_MS 10000
/*
 * 404 to a DELETE may also mean that the API does not know the droplet yet: it
 * must be said for this long.
 */
#define UNKNOWN_MS 10000

enum removal_state {
	REMOVAL_WANTED,		/* a DELETE is to be sent */
	REMOVAL_ACCEPTED,	/* it was; is it gone? */
	REMOVAL_GONE,
	REMOVAL_FAILED
};

struct removal {
	const struct droplet *droplet;
	enum removal_state state;
	int64_t accepted;	/* clock_ms's */
	bool is_unknown;	/* DELETE was answered with 404 */
	int64_t unknown_since;
	struct err error;	/* of the last try */
};

struct removals {
	struct cloud *cloud;
	struct removal *v;
	size_t n;
	struct droplets listed;
	bool is_listed;		/* listed is what the API says now */
};

static size_t
count(const struct removals *r, enum removal_state state)
{
	size_t i, n = 0;

	for (i = 0; i < r->n; i++)
		n += r->v[i].state == state;
	return n;
}

/*
 * The same request for all that are in one state, at once, and what each
 * answer means for its droplet.
 */
static void
ask_each(struct removals *r, enum removal_state state,
    bool (*wants)(const struct removals *, const struct removal *),
    enum http_method method,
    void (*judge)(struct removal *, const struct http_request *))
{
	struct http_request *requests = mem_zero(r->n, sizeof(*requests));
	struct removal **asked = mem_zero(r->n, sizeof(struct removal *));
	size_t i, n = 0;

	for (i = 0; i < r->n; i++) {
		if (r->v[i].state != state || !wants(r, &r->v[i]))
			continue;
		requests[n].method = method;
		requests[n].path = mem_format("/v2/droplets/%lld",
		    (long long)r->v[i].droplet->id);
		asked[n++] = &r->v[i];
	}
	http_run(r->cloud->http, requests, n, r->cloud->deadline);
	for (i = 0; i < n; i++) {
		judge(asked[i], &requests[i]);
		http_request_clear(&requests[i]);
	}
	free(requests);
	free(asked);
}

static bool
always(const struct removals *r, const struct removal *one)
{
	(void)r, (void)one;
	return true;
}

static void
judge_delete(struct removal *one, const struct http_request *r)
{
	bool is_unknown = r->error.kind == ERR_MISSING;

	/* what the API said last tells more than that the time is up */
	if (r->status != 0 || one->error.kind == ERR_NONE)
		one->error = r->error;
	if (r->error.kind == ERR_NONE || is_unknown) {
		one->state = REMOVAL_ACCEPTED;
		one->accepted = clock_ms();
		if (is_unknown && !one->is_unknown)
			one->unknown_since = one->accepted;
		one->is_unknown = is_unknown;
	} else if (r->status == 422 || r->error.kind == ERR_AGAIN ||
	    r->error.kind == ERR_SIGNAL) {
		/* "Droplet already has a pending event." */
		one->error.kind = ERR_AGAIN;
		log_detail("%s: %s; trying again", one->droplet->name,
		    r->error.text);
	} else {
		one->state = REMOVAL_FAILED;
	}
}

static bool
is_unlisted(const struct removals *r, const struct removal *one)
{
	return !r->is_listed ||
	    droplets_find(&r->listed, one->droplet->id) == NULL;
}

static void
judge_proof(struct removal *one, const struct http_request *r)
{
	if (r->error.kind == ERR_NONE) {
		/* the API did not know it when it was to be deleted */
		if (one->is_unknown)
			one->state = REMOVAL_WANTED;
		return;
	}
	if (r->error.kind != ERR_MISSING) {
		one->error = r->error;
		return;
	}
	if (one->is_unknown &&
	    clock_ms() - one->unknown_since < UNKNOWN_MS) {
		one->state = REMOVAL_WANTED;
		return;
	}
	one->state = REMOVAL_GONE;
	log_notice("%s: %lld %s is deleted", one->droplet->build,
	    (long long)one->droplet->id, one->droplet->name);
}

static void
lose_patience(struct removals *r)
{
	int64_t now = clock_ms();
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->v[i].state == REMOVAL_ACCEPTED &&
		    now - r->v[i].accepted > PATIENCE_MS)
			r->v[i].state = REMOVAL_WANTED;
}

static void
look(struct removals *r)
{
	struct err e = ERR_INIT;

	r->is_listed = cloud_list(r->cloud, &r->listed, &e) == 0;
	if (!r->is_listed)
		log_detail("%s", e.text);
	ask_each(r, REMOVAL_ACCEPTED, is_unlisted, HTTP_GET, judge_proof);
}

static int
report(struct removals *r, bool *gone, struct err *e)
{
	struct tally failed = TALLY_INIT;
	struct err one = ERR_INIT;
	size_t i;

	for (i = 0; i < r->n; i++) {
		gone[i] = r->v[i].state == REMOVAL_GONE;
		if (gone[i])
			continue;
		one = r->v[i].error;
		if (one.kind == ERR_NONE || one.kind == ERR_MISSING)
			err_set(&one, ERR_AGAIN, "it was told to go, and is "
			    "still there");
		err_wrap(&one, "%s: droplet %lld '%s' is not deleted and "
		    "costs money: run delete again", r->v[i].droplet->build,
		    (long long)r->v[i].droplet->id, r->v[i].droplet->name);
		tally_add(&failed, &one);
	}
	return tally_end(&failed, "deletions", e);
}

int
removal_run(struct cloud *c, const struct droplets *doomed, bool *gone,
    struct err *e)
{
	struct removals r = {.cloud = c, .n = doomed->n};
	struct poll poll = POLL_INIT;
	struct err stop = ERR_INIT;
	size_t i;
	int status;

	/* each look may be a request for each: those of many come slower */
	poll.interval += 50 * (int64_t)doomed->n;
	r.v = mem_zero(doomed->n + 1, sizeof(*r.v));
	for (i = 0; i < r.n; i++)
		r.v[i].droplet = &doomed->v[i];
	for (;;) {
		ask_each(&r, REMOVAL_WANTED, always, HTTP_DELETE, judge_delete);
		if (count(&r, REMOVAL_ACCEPTED) > 0)
			look(&r);
		lose_patience(&r);
		if (count(&r, REMOVAL_ACCEPTED) +
		    count(&r, REMOVAL_WANTED) == 0)
			break;
		log_status("deleting: %zu of %zu gone",
		    count(&r, REMOVAL_GONE), r.n);
		if (poll_wait(&poll, c, &stop) < 0)
			break;
	}
	log_status("%s", "");
	status = report(&r, gone, e);
	if (status < 0 && cleanup_check(&stop) < 0)
		e->kind = ERR_SIGNAL;
	droplets_clear(&r.listed);
	free(r.v);
	return status;
}
