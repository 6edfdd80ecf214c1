/*
 * The end of machines: their runners take no new jobs, the droplets are
 * deleted, proven, and then the runners are deleted, too.
 */
#ifndef RETIRE_H
#define RETIRE_H

#include "build-machine-ctl/cloud.h"
#include "build-machine-ctl/runner.h"

/* Which of our runners go, too. */
typedef bool retire_runner(const struct runner *r, void *arg);

/*
 * A failure at GitLab, or its silence, keeps no droplet alive. `known` are
 * runners that go even if GitLab does not list them. gone[i] is set where
 * doomed->v[i] is proven to be gone. The error names all that is left.
 */
int retire(struct cloud *c, struct gitlab *g, const struct droplets *doomed,
    const struct runners *known, retire_runner *is_doomed, void *arg,
    bool *gone, struct err *e);

#endif
