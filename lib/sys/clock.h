/*
 * Time: how long something takes, and dates as APIs write them.
 */
#ifndef LIB_SYS_CLOCK_H
#define LIB_SYS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

/* Milliseconds that only grow, whatever happens to the date. */
int64_t clock_ms(void);

/* Seconds since the epoch. */
int64_t clock_now(void);

/* Waits; -1 with ERR_SIGNAL as soon as a signal comes. */
int clock_sleep(int64_t ms, struct err *e);

/*
 * RFC 3339 as JSON APIs write it: "2026-01-02T03:04:05Z", with a fraction of
 * a second or not, with "Z" or an offset. Seconds since the epoch. False for
 * anything else.
 */
bool clock_parse(const char *text, int64_t *seconds);

#endif
