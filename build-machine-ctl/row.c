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

static const struct report_column deleted_columns[] = {
	{"build", REPORT_TEXT}, {"id", REPORT_NUMBER}, {"name", REPORT_TEXT},
	{"age-seconds", REPORT_SECONDS}, {"cost-usd", REPORT_NUMBER},
};

struct figures {
	char id[NUMBER_SIZE];
	char age[NUMBER_SIZE];
	char cost[COST_SIZE];
};

static void
format(const struct droplet *d, const struct conf *conf, struct figures *f)
{
	int64_t now = clock_now();
	bool by_hour = conf != NULL &&
	    strcmp(conf_get(conf, "digitalocean", "billing"), "hour") == 0;

	snprintf(f->id, sizeof(f->id), "%lld", (long long)d->id);
	snprintf(f->age, sizeof(f->age), "%lld",
	    (long long)droplet_age(d, now));
	droplet_cost(d, now, by_hour, f->cost);
}

struct report *
row_open_states(const struct tool_call *call)
{
	return report_open(columns, N_STATES, call->wants_json);
}

void
row_state(struct report *r, const struct droplet *d)
{
	struct figures f;

	format(d, NULL, &f);
	report_row(r, d->build, f.id, d->name, d->status, d->private_ip,
	    d->public_ip);
}

struct report *
row_open_costs(const struct tool_call *call)
{
	return report_open(columns, COUNT(columns), call->wants_json);
}

void
row_cost(struct report *r, const struct droplet *d, const struct conf *conf)
{
	struct figures f;

	format(d, conf, &f);
	report_row(r, d->build, f.id, d->name, d->status, d->private_ip,
	    d->public_ip, f.age, f.cost);
}

struct report *
row_open_deleted(const struct tool_call *call)
{
	return report_open(deleted_columns, COUNT(deleted_columns),
	    call->wants_json);
}

void
row_deleted(struct report *r, const struct droplet *d, const struct conf *conf)
{
	struct figures f;

	format(d, conf, &f);
	report_row(r, d->build, f.id, d->name, f.age, f.cost);
}
