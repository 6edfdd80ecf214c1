/*
 * Where another key than ours has signed a published rpm (the key was changed,
 * or a generation from before that comes back), it is signed again.
 */
#ifndef RPM_RESIGN_H
#define RPM_RESIGN_H

#include "distribute-packages/keys.h"
#include "distribute-packages/store.h"
#include "distribute-packages/suite.h"

/*
 * Makes new objects of such rpms of the suite, and new entries for its lists.
 */
int rpm_resign(struct suite *s, const struct store *store, struct keys *keys,
    int64_t date, struct err *e);

#endif
