#include "build-machine-ctl/ending.h"

#include <stdlib.h>

#include "build-machine-ctl/row.h"
#include "lib/base/mem.h"
#include "lib/sys/log.h"
#include "lib/sys/tally.h"

struct ending {
	const struct choice *choice;
	struct droplets chosen;
	struct droplets living;
};

static bool
takes_runner(const struct runner *r, void *arg)
{
	struct ending *end = arg;

	return end->choice->takes_runner(r, &end->chosen, &end->living,
	    end->choice->arg);
}

static void
choose(struct ending *end, const struct droplets *list)
{
	const struct choice *choice = end->choice;
	size_t i;

	for (i = 0; i < list->n; i++)
		droplets_add(choice->takes_droplet(&list->v[i], choice->arg) ?
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
		if (takes_runner(&runners.v[i], end))
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
	const struct runners none = {.v = NULL};
	int status = retire(cloud, gitlab, &end->chosen, &none, takes_runner,
	    end, gone, e);

	report = row_open_deleted(call);
	for (i = 0; i < end->chosen.n; i++)
		if (gone[i])
			row_deleted(report, &end->chosen.v[i], call->conf);
	if (report_close(report, &printing) < 0 && status == 0) {
		*e = printing;
		status = -1;
	}
	free(gone);
	return status;
}

int
ending_run(const struct tool_call *call, const struct choice *choice,
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
	status = tally_end(&failed, "parts of it", e);
	droplets_clear(&list);
	droplets_clear(&end.chosen);
	droplets_clear(&end.living);
	gitlab_close(&gitlab);
	cloud_close(&cloud);
	return status;
}
