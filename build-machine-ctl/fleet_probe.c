#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/fleet.h"
#include "build-machine-ctl/probe.h"
#include "lib/base/mem.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

static bool
is_active(const struct launch *l)
{
	return l->state != LAUNCH_FAILED && l->droplet.id != 0 &&
	    strcmp(l->droplet.status, "active") == 0 &&
	    l->droplet.private_ip[0] != '\0';
}

const char *
launch_lacks(const struct fleet *f, const struct launch *l)
{
	if (l->droplet.id == 0)
		return "DigitalOcean has not made it";
	if (!l->was_listed || l->n_misses > 1)
		return "DigitalOcean does not list it";
	if (f->wait == WAIT_NONE)
		return NULL;
	if (strcmp(l->droplet.status, "active") != 0)
		return "it is not active";
	if (l->droplet.private_ip[0] == '\0')
		return "it has no private address";
	if (f->wait >= WAIT_SSH && !l->has_ssh)
		return "port 22 of its private address does not answer as "
		    "sshd does (is this machine in its VPC?)";
	if (f->wait >= WAIT_RUNNER && !l->has_runner)
		return "its runner has not come online (on the machine, "
		    "/var/log/cloud-init-output.log says why)";
	return NULL;
}

/* One line for each step, once. */
static void
say_progress(struct fleet *f, struct launch *l)
{
	double spent = (double)(clock_ms() - f->started) / 1000;
	int step = l->has_runner ? 3 : l->has_ssh ? 2 : is_active(l) ? 1 : 0;

	if (step <= l->said)
		return;
	l->said = step;
	if (step == 1)
		log_notice("%s: active at %s after %.0f s", l->build,
		    l->droplet.private_ip, spent);
	else
		log_notice("%s: %s after %.0f s", l->build, step == 2 ?
		    "sshd answers" : "its runner is online", spent);
}

static void
probe_ssh(struct fleet *f)
{
	struct probe *v = mem_zero(f->n, sizeof(*v));
	struct launch **of = mem_zero(f->n, sizeof(struct launch *));
	int64_t left = f->cloud->deadline - clock_ms();
	size_t i, n = 0;

	for (i = 0; i < f->n; i++)
		if (is_active(&f->v[i]) && !f->v[i].has_ssh) {
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

static int64_t
runner_of(const struct launch *l)
{
	const char *tag;

	if (!l->is_adopted)
		return l->runner.id;
	tag = droplet_tag(&l->droplet, "runner");
	return tag ? strtoll(tag, NULL, 10) : 0;
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
	f->gitlab->deadline = f->cloud->deadline;
	if (runner_list(f->gitlab, true, &online, &e) < 0)
		log_detail("%s", e.text);
	for (i = 0; i < f->n; i++)
		if (f->v[i].has_ssh &&
		    runners_find(&online, runner_of(&f->v[i])) != NULL)
			f->v[i].has_runner = true;
	runners_clear(&online);
}

void
fleet_probe(struct fleet *f)
{
	struct err e = ERR_INIT;
	size_t i;

	if (f->wait >= WAIT_SSH)
		probe_ssh(f);
	if (f->wait >= WAIT_RUNNER)
		probe_runners(f);
	for (i = 0; i < f->n; i++) {
		if (f->v[i].state != LAUNCH_MADE)
			continue;
		say_progress(f, &f->v[i]);
		if (launch_lacks(f, &f->v[i]) == NULL) {
			f->v[i].state = LAUNCH_READY;
			launch_warn_of_others(f, &f->v[i]);
		} else if (f->wait == WAIT_RUNNER && runner_of(&f->v[i]) == 0) {
			err_set(&e, ERR_UNAVAILABLE, "droplet %lld has no "
			    "runner of its own: create --replace makes a new "
			    "machine", (long long)f->v[i].droplet.id);
			launch_fail(&f->v[i], &e);
		}
	}
}
