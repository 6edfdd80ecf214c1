#include "build-machine-ctl/row.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/sys/clock.h"

#define NUMBER_SIZE 24

static const struct report_column columns[] = {
	{"build", REPORT_TEXT}, {"id", REPORT_NUMBER}, {"name", REPORT_TEXT},
	{"status", REPORT_TEXT}, {"private-ip", REPORT_TEXT},
	{"public-ip", REPORT_TEXT}, {"age-seconds", REPORT_SECONDS},
	{"cost-usd", REPORT_NUMBER},
};
#define N_STATES 6

static const struct report_column end_columns[] = {
	{"build", REPORT_TEXT}, {"id", REPORT_NUMBER}, {"name", REPORT_TEXT},
	{"age-seconds", REPORT_SECONDS}, {"cost-usd", REPORT_NUMBER},
};

struct report *
row_open(enum row_kind kind, const struct tool_call *call)
{
	if (kind == ROW_END)
		return report_open(end_columns, COUNT(end_columns),
		    call->wants_json);
	return report_open(columns, kind == ROW_STATE ? N_STATES :
	    COUNT(columns), call->wants_json);
}

void
row_add(struct report *r, enum row_kind kind, const struct droplet *d,
    const struct conf *conf)
{
	char id[NUMBER_SIZE], age[NUMBER_SIZE], cost[COST_SIZE];
	int64_t now = clock_now();

	snprintf(id, sizeof(id), "%lld", (long long)d->id);
	snprintf(age, sizeof(age), "%lld", (long long)droplet_age(d, now));
	droplet_cost(d, now, strcmp(conf_get(conf, "digitalocean", "billing"),
	    "hour") == 0, cost);
	if (kind == ROW_END)
		report_row(r, d->build, id, d->name, age, cost);
	else	/* of a state the last two are not read */
		report_row(r, d->build, id, d->name, d->status, d->private_ip,
		    d->public_ip, age, cost);
}
