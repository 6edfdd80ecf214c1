#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/cmd.h"
#include "build-machine-ctl/end.h"
#include "build-machine-ctl/fleet.h"
#include "build-machine-ctl/row.h"
#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/log.h"

struct create {
	const struct tool_call *call;
	struct strv builds;
	struct cloud cloud;
	struct gitlab gitlab;
	struct fleet fleet;
};

static int
parse_wait(enum wait_level *level, struct err *e)
{
	static const char *const names[] = {"none", "active", "ssh", "runner"};
	size_t i;

	*level = WAIT_SSH;
	if (options.wait == NULL)
		return 0;
	for (i = 0; i < COUNT(names); i++)
		if (strcmp(options.wait, names[i]) == 0) {
			*level = (enum wait_level)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "--wait '%s' must be none, active, ssh "
	    "or runner", options.wait);
}

/* Whether GitLab is needed at all. */
static bool
needs_runners(const struct create *c, enum wait_level level)
{
	const char *text;
	size_t i;

	for (i = 0; i < c->builds.n; i++) {
		text = machine_setting(c->call->conf, c->builds.v[i],
		    "user-data");
		if (text != NULL && strcmp(text, "enrol") == 0)
			return true;
	}
	return level == WAIT_RUNNER || options.replace;
}

static int
create_open(struct create *c, struct err *e)
{
	enum wait_level level;
	int64_t timeout;

	if (parse_wait(&level, e) < 0 || cmd_timeout(&timeout, e) < 0 ||
	    machine_builds(c->call, &c->builds, e) < 0 ||
	    cloud_open(&c->cloud, c->call->conf, timeout, e) < 0)
		return -1;
	if (needs_runners(c, level) && gitlab_open(&c->gitlab, c->call->conf,
	    c->cloud.deadline, e) < 0)
		return -1;
	return fleet_open(&c->fleet, c->call->conf, &c->cloud, &c->gitlab,
	    level, &c->builds, e);
}

/* ----------------------------------------------------------- --replace */

static bool
is_of_builds(const struct runner *r, void *arg)
{
	return strv_has(arg, r->build);
}

static int
replace(struct create *c, struct err *e)
{
	struct droplets list = {.v = NULL}, doomed = {.v = NULL};
	size_t i;
	int status = cloud_list(&c->cloud, &list, e);

	for (i = 0; i < list.n; i++)
		if (strv_has(&c->builds, list.v[i].build)) {
			log_notice("%s: %s droplet %lld %s, to be replaced",
			    list.v[i].build, c->call->is_dry_run ?
			    "would delete" : "deleting",
			    (long long)list.v[i].id, list.v[i].name);
			droplets_add(&doomed, &list.v[i]);
		}
	if (status == 0 && !c->call->is_dry_run)
		status = end_machines(&c->cloud, &c->gitlab, &doomed, NULL,
		    is_of_builds, &c->builds, NULL, e);
	droplets_clear(&doomed);
	droplets_clear(&list);
	return status;
}

/* ---------------------------------------------------------------- create */

static void
tell_plan(const struct create *c)
{
	const struct launch *l;
	size_t i;

	for (i = 0; i < c->fleet.n; i++) {
		l = &c->fleet.v[i];
		if (l->state != LAUNCH_WANTED)
			continue;
		log_notice("%s: would make %s: image %lld, size %s, region "
		    "%s%s", l->build, l->name, (long long)l->image,
		    machine_setting(c->call->conf, l->build, "size"),
		    machine_setting(c->call->conf, l->build, "region"),
		    l->enrols ? ", with a runner of its own" : "");
	}
}

static int
print(const struct create *c, struct err *e)
{
	struct report *report = row_open(ROW_STATE, c->call);
	size_t i;

	for (i = 0; i < c->fleet.n; i++)
		if (c->fleet.v[i].droplet.id != 0)
			row_add(report, ROW_STATE, &c->fleet.v[i].droplet,
			    c->call->conf);
	return report_close(report, e);
}

/* What is left of a failure is said last: it costs money. */
static int
fail(struct create *c, struct err *e)
{
	struct err ending = ERR_INIT, stop = ERR_INIT, printing = ERR_INIT;
	bool is_interrupted = cleanup_check(&stop) < 0;
	int status = fleet_end(&c->fleet, true, options.keep, &ending);

	if (options.keep && print(c, &printing) < 0)
		log_error("%s", printing.text);
	if (status < 0) {
		log_error("%s", e->text);
		ending.kind = err_worst(e->kind, ending.kind);
		*e = ending;
	}
	if (is_interrupted)
		e->kind = ERR_SIGNAL;
	return -1;
}

static int
make(struct create *c, struct err *e)
{
	int status = fleet_run(&c->fleet, e);

	if (status == 0)
		status = fleet_end(&c->fleet, false, options.keep, e);
	if (status == 0)
		status = cleanup_check(e);
	/* what nobody was told of would be left */
	if (status == 0)
		status = print(c, e);
	return status == 0 ? 0 : fail(c, e);
}

static int
create(struct create *c, struct err *e)
{
	if (options.replace && replace(c, e) < 0)
		return -1;
	if (!(options.replace && c->call->is_dry_run) &&
	    fleet_adopt(&c->fleet, e) < 0)
		return -1;
	if (fleet_prepare(&c->fleet, e) < 0)
		return -1;
	if (c->call->is_dry_run) {
		tell_plan(c);
		return 0;
	}
	return make(c, e);
}

int
cmd_create(const struct tool_call *call, struct err *e)
{
	struct create c = {.call = call, .cloud = CLOUD_INIT,
	    .gitlab = GITLAB_INIT, .fleet = FLEET_INIT};
	int status = create_open(&c, e);

	if (status == 0)
		status = create(&c, e);
	fleet_close(&c.fleet);
	gitlab_close(&c.gitlab);
	cloud_close(&c.cloud);
	strv_clear(&c.builds);
	return status;
}
