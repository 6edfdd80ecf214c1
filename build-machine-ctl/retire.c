#include "build-machine-ctl/retire.h"

#include <stdlib.h>

#include "build-machine-ctl/removal.h"
#include "build-machine-ctl/tally.h"
#include "lib/mem.h"

static void
keep_doomed(struct runners *list, retire_runner *is_doomed, void *arg)
{
	size_t i, n = 0;

	for (i = 0; i < list->n; i++)
		if (is_doomed(&list->v[i], arg))
			list->v[n++] = list->v[i];
		else
			runner_clear(&list->v[i]);
	list->n = n;
}

/* Without [gitlab] a runner can only be told of. */
static void
tell_of_runners(const struct droplets *doomed, struct tally *failed)
{
	struct err one = ERR_INIT;
	const char *id;
	size_t i;

	for (i = 0; i < doomed->n; i++) {
		id = droplet_tag(&doomed->v[i], "runner");
		if (id == NULL)
			continue;
		err_set(&one, ERR_CONFIG, "%s: runner %s is left: set [gitlab] "
		    "project and a token, and run delete again",
		    doomed->v[i].build, id);
		tally_add(failed, &one);
	}
}

int
retire(struct cloud *c, struct gitlab *g, const struct droplets *doomed,
    retire_runner *is_doomed, void *arg, bool *gone, struct err *e)
{
	struct tally failed = TALLY_INIT;
	struct runners runners = {.v = NULL};
	struct err one = ERR_INIT;

	g->deadline = c->deadline;
	if (g->http == NULL) {
		tell_of_runners(doomed, &failed);
	} else if (runner_list(g, false, &runners, &one) < 0) {
		err_wrap(&one, "the machines' runners are left");
		tally_add(&failed, &one);
	}
	keep_doomed(&runners, is_doomed, arg);
	runner_pause(g, &runners);
	if (removal_run(c, doomed, gone, &one) < 0)
		tally_add(&failed, &one);
	if (runner_delete(g, &runners, &one) < 0)
		tally_add(&failed, &one);
	runners_clear(&runners);
	return tally_end(&failed, "clean-ups", e);
}
