#include "build-machine-ctl/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/image.h"
#include "build-machine-ctl/user_data.h"
#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

/* Listings in a row that make no sense, before that is believed. */
#define MOST_GARBLED 3

int
launch_fail(struct launch *l, const struct err *e)
{
	l->error = *e;
	err_wrap(&l->error, "%s", l->build);
	l->state = LAUNCH_FAILED;
	return -1;
}

/* -------------------------------------------------------------- opening */

static int
launch_open(struct fleet *f, struct launch *l, const char *build,
    struct err *e)
{
	l->build = build;
	l->name = machine_name(f->conf, build, e);
	if (l->name == NULL)
		return -1;
	if (machine_setting(f->conf, build, "image") == NULL)
		return err_set(e, ERR_CONFIG, "set image in [machine %s]",
		    build);
	if (user_data_read(f->conf, build, f->gitlab->http != NULL,
	    &l->user_data, &l->enrols, e) < 0)
		return -1;
	if (f->wait == WAIT_RUNNER && !l->enrols)
		return err_set(e, ERR_CONFIG, "--wait runner needs user-data = "
		    "enrol in [machine %s]: without it the machine has no "
		    "runner of its own", build);
	return 0;
}

int
fleet_open(struct fleet *f, const struct conf *conf, struct cloud *cloud,
    struct gitlab *gitlab, enum wait_level wait, const struct strv *builds,
    struct err *e)
{
	struct tally failed = TALLY_INIT;
	struct err one = ERR_INIT;
	size_t i;

	f->conf = conf;
	f->cloud = cloud;
	f->gitlab = gitlab;
	f->wait = wait;
	f->n = builds->n;
	f->v = mem_zero(f->n, sizeof(*f->v));
	f->started = clock_ms();
	for (i = 0; i < f->n; i++)
		if (launch_open(f, &f->v[i], builds->v[i], &one) < 0)
			tally_add(&failed, &one);
	return tally_end(&failed, "machines", e);
}

void
fleet_close(struct fleet *f)
{
	struct launch *l;
	size_t i;

	for (i = 0; i < f->n; i++) {
		l = &f->v[i];
		free(l->name);
		droplet_clear(&l->droplet);
		buf_wipe(&l->user_data);
		runner_clear(&l->runner);
		strv_clear(&l->attempts);
	}
	free(f->v);
	droplets_clear(&f->listed);
	droplets_clear(&f->extra);
	*f = (struct fleet)FLEET_INIT;
}

/* ------------------------------------------------------------ preparing */

int
fleet_adopt(struct fleet *f, struct err *e)
{
	size_t i;

	if (cloud_list(f->cloud, &f->listed, e) < 0)
		return -1;
	for (i = 0; i < f->n; i++)
		launch_look(f, &f->v[i]);
	return 0;
}

/* The machines of several builds often have one image. */
static const struct launch *
find_same_image(const struct fleet *f, const struct launch *l)
{
	const struct launch *other;

	for (other = f->v; other < l; other++)
		if (other->image != 0 &&
		    strcmp(machine_setting(f->conf, other->build, "image"),
		    machine_setting(f->conf, l->build, "image")) == 0 &&
		    strcmp(machine_setting(f->conf, other->build, "region"),
		    machine_setting(f->conf, l->build, "region")) == 0)
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
	status = image_find(f->cloud,
	    machine_setting(f->conf, l->build, "image"),
	    machine_setting(f->conf, l->build, "region"), &image, e);
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
		runner_make(f->gitlab, v, errors, n);
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

/* -------------------------------------------------------------- running */

static size_t
count(const struct fleet *f, enum launch_state state)
{
	size_t i, n = 0;

	for (i = 0; i < f->n; i++)
		n += f->v[i].state == state;
	return n;
}

/* Not ready in time, or interrupted: each says how far it came. */
static void
stop(struct fleet *f, const struct err *why)
{
	struct err one;
	const char *what;
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (f->v[i].state == LAUNCH_FAILED ||
		    f->v[i].state == LAUNCH_READY)
			continue;
		if (why->kind != ERR_AGAIN) {
			one = *why;
		} else if (f->v[i].error.kind != ERR_NONE) {
			one = f->v[i].error;
			err_wrap(&one, "%s", why->text);
		} else {
			what = launch_lacks(f, &f->v[i]);
			if (f->v[i].droplet.id != 0)
				err_set(&one, ERR_AGAIN, "%s: droplet %lld: %s",
				    why->text, (long long)f->v[i].droplet.id,
				    what);
			else
				err_set(&one, ERR_AGAIN, "%s: %s", why->text,
				    what);
		}
		launch_fail(&f->v[i], &one);
	}
}

static int
look(struct fleet *f, struct err *e)
{
	size_t i;

	if (cloud_list(f->cloud, &f->listed, e) < 0) {
		if (e->kind != ERR_AGAIN && (e->kind != ERR_PROTOCOL ||
		    ++f->n_garbled > MOST_GARBLED))
			return -1;
		log_detail("%s", e->text);
		return 0;
	}
	f->n_garbled = 0;
	for (i = 0; i < f->n; i++)
		launch_look(f, &f->v[i]);
	fleet_inquire(f);
	return 0;
}

int
fleet_run(struct fleet *f, struct err *e)
{
	struct poll poll = POLL_INIT;
	struct err why = ERR_INIT;

	if (make_runners(f) < 0)
		return report(f, e);
	for (;;) {
		fleet_post(f);
		if (count(f, LAUNCH_FAILED) > 0)
			break;
		if (look(f, &why) < 0 || cleanup_check(&why) < 0) {
			stop(f, &why);
			break;
		}
		fleet_probe(f);
		if (count(f, LAUNCH_READY) == f->n ||
		    count(f, LAUNCH_FAILED) > 0)
			break;
		log_status("%zu of %zu ready, %lld s", count(f, LAUNCH_READY),
		    f->n, (long long)(clock_ms() - f->started) / 1000);
		if (poll_wait(&poll, f->cloud, &why) < 0) {
			stop(f, &why);
			break;
		}
	}
	log_status("%s", "");
	return report(f, e);
}
