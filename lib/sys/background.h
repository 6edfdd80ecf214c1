/*
 * One piece of work beside the rest.
 *
 *	struct background *b = background_start(work, arg);
 *	... other work ...
 *	if (background_wait(&b, e) < 0) ...
 */
#ifndef LIB_SYS_BACKGROUND_H
#define LIB_SYS_BACKGROUND_H

#include "lib/base/err.h"

/* Calls work(arg, e) in a thread; where none can be made, at once. */
struct background *background_start(int (*work)(void *arg, struct err *e),
    void *arg);

/*
 * Waits, returns what work returned with its error, and sets *b to NULL. A
 * NULL *b is success: nothing was started, or it was waited for already.
 */
int background_wait(struct background **b, struct err *e);

#endif
