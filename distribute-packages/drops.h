/*
 * Drops of packages that are no longer needed are removed from the inbox:
 * those that the live generation or an earlier one was made of, those that are
 * older than [repository] drop-age, but for those of the release that is being
 * worked on, and halves (.part) to which nothing was added for a day. Nothing
 * else in the inbox is touched.
 */
#ifndef DROPS_H
#define DROPS_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/frame/conf.h"

/*
 * served: names of drops that a live generation was made of; release: the one
 * being worked on. What cannot be removed only causes a warning.
 * Hold the lock of the state, so that nobody reads what is removed.
 */
void drops_tidy(const struct conf *conf, const struct strv *served,
    const char *release, bool is_dry_run);

#endif
