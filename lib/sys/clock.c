#include "lib/sys/clock.h"

#include <string.h>
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

/* Reads n digits, then the character after them, which must be `after`. */
static bool
digits(const char **p, int n, char after, int *v)
{
	for (*v = 0; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*v = *v * 10 + (**p - '0');
	}
	if (after == '\0')
		return true;
	return *(*p)++ == after;
}

static bool
is_date(const struct tm *t)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	int year = t->tm_year + 1900;
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (t->tm_mon < 0 || t->tm_mon > 11 || t->tm_mday < 1)
		return false;
	return t->tm_mday <= days[t->tm_mon] + (t->tm_mon == 1 && is_leap);
}

/* "Z", or how far the clock that was written is ahead. */
static bool
offset(const char *p, int *seconds)
{
	int hours, minutes, sign = *p == '-' ? -1 : 1;

	*seconds = 0;
	if (*p == 'Z' || *p == 'z')
		return p[1] == '\0';
	if (*p != '+' && *p != '-')
		return false;
	p++;
	if (!digits(&p, 2, ':', &hours) || !digits(&p, 2, '\0', &minutes) ||
	    hours > 23 || minutes > 59 || *p != '\0')
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool
clock_parse(const char *text, int64_t *seconds)
{
	struct tm t = {0};
	const char *p = text;
	int ahead;

	if (!digits(&p, 4, '-', &t.tm_year) ||
	    !digits(&p, 2, '-', &t.tm_mon) ||
	    !digits(&p, 2, '\0', &t.tm_mday) || (*p != 'T' && *p != 't'))
		return false;
	p++;
	if (!digits(&p, 2, ':', &t.tm_hour) ||
	    !digits(&p, 2, ':', &t.tm_min) || !digits(&p, 2, '\0', &t.tm_sec))
		return false;
	t.tm_year -= 1900;
	t.tm_mon -= 1;
	/* 60: a leap second is the next one's name */
	if (!is_date(&t) || t.tm_hour > 23 || t.tm_min > 59 || t.tm_sec > 60)
		return false;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return false;
		p += 1 + strspn(p + 1, "0123456789");
	}
	if (!offset(p, &ahead))
		return false;
	*seconds = (int64_t)timegm(&t) - ahead;
	return true;
}
