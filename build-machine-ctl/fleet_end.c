#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/fleet.h"
#include "build-machine-ctl/retire.h"
#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define END_MS 180000

struct tidying {
	const struct fleet *fleet;
	bool all;	/* what this run has made is to go */
};

/* --------------------------------------------- what may have been made */

/*
 * Takes note of every droplet that its POSTs have made. True if that of the
 * last one, which was not answered, is among them.
 */
static bool
find_attempts(struct fleet *f, struct launch *l)
{
	const char *last = l->attempts.v[l->attempts.n - 1];
	const struct droplet *d;
	bool found = false;
	size_t i;

	for (i = 0; i < f->listed.n; i++) {
		d = &f->listed.v[i];
		if (!launch_owns(l, d))
			continue;
		found |= droplet_has_tag(d, last);
		if (l->droplet.id == 0)
			droplet_copy(&l->droplet, d);
		else if (d->id != l->droplet.id &&
		    droplets_find(&f->extra, d->id) == NULL)
			droplets_add(&f->extra, d);
	}
	return found;
}

/* Several requests, or one without an answer: there may be more than one. */
static bool
is_in_doubt(const struct launch *l)
{
	return l->is_unsure || l->attempts.n > 1;
}

/* How many are not found; *due: for some of them it pays to look again. */
static size_t
resolve(struct fleet *f, unsigned listings, bool *due)
{
	size_t i, n = 0;

	*due = listings < UNSURE_LISTINGS;
	for (i = 0; i < f->n; i++) {
		struct launch *l = &f->v[i];

		if (is_in_doubt(l) && find_attempts(f, l))
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
			    "appeared: delete %s, later, makes sure",
			    f->v[i].build,
			    f->v[i].attempts.v[f->v[i].attempts.n - 1],
			    f->v[i].build);
			continue;
		}
		one = *why;
		err_wrap(&one, "%s: a droplet with the tag %s may be there and "
		    "cost money: run delete %s", f->v[i].build,
		    f->v[i].attempts.v[f->v[i].attempts.n - 1],
		    f->v[i].build);
		tally_add(failed, &one);
	}
}

/* POSTs that were not answered: is there a droplet with their tag by now? */
static void
look_for_unsure(struct fleet *f, struct tally *failed)
{
	struct poll poll = POLL_INIT;
	struct err e = ERR_INIT, stop = ERR_INIT;
	unsigned listings = 0;
	size_t i, n = 0;
	bool due = true;

	for (i = 0; i < f->n; i++)
		n += is_in_doubt(&f->v[i]);
	while (n > 0 && due) {
		if (cloud_list(f->cloud, &f->listed, &e) == 0)
			n = resolve(f, ++listings, &due);
		else if (e.kind != ERR_AGAIN)
			break;
		if (n > 0 && due && poll_wait(&poll, f->cloud, &stop) < 0)
			break;
	}
	if (n > 0)
		tell_of_unsure(f, !due ? NULL : e.kind ? &e : &stop, failed);
}

/* ------------------------------------------------------- what is not needed */

static void
collect(const struct tidying *end, struct droplets *doomed)
{
	const struct fleet *f = end->fleet;
	const struct droplet *d;
	size_t i;

	for (i = 0; i < f->extra.n; i++)
		droplets_add(doomed, &f->extra.v[i]);
	for (i = 0; i < f->n && end->all; i++) {
		d = &f->v[i].droplet;
		if (d->id == 0 || f->v[i].is_adopted ||
		    droplets_find(doomed, d->id) != NULL)
			continue;
		droplets_add(doomed, d);
		if (doomed->v[doomed->n - 1].build[0] == '\0')
			strcpy(doomed->v[doomed->n - 1].build, f->v[i].build);
	}
}

static bool
has_doomed_runner(const struct tidying *end, const struct launch *l)
{
	return l->runner.mark[0] != '\0' &&
	    (end->all || l->is_adopted || l->droplet.id == 0);
}

static bool
is_doomed(const struct runner *r, void *arg)
{
	const struct tidying *end = arg;
	size_t i;

	for (i = 0; i < end->fleet->n; i++)
		if (has_doomed_runner(end, &end->fleet->v[i]) &&
		    strcmp(end->fleet->v[i].runner.mark, r->mark) == 0)
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
		log_notice("%s: droplet %lld %s is kept, and costs money until "
		    "it is deleted", l->build, (long long)l->droplet.id,
		    l->name);
		if (l->runner.id != 0)
			log_notice("%s: its runner %lld is kept", l->build,
			    (long long)l->runner.id);
	}
}

/* Those whose id GitLab has told. */
static void
collect_runners(const struct tidying *end, struct runners *known)
{
	const struct launch *l;
	size_t i;

	known->v = mem_zero(end->fleet->n + 1, sizeof(*known->v));
	for (i = 0; i < end->fleet->n; i++) {
		l = &end->fleet->v[i];
		if (!has_doomed_runner(end, l) || l->runner.id == 0)
			continue;
		known->v[known->n] = l->runner;
		known->v[known->n++].token = (struct buf)BUF_INIT;
	}
}

int
fleet_end(struct fleet *f, bool has_failed, bool keep, struct err *e)
{
	struct tidying end = {.fleet = f, .all = has_failed && !keep};
	struct tally failed = TALLY_INIT;
	struct droplets doomed = {.v = NULL};
	struct runners known = {.v = NULL};
	struct err one = ERR_INIT;
	bool runners = false, *gone;
	size_t i;

	/* what went well can still be interrupted, and is then a failure */
	if (has_failed)
		cleanup_tidy();
	f->cloud->deadline = clock_ms() + END_MS;
	look_for_unsure(f, &failed);
	collect(&end, &doomed);
	collect_runners(&end, &known);
	for (i = 0; i < f->n; i++)
		runners |= has_doomed_runner(&end, &f->v[i]);
	for (i = 0; i < doomed.n; i++)
		log_notice("%s: deleting droplet %lld %s, which this run has "
		    "made", doomed.v[i].build, (long long)doomed.v[i].id,
		    doomed.v[i].name);
	gone = mem_zero(doomed.n + 1, sizeof(*gone));
	if ((doomed.n > 0 || runners) && retire(f->cloud, f->gitlab, &doomed,
	    &known, is_doomed, &end, gone, &one) < 0)
		tally_add(&failed, &one);
	if (has_failed && keep)
		tell_what_stays(f);
	free(gone);
	runners_clear(&known);
	droplets_clear(&doomed);
	return tally_end(&failed, "clean-ups", e);
}
