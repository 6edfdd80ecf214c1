/*
 * What the verbs print of a machine, one record a line.
 *
 *	struct report *r = row_open(ROW_COST, call);
 *	row_add(r, ROW_COST, &droplet, call->conf);
 *	report_close(r, e);
 */
#ifndef ROW_H
#define ROW_H

#include "build-machine-ctl/droplet.h"
#include "lib/frame/report.h"
#include "lib/frame/tool.h"

enum row_kind {
	ROW_STATE,	/* build id name status private-ip public-ip */
	ROW_COST,	/* the same, and age-seconds cost-usd */
	ROW_END		/* build id name age-seconds cost-usd */
};

struct report *row_open(enum row_kind kind, const struct tool_call *call);
void row_add(struct report *r, enum row_kind kind, const struct droplet *d,
    const struct conf *conf);

#endif
