/*
 * The same work on many things, on all processors.
 */
#ifndef LIB_SYS_PAR_H
#define LIB_SYS_PAR_H

#include <stddef.h>

#include "lib/base/err.h"

/*
 * Calls work(i, arg, e) once for each i below n, on as many threads as there
 * are processors (at most n). Failures do not stop the others. With one
 * failure *e is that one; with more, each is printed, in order of i, and *e
 * counts them under the worst kind. A signal stops the hand-out of work.
 * Returns 0 or -1.
 */
int par_each(size_t n, int (*work)(size_t i, void *arg, struct err *e),
    void *arg, struct err *e);

#endif
