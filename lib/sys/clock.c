#include "lib/sys/clock.h"

#include <time.h>

#include "lib/sys/cleanup.h"

#define SLICE_MS 100	/* a signal may be another thread's to handle */

int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_now(void)
{
	return (int64_t)time(NULL);
}

int
clock_sleep(int64_t ms, struct err *e)
{
	int64_t end = clock_ms() + (ms > 0 ? ms : 0), left;

	while (cleanup_check(e) == 0) {
		left = end - clock_ms();
		if (left <= 0)
			return 0;
		if (left > SLICE_MS)
			left = SLICE_MS;
		nanosleep(&(struct timespec){.tv_nsec = left * 1000000}, NULL);
	}
	return -1;
}
