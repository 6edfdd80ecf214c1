/*
 * What delete and reap share: they choose droplets and runners of ours, which
 * then go, and are printed with what they have cost.
 */
#ifndef ENDING_H
#define ENDING_H

#include "build-machine-ctl/cmd.h"
#include "build-machine-ctl/retire.h"

struct choice {
	bool (*takes_droplet)(const struct droplet *d, void *arg);
	/*
	 * Asked of each runner of ours; `living` are all our droplets that are
	 * not chosen.
	 */
	bool (*takes_runner)(const struct runner *r,
	    const struct droplets *chosen, const struct droplets *living,
	    void *arg);
	void *arg;
};

/* Opens both services, chooses, deletes (or says so), prints, and closes. */
int ending_run(const struct tool_call *call, const struct choice *choice,
    struct err *e);

#endif
