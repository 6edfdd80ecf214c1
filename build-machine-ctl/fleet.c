#include "build-machine-ctl/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/catalogue.h"
#include "build-machine-ctl/end.h"
#include "build-machine-ctl/probe.h"
#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/tally.h"

/* Listings in a row that make no sense, before that is believed. */
#define MOST_GARBLED 3
/* For what is deleted at the end of a run, however little time was left. */
#define END_MS 180000

/* --------------------------------------------------------------- opening */

int
fleet_open(struct fleet *f, const struct conf *conf, struct cloud *cloud,
    struct gitlab *gitlab, enum wait_level wait, const struct strv *builds,
    struct err *e)
{
	struct tally failed = TALLY_INIT;
	struct err one = ERR_INIT;
	size_t i;

	f->order = (struct order){conf, cloud, gitlab, wait, clock_ms()};
	f->n = builds->n;
	f->v = mem_zero(f->n, sizeof(*f->v));
	for (i = 0; i < f->n; i++)
		if (launch_open(&f->v[i], &f->order, builds->v[i],
		    &one) < 0)
			tally_add(&failed, &one);
	return tally_end(&failed, "machines", e);
}

void
fleet_close(struct fleet *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		launch_clear(&f->v[i]);
	free(f->v);
	droplets_clear(&f->listed);
	*f = (struct fleet)FLEET_INIT;
}

/* ------------------------------------------------------------- preparing */

int
fleet_adopt(struct fleet *f, struct err *e)
{
	size_t i;

	if (cloud_list(f->order.cloud, &f->listed, e) < 0)
		return -1;
	for (i = 0; i < f->n; i++)
		launch_look(&f->v[i], &f->listed);
	return 0;
}

/* The machines of several builds often have one image. */
static const struct launch *
find_same_image(const struct fleet *f, const struct launch *l)
{
	const struct conf *conf = f->order.conf;
	const struct launch *other;

	for (other = f->v; other < l; other++)
		if (other->image != 0 &&
		    strcmp(machine_setting(conf, other->build, "image"),
		    machine_setting(conf, l->build, "image")) == 0 &&
		    strcmp(machine_setting(conf, other->build, "region"),
		    machine_setting(conf, l->build, "region")) == 0)
			return other;
	return NULL;
}

static int
find_image(struct fleet *f, struct launch *l, struct err *e)
{
	const struct launch *same = find_same_image(f, l);
	struct image image = IMAGE_INIT;
	int status = 0;

	if (same != NULL) {
		l->image = same->image;
		return 0;
	}
	status = image_find(f->order.cloud,
	    machine_setting(f->order.conf, l->build, "image"),
	    machine_setting(f->order.conf, l->build, "region"), &image, e);
	l->image = image.id;
	image_clear(&image);
	return status;
}

static int
make_runners(struct fleet *f)
{
	struct runner *v = mem_zero(f->n, sizeof(*v));
	struct err *errors = mem_zero(f->n, sizeof(*errors));
	size_t *of = mem_zero(f->n, sizeof(*of)), i, n = 0;
	int status = 0;

	for (i = 0; i < f->n; i++)
		if (f->v[i].state == LAUNCH_WANTED && f->v[i].enrols) {
			snprintf(v[n].build, sizeof(v[n].build), "%s",
			    f->v[i].build);
			of[n++] = i;
		}
	if (n > 0)
		runner_make(f->order.gitlab, v, errors, n);
	for (i = 0; i < n; i++) {
		f->v[of[i]].runner = v[i];
		if (errors[i].kind == ERR_NONE)
			continue;
		f->v[of[i]].error = errors[i];
		f->v[of[i]].state = LAUNCH_FAILED;
		status = -1;
	}
	free(v);
	free(errors);
	free(of);
	return status;
}

/* Of several failures each is reported. */
static int
report(const struct fleet *f, struct err *e)
{
	struct tally failed = TALLY_INIT;
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->v[i].state == LAUNCH_FAILED)
			tally_add(&failed, &f->v[i].error);
	return tally_end(&failed, "machines", e);
}

int
fleet_prepare(struct fleet *f, struct err *e)
{
	struct err one = ERR_INIT;
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->v[i].state == LAUNCH_WANTED &&
		    find_image(f, &f->v[i], &one) < 0)
			launch_fail(&f->v[i], &one);
	return report(f, e);
}

/* --------------------------------------------------------------- running */

static size_t
count(const struct fleet *f, enum launch_state state)
{
	size_t i, n = 0;

	for (i = 0; i < f->n; i++)
		n += f->v[i].state == state;
	return n;
}

/* Not ready in time, or interrupted. */
static void
stop(struct fleet *f, const struct err *why)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		launch_stop(&f->v[i], why);
}

/* Sends the POSTs of all that are wanted and due, at once. */
static void
post(struct fleet *f)
{
	struct http_request *r = mem_zero(f->n, sizeof(*r));
	struct launch **asked = mem_zero(f->n, sizeof(struct launch *));
	struct err e = ERR_INIT;
	size_t i, n = 0;

	for (i = 0; i < f->n; i++) {
		if (!launch_is_due(&f->v[i]))
			continue;
		asked[n] = &f->v[i];
		if (launch_write_request(&f->v[i], &r[n], &e) == 0)
			n++;
		else
			launch_fail(&f->v[i], &e), http_request_clear(&r[n]);
	}
	if (n > 0)
		http_run(f->order.cloud->http, r, n, f->order.cloud->deadline);
	for (i = 0; i < n; i++) {
		launch_read_answer(asked[i], &r[i]);
		http_request_clear(&r[i]);
	}
	free(asked);
	free(r);
}

/*
 * Asks about one machine that is late. One at a time, so that the requests do
 * not grow with the machines.
 */
static void
inquire(struct fleet *f)
{
	struct launch *l;
	size_t i;

	for (i = 0; i < f->n; i++) {
		l = &f->v[f->turn++ % f->n];
		if (launch_is_late(l)) {
			launch_inquire(l);
			return;
		}
	}
}

static int
look(struct fleet *f, struct err *e)
{
	size_t i;

	if (cloud_list(f->order.cloud, &f->listed, e) < 0) {
		if (e->kind != ERR_AGAIN && (e->kind != ERR_PROTOCOL ||
		    ++f->n_garbled > MOST_GARBLED))
			return -1;
		log_detail("%s", e->text);
		return 0;
	}
	f->n_garbled = 0;
	for (i = 0; i < f->n; i++)
		launch_look(&f->v[i], &f->listed);
	inquire(f);
	return 0;
}

static void
probe_ssh(struct fleet *f)
{
	struct probe *v = mem_zero(f->n, sizeof(*v));
	struct launch **of = mem_zero(f->n, sizeof(struct launch *));
	int64_t left = f->order.cloud->deadline - clock_ms();
	size_t i, n = 0;

	for (i = 0; i < f->n; i++)
		if (launch_wants_probe(&f->v[i])) {
			v[n].address = f->v[i].droplet.private_ip;
			of[n++] = &f->v[i];
		}
	if (n > 0)
		probe_run(v, n, left < PROBE_MS ? (int)left : PROBE_MS);
	for (i = 0; i < n; i++)
		of[i]->has_ssh = v[i].answers;
	free(of);
	free(v);
}

static void
probe_runners(struct fleet *f)
{
	struct runners online = {.v = NULL};
	struct err e = ERR_INIT;
	bool wanted = false;
	size_t i;

	for (i = 0; i < f->n; i++)
		wanted |= f->v[i].has_ssh && !f->v[i].has_runner;
	if (!wanted)
		return;
	f->order.gitlab->deadline = f->order.cloud->deadline;
	if (runner_list(f->order.gitlab, true, &online, &e) < 0)
		log_detail("%s", e.text);
	for (i = 0; i < f->n; i++)
		if (f->v[i].has_ssh &&
		    runners_find(&online, launch_runner(&f->v[i])) != NULL)
			f->v[i].has_runner = true;
	runners_clear(&online);
}

/* Looks at sshd and runners of those that are active: which are ready now? */
static void
probe(struct fleet *f)
{
	size_t i;

	if (f->order.wait >= WAIT_SSH)
		probe_ssh(f);
	if (f->order.wait >= WAIT_RUNNER)
		probe_runners(f);
	for (i = 0; i < f->n; i++)
		launch_check(&f->v[i], &f->listed);
}

int
fleet_run(struct fleet *f, struct err *e)
{
	struct cloud_pace pace = CLOUD_PACE_INIT;
	struct err why = ERR_INIT;

	if (make_runners(f) < 0)
		return report(f, e);
	for (;;) {
		post(f);
		if (count(f, LAUNCH_FAILED) > 0)
			break;
		if (look(f, &why) < 0 || cleanup_check(&why) < 0) {
			stop(f, &why);
			break;
		}
		probe(f);
		if (count(f, LAUNCH_READY) == f->n ||
		    count(f, LAUNCH_FAILED) > 0)
			break;
		log_status("%zu of %zu ready, %lld s", count(f, LAUNCH_READY),
		    f->n, (long long)(clock_ms() - f->order.started) / 1000);
		if (cloud_wait(f->order.cloud, &pace, &why) < 0) {
			stop(f, &why);
			break;
		}
	}
	log_status("%s", "");
	return report(f, e);
}

/* ----------------------------------------------- what may have been made */

/* How many are not found; *due: for some of them it pays to look again. */
static size_t
resolve(struct fleet *f, unsigned listings, bool *due)
{
	size_t i, n = 0;

	*due = listings < UNSURE_LISTINGS;
	for (i = 0; i < f->n; i++) {
		struct launch *l = &f->v[i];

		if (launch_is_in_doubt(l) &&
		    launch_find_attempts(l, &f->listed))
			l->is_unsure = false;
		if (!l->is_unsure)
			continue;
		n++;
		*due |= clock_ms() - l->posted < UNSURE_MS;
	}
	return n;
}

/* They may be there: not seen, or not to be seen. */
static void
tell_of_unsure(const struct fleet *f, const struct err *why,
    struct tally *failed)
{
	struct err one;
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (!f->v[i].is_unsure)
			continue;
		if (why == NULL) {
			log_warning("%s: no droplet with the tag %s has "
			    "appeared: run 'build-machine-ctl delete %s' in a "
			    "few minutes to be sure", f->v[i].build,
			    f->v[i].attempts.v[f->v[i].attempts.n - 1],
			    f->v[i].build);
			continue;
		}
		one = *why;
		err_wrap(&one, "%s: a droplet with the tag %s may exist and "
		    "cost money: run 'build-machine-ctl delete %s'",
		    f->v[i].build,
		    f->v[i].attempts.v[f->v[i].attempts.n - 1],
		    f->v[i].build);
		tally_add(failed, &one);
	}
}

/* POSTs that were not answered: is there a droplet with their tag by now? */
static void
look_for_unsure(struct fleet *f, struct tally *failed)
{
	struct cloud_pace pace = CLOUD_PACE_INIT;
	struct err e = ERR_INIT, stop = ERR_INIT;
	unsigned listings = 0;
	size_t i, n = 0;
	bool due = true;

	for (i = 0; i < f->n; i++)
		n += launch_is_in_doubt(&f->v[i]);
	while (n > 0 && due) {
		if (cloud_list(f->order.cloud, &f->listed, &e) == 0)
			n = resolve(f, ++listings, &due);
		else if (e.kind != ERR_AGAIN)
			break;
		if (n > 0 && due && cloud_wait(f->order.cloud, &pace,
		    &stop) < 0)
			break;
	}
	if (n > 0)
		tell_of_unsure(f, !due ? NULL : e.kind ? &e : &stop, failed);
}

/* ---------------------------------------------------- what is not needed */

struct unneeded {
	const struct fleet *fleet;
	bool all;	/* what this run has made is to go */
};

static void
list_doomed(const struct unneeded *u, struct droplets *doomed)
{
	const struct fleet *f = u->fleet;
	const struct droplet *d;
	size_t i, k;

	for (i = 0; i < f->n; i++) {
		for (k = 0; k < f->v[i].extra.n; k++)
			droplets_add(doomed, &f->v[i].extra.v[k]);
		d = &f->v[i].droplet;
		if (!u->all || d->id == 0 || f->v[i].is_adopted ||
		    droplets_find(doomed, d->id) != NULL)
			continue;
		droplets_add(doomed, d);
		if (doomed->v[doomed->n - 1].build[0] == '\0')
			strcpy(doomed->v[doomed->n - 1].build, f->v[i].build);
	}
}

static bool
has_doomed_runner(const struct unneeded *u, const struct launch *l)
{
	return l->runner.mark[0] != '\0' &&
	    (u->all || l->is_adopted || l->droplet.id == 0);
}

static bool
is_doomed(const struct runner *r, void *arg)
{
	const struct unneeded *u = arg;
	size_t i;

	for (i = 0; i < u->fleet->n; i++)
		if (has_doomed_runner(u, &u->fleet->v[i]) &&
		    strcmp(u->fleet->v[i].runner.mark, r->mark) == 0)
			return true;
	return false;
}

static void
tell_what_stays(const struct fleet *f)
{
	const struct launch *l;
	size_t i;

	for (i = 0; i < f->n; i++) {
		l = &f->v[i];
		if (l->droplet.id == 0 || l->is_adopted)
			continue;
		log_notice("%s: droplet %lld %s is kept and costs money until "
		    "it is deleted", l->build, (long long)l->droplet.id,
		    l->name);
		if (l->runner.id != 0)
			log_notice("%s: its runner %lld is kept", l->build,
			    (long long)l->runner.id);
	}
}

/* Those whose id GitLab has told. */
static void
list_doomed_runners(const struct unneeded *u, struct runners *known)
{
	const struct launch *l;
	size_t i;

	known->v = mem_zero(u->fleet->n + 1, sizeof(*known->v));
	for (i = 0; i < u->fleet->n; i++) {
		l = &u->fleet->v[i];
		if (!has_doomed_runner(u, l) || l->runner.id == 0)
			continue;
		known->v[known->n] = l->runner;
		known->v[known->n++].token = (struct buf)BUF_INIT;
	}
}

int
fleet_end(struct fleet *f, bool has_failed, bool keep, struct err *e)
{
	struct unneeded u = {.fleet = f, .all = has_failed && !keep};
	struct tally failed = TALLY_INIT;
	struct droplets doomed = {.v = NULL};
	struct runners known = {.v = NULL};
	struct err one = ERR_INIT;
	bool has_runners = false;
	size_t i;

	/* what went well can still be interrupted, and is then a failure */
	if (has_failed)
		cleanup_tidy();
	f->order.cloud->deadline = clock_ms() + END_MS;
	look_for_unsure(f, &failed);
	list_doomed(&u, &doomed);
	list_doomed_runners(&u, &known);
	for (i = 0; i < f->n; i++)
		has_runners |= has_doomed_runner(&u, &f->v[i]);
	for (i = 0; i < doomed.n; i++)
		log_notice("%s: deleting droplet %lld %s, which this run "
		    "made", doomed.v[i].build, (long long)doomed.v[i].id,
		    doomed.v[i].name);
	if ((doomed.n > 0 || has_runners) && end_machines(f->order.cloud,
	    f->order.gitlab, &doomed, &known, is_doomed, &u, NULL, &one) < 0)
		tally_add(&failed, &one);
	if (has_failed && keep)
		tell_what_stays(f);
	runners_clear(&known);
	droplets_clear(&doomed);
	return tally_end(&failed, "clean-ups", e);
}
