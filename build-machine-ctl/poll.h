/*
 * How often one asks: soon at first, then every few seconds, and seldom when
 * the API's rate limit comes near.
 *
 *	struct poll p = POLL_INIT;
 *	while (!done())
 *		if (poll_wait(&p, cloud, e) < 0)
 *			break;
 */
#ifndef POLL_H
#define POLL_H

#include "build-machine-ctl/cloud.h"

struct poll {
	int64_t interval;	/* ms */
};
#define POLL_INIT {.interval = 250}

/*
 * Waits until it is time to ask again. ERR_AGAIN at the cloud's deadline,
 * ERR_SIGNAL after a signal.
 */
int poll_wait(struct poll *p, const struct cloud *c, struct err *e);

#endif
