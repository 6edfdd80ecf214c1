#include "build-machine-ctl/cmd.h"
#include "build-machine-ctl/end.h"

static bool
is_asked_for(const char *build, const struct strv *builds)
{
	return options.all || strv_has(builds, build);
}

static bool
is_doomed(const struct droplet *d, void *arg)
{
	return is_asked_for(d->build, arg);
}

/* All of the build's, those that killed runs have left, too. */
static bool
is_doomed_runner(const struct runner *r, const struct droplets *chosen,
    const struct droplets *living, void *arg)
{
	(void)chosen, (void)living;
	return is_asked_for(r->build, arg);
}

int
cmd_delete(const struct tool_call *call, struct err *e)
{
	struct strv builds = STRV_INIT;
	struct end_choice choice = {is_doomed, is_doomed_runner, &builds};
	int status = machine_builds(call, &builds, e);

	if (status == 0 && (builds.n == 0) != options.all)
		status = err_set(e, ERR_USAGE, "'delete' needs either builds "
		    "or --all");
	if (status == 0)
		status = end_chosen(call, &choice, e);
	strv_clear(&builds);
	return status;
}
