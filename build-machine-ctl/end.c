#include "build-machine-ctl/end.h"

#include <stdlib.h>

#include "build-machine-ctl/cmd.h"
#include "build-machine-ctl/row.h"
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
/* What GitLab may take before the droplets are deleted, and after. */
#define BEFORE_MS 15000
#define AFTER_MS 30000

/* ------------------------------------------------------------- droplets */

enum deletion_state {
	DELETION_WANTED,	/* a DELETE is to be sent */
	DELETION_ACCEPTED,	/* it was; is it gone? */
	DELETION_GONE,
	DELETION_FAILED
};

struct deletion {
	const struct droplet *droplet;
	enum deletion_state state;
	int64_t accepted;	/* clock_ms's */
	bool is_unknown;	/* DELETE was answered with 404 */
	int64_t unknown_since;
	struct err error;	/* of the last try */
};

struct deletions {
	struct cloud *cloud;
	struct deletion *v;
	size_t n;
	struct droplets listed;
	bool is_listed;		/* listed is what the API says now */
};

static size_t
count(const struct deletions *r, enum deletion_state state)
{
	size_t i, n = 0;

	for (i = 0; i < r->n; i++)
		n += r->v[i].state == state;
	return n;
}

/* What the listing shows is not gone: it need not be asked about. */
static bool
is_listed(const struct deletions *r, const struct deletion *one)
{
	return r->is_listed &&
	    droplets_find(&r->listed, one->droplet->id) != NULL;
}

/*
 * The same request for all that are in one state, at once, and what each
 * answer means for its droplet.
 */
static void
ask_each(struct deletions *r, enum deletion_state state,
    enum http_method method,
    void (*read)(struct deletion *, const struct http_request *))
{
	struct http_request *requests = mem_zero(r->n, sizeof(*requests));
	struct deletion **asked = mem_zero(r->n, sizeof(struct deletion *));
	size_t i, n = 0;

	for (i = 0; i < r->n; i++) {
		if (r->v[i].state != state ||
		    (method == HTTP_GET && is_listed(r, &r->v[i])))
			continue;
		requests[n].method = method;
		requests[n].path = mem_format("/v2/droplets/%lld",
		    (long long)r->v[i].droplet->id);
		asked[n++] = &r->v[i];
	}
	http_run(r->cloud->http, requests, n, r->cloud->deadline);
	for (i = 0; i < n; i++) {
		read(asked[i], &requests[i]);
		http_request_clear(&requests[i]);
	}
	free(requests);
	free(asked);
}

static void
read_delete(struct deletion *one, const struct http_request *r)
{
	bool is_unknown = r->error.kind == ERR_MISSING;

	/* what the API said last tells more than that the time is up */
	if (r->status != 0 || one->error.kind == ERR_NONE)
		one->error = r->error;
	if (r->error.kind == ERR_NONE || is_unknown) {
		one->state = DELETION_ACCEPTED;
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
		one->state = DELETION_FAILED;
	}
}

static void
read_proof(struct deletion *one, const struct http_request *r)
{
	if (r->error.kind == ERR_NONE) {
		/* the API did not know it when it was to be deleted */
		if (one->is_unknown)
			one->state = DELETION_WANTED;
		return;
	}
	if (r->error.kind != ERR_MISSING) {
		one->error = r->error;
		return;
	}
	if (one->is_unknown &&
	    clock_ms() - one->unknown_since < UNKNOWN_MS) {
		one->state = DELETION_WANTED;
		return;
	}
	one->state = DELETION_GONE;
	log_notice("%s: %lld %s is deleted", one->droplet->build,
	    (long long)one->droplet->id, one->droplet->name);
}

static void
lose_patience(struct deletions *r)
{
	int64_t now = clock_ms();
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->v[i].state == DELETION_ACCEPTED &&
		    now - r->v[i].accepted > PATIENCE_MS)
			r->v[i].state = DELETION_WANTED;
}

static void
look(struct deletions *r)
{
	struct err e = ERR_INIT;

	r->is_listed = cloud_list(r->cloud, &r->listed, &e) == 0;
	if (!r->is_listed)
		log_detail("%s", e.text);
	ask_each(r, DELETION_ACCEPTED, HTTP_GET, read_proof);
}

static int
report(struct deletions *r, bool *gone, struct err *e)
{
	struct tally failed = TALLY_INIT;
	const struct droplet *d;
	struct err one = ERR_INIT;
	size_t i;

	for (i = 0; i < r->n; i++) {
		d = r->v[i].droplet;
		if (gone != NULL)
			gone[i] = r->v[i].state == DELETION_GONE;
		if (r->v[i].state == DELETION_GONE)
			continue;
		one = r->v[i].error;
		if (one.kind == ERR_NONE || one.kind == ERR_MISSING)
			err_set(&one, ERR_AGAIN, "its deletion was accepted, "
			    "but it still exists");
		err_wrap(&one, "%s: droplet %lld '%s' was not deleted and "
		    "costs money: run 'build-machine-ctl delete %s' again",
		    d->build, (long long)d->id, d->name, d->build);
		tally_add(&failed, &one);
	}
	return tally_end(&failed, "deletions", e);
}

/*
 * Deletes all droplets at once and waits until the cloud's deadline: those that
 * are not proven to be gone are in the error with id and name.
 */
static int
delete_droplets(struct cloud *c, const struct droplets *doomed, bool *gone,
    struct err *e)
{
	struct deletions r = {.cloud = c, .n = doomed->n};
	struct cloud_pace pace = CLOUD_PACE_INIT;
	struct err stop = ERR_INIT;
	size_t i;
	int status;

	/* each look may be a request for each: those of many come slower */
	pace.interval += 50 * (int64_t)doomed->n;
	r.v = mem_zero(doomed->n + 1, sizeof(*r.v));
	for (i = 0; i < r.n; i++)
		r.v[i].droplet = &doomed->v[i];
	for (;;) {
		ask_each(&r, DELETION_WANTED, HTTP_DELETE, read_delete);
		if (count(&r, DELETION_ACCEPTED) > 0)
			look(&r);
		lose_patience(&r);
		if (count(&r, DELETION_ACCEPTED) +
		    count(&r, DELETION_WANTED) == 0)
			break;
		log_status("deleting: %zu of %zu gone",
		    count(&r, DELETION_GONE), r.n);
		if (cloud_wait(c, &pace, &stop) < 0)
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

/* -------------------------------------------------------------- runners */

static void
add_runner(struct runners *list, const struct runner *r)
{
	struct runner copy = *r;

	copy.token = (struct buf)BUF_INIT;
	list->v = mem_resize(list->v, list->n + 1, sizeof(*list->v));
	list->v[list->n++] = copy;
}

static int
find_doomed(struct gitlab *g, const struct runners *known,
    end_runner *is_doomed, void *arg, struct runners *doomed,
    struct err *e)
{
	struct runners list = {.v = NULL};
	size_t i;
	int status = runner_list(g, false, &list, e);

	runners_clear(doomed);
	for (i = 0; known != NULL && i < known->n; i++)
		add_runner(doomed, &known->v[i]);
	for (i = 0; i < list.n; i++)
		if (is_doomed(&list.v[i], arg) &&
		    runners_find(doomed, list.v[i].id) == NULL)
			add_runner(doomed, &list.v[i]);
	runners_clear(&list);
	return status;
}

/* Without GitLab they can only be told of. */
static void
tell_of_runners(const struct droplets *doomed, const struct err *why,
    struct tally *failed)
{
	struct err one;
	const char *id;
	size_t i;

	for (i = 0; i < doomed->n; i++) {
		id = droplet_tag(&doomed->v[i], "runner");
		if (id == NULL)
			continue;
		one = *why;
		err_wrap(&one, "%s: runner %s still exists: run "
		    "'build-machine-ctl delete %s' to delete it",
		    doomed->v[i].build, id, doomed->v[i].build);
		tally_add(failed, &one);
	}
}

static int64_t
within(int64_t ms, int64_t deadline)
{
	int64_t t = clock_ms() + ms;

	return t < deadline ? t : deadline;
}

static void
delete_runners(struct gitlab *g, const struct droplets *doomed,
    const struct runners *runners, const struct err *listing,
    struct tally *failed)
{
	struct err one = ERR_INIT;
	size_t before = failed->n;

	if (g->http == NULL) {
		err_set(&one, ERR_CONFIG, "[gitlab] project or its token is "
		    "not set");
		tell_of_runners(doomed, &one, failed);
		return;
	}
	if (listing->kind != ERR_NONE) {
		tell_of_runners(doomed, listing, failed);
		if (failed->n == before)
			tally_add(failed, listing);
	}
	if (runner_delete(g, runners, &one) < 0)
		tally_add(failed, &one);
}

/* ------------------------------------------------------------- machines */

int
end_machines(struct cloud *c, struct gitlab *g, const struct droplets *doomed,
    const struct runners *known, end_runner *is_doomed, void *arg,
    bool *gone, struct err *e)
{
	struct tally failed = TALLY_INIT;
	struct runners runners = {.v = NULL};
	struct err one = ERR_INIT, listing = ERR_INIT;

	if (g->http != NULL) {
		g->deadline = within(BEFORE_MS, c->deadline);
		find_doomed(g, known, is_doomed, arg, &runners, &listing);
		runner_pause(g, &runners);
	}
	if (delete_droplets(c, doomed, gone, &one) < 0)
		tally_add(&failed, &one);
	g->deadline = clock_ms() + AFTER_MS;
	if (listing.kind != ERR_NONE) {
		listing = (struct err)ERR_INIT;
		find_doomed(g, known, is_doomed, arg, &runners, &listing);
	}
	delete_runners(g, doomed, &runners, &listing, &failed);
	runners_clear(&runners);
	return tally_end(&failed, "clean-ups", e);
}

/* ------------------------------------------------- what delete and reap do */

struct ending {
	const struct end_choice *choice;
	struct droplets chosen;
	struct droplets living;
};

static bool
is_chosen_runner(const struct runner *r, void *arg)
{
	struct ending *end = arg;

	return end->choice->runner(r, &end->chosen, &end->living,
	    end->choice->arg);
}

static void
choose(struct ending *end, const struct droplets *list)
{
	const struct end_choice *choice = end->choice;
	size_t i;

	for (i = 0; i < list->n; i++)
		droplets_add(choice->droplet(&list->v[i], choice->arg) ?
		    &end->chosen : &end->living, &list->v[i]);
}

/* What would be deleted. */
static int
tell(struct ending *end, struct gitlab *g, struct err *e)
{
	struct runners runners = {.v = NULL};
	int status = g->http ? runner_list(g, false, &runners, e) : 0;
	size_t i;

	for (i = 0; i < end->chosen.n; i++)
		log_notice("%s: would delete droplet %lld %s",
		    end->chosen.v[i].build, (long long)end->chosen.v[i].id,
		    end->chosen.v[i].name);
	for (i = 0; i < runners.n; i++)
		if (is_chosen_runner(&runners.v[i], end))
			log_notice("%s: would delete runner %lld",
			    runners.v[i].build, (long long)runners.v[i].id);
	runners_clear(&runners);
	return status;
}

static int
finish(const struct tool_call *call, struct ending *end, struct cloud *cloud,
    struct gitlab *gitlab, struct err *e)
{
	bool *gone = mem_zero(end->chosen.n + 1, sizeof(*gone));
	struct err printing = ERR_INIT;
	struct report *report;
	size_t i;
	int status = end_machines(cloud, gitlab, &end->chosen, NULL,
	    is_chosen_runner, end, gone, e);

	report = row_open(ROW_END, call);
	for (i = 0; i < end->chosen.n; i++)
		if (gone[i])
			row_add(report, ROW_END, &end->chosen.v[i], call->conf);
	if (report_close(report, &printing) < 0 && status == 0) {
		*e = printing;
		status = -1;
	}
	free(gone);
	return status;
}

int
end_chosen(const struct tool_call *call, const struct end_choice *choice,
    struct err *e)
{
	struct ending end = {.choice = choice};
	struct cloud cloud = CLOUD_INIT;
	struct gitlab gitlab = GITLAB_INIT;
	struct droplets list = {.v = NULL};
	struct tally failed = TALLY_INIT;
	struct err one = ERR_INIT;
	int64_t timeout;
	int status = cmd_timeout(&timeout, e);

	if (status == 0)
		status = cloud_open(&cloud, call->conf, timeout, e);
	/* a droplet costs money, whatever is wrong with GitLab */
	if (status == 0 && gitlab_open(&gitlab, call->conf, cloud.deadline,
	    &one) < 0)
		tally_add(&failed, &one);
	if (status == 0)
		status = cloud_list(&cloud, &list, e);
	if (status == 0)
		choose(&end, &list);
	if (status == 0 && call->is_dry_run)
		status = tell(&end, &gitlab, e);
	else if (status == 0)
		status = finish(call, &end, &cloud, &gitlab, e);
	if (status < 0)
		tally_add(&failed, e);
	status = tally_end(&failed, "steps", e);
	droplets_clear(&list);
	droplets_clear(&end.chosen);
	droplets_clear(&end.living);
	gitlab_close(&gitlab);
	cloud_close(&cloud);
	return status;
}
