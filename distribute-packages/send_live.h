/*
 * What is live on the repository server, as far as it can be believed.
 */
#ifndef SEND_LIVE_H
#define SEND_LIVE_H

#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/ssh/remote.h"
#include "lib/tree/manifest.h"
#include "lib/tree/tree.h"

struct live_query {
	const struct conf *conf;
	const struct remote_target *target;
	const char *inbox;
	const struct tree *tree;	/* our newest: it has the keys */
};

/*
 * Reads LIVE/ in the inbox. *live stays empty, of serial 0, where there is
 * none, or one that we have not signed, which is said. -1: not to be reached.
 */
int live_find(const struct live_query *q, struct manifest *live,
    struct err *e);

#endif
