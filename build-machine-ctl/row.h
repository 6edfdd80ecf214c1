/*
 * What the verbs print of a machine, one record a line.
 */
#ifndef ROW_H
#define ROW_H

#include "build-machine-ctl/droplet.h"
#include "lib/frame/report.h"
#include "lib/frame/tool.h"

/* build id name status private-ip public-ip */
struct report *row_open_states(const struct tool_call *call);
void row_state(struct report *r, const struct droplet *d);

/* The same, and age-seconds cost-usd. */
struct report *row_open_costs(const struct tool_call *call);
void row_cost(struct report *r, const struct droplet *d,
    const struct conf *conf);

/* build id name age-seconds cost-usd: of what is deleted */
struct report *row_open_deleted(const struct tool_call *call);
void row_deleted(struct report *r, const struct droplet *d,
    const struct conf *conf);

#endif
