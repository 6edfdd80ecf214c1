/*
 * Deleting droplets, proven: DigitalOcean says 204 long before one is gone,
 * refuses while an event of it is pending (422), and forgets a DELETE that
 * comes too early. One is gone when the API answers 404 for it.
 */
#ifndef REMOVAL_H
#define REMOVAL_H

#include "build-machine-ctl/cloud.h"
#include "build-machine-ctl/droplet.h"

/*
 * Deletes them all at once and waits until the cloud's deadline. gone[i] tells
 * of each whether it is proven; those that are not, and cost money on, are in
 * the error with id and name.
 */
int removal_run(struct cloud *c, const struct droplets *doomed, bool *gone,
    struct err *e);

#endif
