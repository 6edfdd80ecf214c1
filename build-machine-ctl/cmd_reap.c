#include <stdlib.h>

#include "build-machine-ctl/cmd.h"
#include "build-machine-ctl/end.h"
#include "lib/sys/clock.h"

struct limits {
	int64_t now;
	int64_t older_than;	/* seconds; 0: not asked for */
	int64_t ttl;
};

static bool
is_doomed(const struct droplet *d, void *arg)
{
	const struct limits *limits = arg;
	int64_t expires = droplet_expires(d);

	if (limits->older_than > 0 &&
	    droplet_age(d, limits->now) >= limits->older_than)
		return true;
	return options.expired && expires > 0 && expires <= limits->now;
}

static bool
is_runner_of(const struct droplets *list, const struct runner *r)
{
	const char *id;
	size_t i;

	for (i = 0; i < list->n; i++) {
		id = droplet_tag(&list->v[i], "runner");
		if (id != NULL && strtoll(id, NULL, 10) == r->id)
			return true;
	}
	return false;
}

/* Those of the machines that go, and those whose machine has gone long ago. */
static bool
is_doomed_runner(const struct runner *r, const struct droplets *chosen,
    const struct droplets *living, void *arg)
{
	const struct limits *limits = arg;
	int64_t age = limits->now - r->made;

	if (is_runner_of(chosen, r))
		return true;
	if (is_runner_of(living, r))
		return false;
	return (limits->older_than > 0 && age >= limits->older_than) ||
	    (options.expired && age >= limits->ttl);
}

int
cmd_reap(const struct tool_call *call, struct err *e)
{
	struct limits limits = {.now = clock_now(),
	    .ttl = conf_duration(call->conf, "digitalocean", "ttl")};
	struct end_choice choice = {is_doomed, is_doomed_runner, &limits};

	if (options.older_than == NULL && !options.expired)
		return err_set(e, ERR_USAGE, "'reap' needs --older-than or "
		    "--expired");
	if (options.older_than != NULL &&
	    (!conf_parse_duration(options.older_than, &limits.older_than) ||
	    limits.older_than == 0))
		return err_set(e, ERR_USAGE, "--older-than '%s' is not a "
		    "time like 90s, 15m, 6h or 2d", options.older_than);
	return end_chosen(call, &choice, e);
}
