/*
 * Other programs: by argument vector, never through a shell; and the end of
 * every child, which is always waited for with a limit.
 *
 * Children get an empty mask and the signals' default actions; INT, TERM and
 * HUP stay ignored where a parent of ours has ignored them (nohup).
 */
#ifndef LIB_SYS_RUN_H
#define LIB_SYS_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

/*
 * Runs argv[0], found along PATH, with no standard input, its output into
 * *out (at most 64 KiB are kept; NULL: thrown away) and its stderr ours.
 * Waits for it, and not for what it leaves running.
 *
 * ERR_UNAVAILABLE if it cannot be started, fails or dies. After a signal
 * (ERR_SIGNAL) or so many seconds (ERR_AGAIN) it is ended, with all that it
 * has started in its process group.
 */
int run_wait(const char *const argv[], int seconds, struct buf *out,
    struct err *e);

/*
 * Waits for a child of ours to end, ms milliseconds at most, 0 for a look.
 * True when it has, with its wait status (waitpid(2)) in *status. Signals do
 * not end this.
 */
bool run_reap(pid_t pid, int64_t ms, int *status);

/*
 * Ends a child that leads a process group, and that group: SIGTERM, and
 * SIGKILL for what is left after ms milliseconds. Reaps the child.
 */
void run_end(pid_t pid, int64_t ms);

#endif
