/*
 * Time: what time it is, how long something takes, and waiting. How dates are
 * written is lib/base/date.h's.
 */
#ifndef LIB_SYS_CLOCK_H
#define LIB_SYS_CLOCK_H

#include <stdint.h>

#include "lib/base/err.h"

/* Milliseconds that only grow, whatever happens to the date. */
int64_t clock_ms(void);

/* Seconds since the epoch. */
int64_t clock_now(void);

/* Waits; -1 with ERR_SIGNAL as soon as a signal comes. */
int clock_sleep(int64_t ms, struct err *e);

#endif
