#include <stdio.h>
#include <string.h>

#include "build-machine-ctl/fleet.h"
#include "lib/base/mem.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

/* A new droplet is asked about when it takes longer than this. */
#define LATE_MS 5000
/* Nothing knows it for this long: it has vanished. */
#define VANISHED_MS 60000
/* The same of one that was seen, or whose creation is completed. */
#define DELETED_MS 4000
/* seconds that an adopted machine should still have */
#define SOON 3600

bool
launch_owns(const struct launch *l, const struct droplet *d)
{
	size_t i;

	for (i = 0; i < l->attempts.n; i++)
		if (droplet_has_tag(d, l->attempts.v[i]))
			return true;
	return false;
}

/* ----------------------------------------------------- what is there */

/* The droplets are sorted: the first one found has the lowest id. */
static const struct droplet *
find_lowest(const struct fleet *f, const struct launch *l, bool own)
{
	size_t i;

	for (i = 0; i < f->listed.n; i++)
		if (strcmp(f->listed.v[i].build, l->build) == 0 &&
		    launch_owns(l, &f->listed.v[i]) == own &&
		    droplets_find(&f->extra, f->listed.v[i].id) == NULL)
			return &f->listed.v[i];
	return NULL;
}

static void
set_aside(struct fleet *f, const struct launch *l, const struct droplet *d)
{
	if (droplets_find(&f->extra, d->id) != NULL)
		return;
	log_notice("%s: droplet %lld is one too many: it is deleted",
	    l->build, (long long)d->id);
	droplets_add(&f->extra, d);
}

/*
 * This is its droplet now. One that it had before, and that is perhaps in no
 * listing yet, is one too many.
 */
static void
see(struct fleet *f, struct launch *l, const struct droplet *d)
{
	if (l->droplet.id != d->id) {
		if (l->droplet.id != 0 && !l->is_adopted)
			set_aside(f, l, &l->droplet);
		l->has_ssh = l->has_runner = false;
		l->said = 0;
	}
	droplet_clear(&l->droplet);
	droplet_copy(&l->droplet, d);
	l->state = LAUNCH_MADE;
	if (l->attempts.n > 0 &&
	    droplet_has_tag(d, l->attempts.v[l->attempts.n - 1]))
		l->is_unsure = false;
	l->error = (struct err)ERR_INIT;
	l->n_misses = 0;
	l->missing = 0;
	l->was_listed = true;
}

/* One that ends itself, or is reaped, in the middle of a job is of no use. */
static void
check_expiry(struct launch *l)
{
	int64_t left = droplet_expires(&l->droplet) - clock_now();
	struct err e = ERR_INIT;

	if (droplet_expires(&l->droplet) == 0 || left > SOON)
		return;
	if (left > 0) {
		log_warning("%s: droplet %lld expires in %lld minutes",
		    l->build, (long long)l->droplet.id, (long long)left / 60);
		return;
	}
	err_set(&e, ERR_UNAVAILABLE, "droplet %lld '%s' is there, and has "
	    "expired: create --replace makes a new one, reap --expired deletes "
	    "it", (long long)l->droplet.id, l->name);
	launch_fail(l, &e);
}

static void
adopt(struct fleet *f, struct launch *l, const struct droplet *d)
{
	log_notice("%s: droplet %lld %s is there already: adopted", l->build,
	    (long long)d->id, d->name);
	see(f, l, d);
	l->is_adopted = true;
	l->action = 0;
	check_expiry(l);
}

/* Those of ours that are not the machine are not needed. */
static void
set_others_aside(struct fleet *f, const struct launch *l)
{
	const struct droplet *d;
	size_t i;

	for (i = 0; i < f->listed.n; i++) {
		d = &f->listed.v[i];
		if (d->id != l->droplet.id && launch_owns(l, d) &&
		    strcmp(d->build, l->build) == 0)
			set_aside(f, l, d);
	}
}

void
launch_warn_of_others(const struct fleet *f, struct launch *l)
{
	size_t i;

	for (i = 0; i < f->listed.n && !l->has_warned; i++)
		if (strcmp(f->listed.v[i].build, l->build) == 0 &&
		    f->listed.v[i].id != l->droplet.id &&
		    !launch_owns(l, &f->listed.v[i])) {
			log_warning("%s: there is another droplet of it, %lld, "
			    "which costs money: if no other run is at work, "
			    "create --replace leaves just one", l->build,
			    (long long)f->listed.v[i].id);
			l->has_warned = true;
		}
}

static void
miss(struct launch *l)
{
	if (l->n_misses++ == 0 || l->missing == 0)
		l->missing = clock_ms();
	if (l->state == LAUNCH_READY && l->n_misses > 1)
		l->state = LAUNCH_MADE;
	/* long enough, and often enough, that a late listing would show it */
	if (l->state != LAUNCH_UNSURE || l->n_misses < UNSURE_LISTINGS ||
	    clock_ms() - l->posted < UNSURE_MS)
		return;
	log_notice("%s: it was not made: trying again", l->build);
	l->is_unsure = false;
	l->state = LAUNCH_WANTED;
}

static void
check_status(struct launch *l)
{
	struct err e = ERR_INIT;

	if (strcmp(l->droplet.status, "off") != 0 &&
	    strcmp(l->droplet.status, "archive") != 0)
		return;
	err_set(&e, ERR_UNAVAILABLE, "droplet %lld '%s' is switched off: "
	    "create --replace makes a new one", (long long)l->droplet.id,
	    l->name);
	launch_fail(l, &e);
}

void
launch_look(struct fleet *f, struct launch *l)
{
	const struct droplet *other = find_lowest(f, l, false);
	const struct droplet *mine = find_lowest(f, l, true);

	if (l->state == LAUNCH_FAILED)
		return;
	if (l->is_adopted && l->state != LAUNCH_WANTED)
		/* what else there is of the build is not ours to judge */
		mine = droplets_find(&f->listed, l->droplet.id), other = NULL;
	if (mine == NULL && l->state != LAUNCH_WANTED)
		miss(l);
	if (other != NULL && (mine == NULL ? l->state == LAUNCH_WANTED :
	    other->id < mine->id))
		adopt(f, l, other);
	else if (mine != NULL)
		see(f, l, mine);
	if (l->state != LAUNCH_MADE && l->state != LAUNCH_READY)
		return;
	set_others_aside(f, l);
	check_status(l);
}

/* -------------------------------------------------- what became of it */

static bool
is_late(const struct launch *l)
{
	if (l->state != LAUNCH_MADE)
		return false;
	if (l->n_misses > 1)
		return true;
	return strcmp(l->droplet.status, "new") == 0 && l->action != 0 &&
	    clock_ms() - l->posted > LATE_MS;
}

/*
 * Its droplet is not wanted, and another one is: it is made again, but where
 * that takes what only the first one had.
 */
static void
launch_again(struct fleet *f, struct launch *l, const struct err *why)
{
	struct err e = *why;

	if (l->is_adopted || (l->enrols &&
	    strcmp(l->droplet.status, "new") != 0)) {
		err_wrap(&e, "droplet %lld", (long long)l->droplet.id);
		launch_fail(l, &e);
		return;
	}
	log_warning("%s: droplet %lld: %s: making another one", l->build,
	    (long long)l->droplet.id, why->text);
	if (droplets_find(&f->extra, l->droplet.id) == NULL)
		droplets_add(&f->extra, &l->droplet);
	droplet_clear(&l->droplet);
	l->has_ssh = l->has_runner = false;
	l->said = 0;
	l->state = LAUNCH_WANTED;
	l->error = *why;
	l->action = 0;
}

static struct json *
ask_about_action(struct fleet *f, const struct launch *l, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/v2/actions/%lld", (long long)l->action);
	return cloud_get(f->cloud, path, e);
}

/* True if the droplet itself is known. */
static bool
is_known(struct fleet *f, struct launch *l, bool *is_unknown)
{
	struct err e = ERR_INIT;
	struct droplet d = {.id = 0};
	struct json *j;
	char path[64];
	bool known = false;

	snprintf(path, sizeof(path), "/v2/droplets/%lld",
	    (long long)l->droplet.id);
	j = cloud_get(f->cloud, path, &e);
	*is_unknown = j == NULL && e.kind == ERR_MISSING;
	if (j != NULL && droplet_read(&d, json_at(j, "droplet"), &e) == 0 &&
	    d.id == l->droplet.id && strcmp(d.name, l->name) == 0) {
		snprintf(d.build, sizeof(d.build), "%s", l->build);
		see(f, l, &d);
		known = true;
	}
	droplet_clear(&d);
	json_free(j);
	return known;
}

static void
inquire(struct fleet *f, struct launch *l)
{
	bool is_missing = l->n_misses > 1, is_unknown = false;
	struct err e = ERR_INIT, why = ERR_INIT;
	int64_t limit = VANISHED_MS;
	struct json *j = NULL;
	const char *status = NULL;

	if (l->action != 0)
		j = ask_about_action(f, l, &e);
	status = json_string(j, "action.status");
	if (status != NULL && strcmp(status, "errored") == 0) {
		err_set(&why, ERR_AGAIN, "its creation has failed at "
		    "DigitalOcean (action %lld)", (long long)l->action);
		launch_again(f, l, &why);
	} else if (is_missing && !is_known(f, l, &is_unknown) && is_unknown) {
		if (l->was_listed || (status != NULL &&
		    strcmp(status, "completed") == 0))
			limit = DELETED_MS;
		err_set(&why, ERR_AGAIN, "DigitalOcean does not know it "
		    "any more");
		if (clock_ms() - l->missing > limit)
			launch_again(f, l, &why);
	}
	json_free(j);
}

void
fleet_inquire(struct fleet *f)
{
	struct launch *l;
	size_t i;

	for (i = 0; i < f->n; i++) {
		l = &f->v[f->turn++ % f->n];
		if (is_late(l)) {
			inquire(f, l);
			return;
		}
	}
}
