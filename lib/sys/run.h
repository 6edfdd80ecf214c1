/*
 * Running another program: by argument vector, never through a shell.
 */
#ifndef LIB_SYS_RUN_H
#define LIB_SYS_RUN_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/*
 * Runs argv[0], found along PATH, with no standard input, its output into
 * *out (at most 64 KiB are kept; NULL: thrown away) and its stderr ours.
 * Waits for it. ERR_UNAVAILABLE if it cannot be started, fails or dies.
 */
int run_wait(const char *const argv[], struct buf *out, struct err *e);

#endif
