/*
 * A TCP connection that is made in time, and that notices when the server is
 * gone.
 */
#ifndef LIB_SSH_CONNECT_H
#define LIB_SSH_CONNECT_H

#include <stdint.h>

#include "lib/base/err.h"

#define SLICE_MS 200	/* how long a signal may go unnoticed */

/*
 * The descriptor, which is non-blocking, or -1. The deadline is one of
 * clock_ms. ERR_AGAIN: no address answers in time; ERR_UNAVAILABLE: there is no
 * such host; ERR_SIGNAL.
 */
int connect_tcp(const char *host, unsigned port, int64_t deadline,
    struct err *e);

/*
 * How many milliseconds poll(2) may wait: until the deadline, but no longer
 * than a signal may go unnoticed. -1 past the deadline (ERR_AGAIN), and after a
 * signal.
 */
int slice_until(int64_t deadline, struct err *e);

#endif
