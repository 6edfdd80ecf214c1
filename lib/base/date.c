#include "lib/base/date.h"

#include <string.h>
#include <time.h>

#define LAST ((int64_t)253402300799)	/* 9999-12-31T23:59:59Z */

static struct tm
split(int64_t seconds)
{
	time_t t = (time_t)(seconds >= 0 && seconds <= LAST ? seconds : 0);
	struct tm tm = {.tm_isdst = 0};

	gmtime_r(&t, &tm);
	return tm;
}

/* ------------------------------------------------------------- RFC 3339 */

void
date_format(int64_t seconds, char text[DATE_SIZE])
{
	struct tm tm = split(seconds);

	strftime(text, DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
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
is_day(const struct tm *t)
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
date_parse(const char *text, int64_t *seconds)
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
	if (!is_day(&t) || t.tm_hour > 23 || t.tm_min > 59 || t.tm_sec > 60)
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

bool
date_parse_exact(const char *text, int64_t *seconds)
{
	char again[DATE_SIZE];
	int64_t read;

	if (!date_parse(text, &read) || read < 0)
		return false;
	date_format(read, again);
	if (strcmp(again, text) != 0)
		return false;
	*seconds = read;
	return true;
}

/* ------------------------------------------------------------- RFC 1123 */

void
date_format_rfc1123(int64_t seconds, char text[DATE_SIZE])
{
	struct tm tm = split(seconds);

	/* no setlocale is ever called: these are the names of the C locale */
	strftime(text, DATE_SIZE, "%a, %d %b %Y %H:%M:%S UTC", &tm);
}

bool
date_parse_rfc1123(const char *text, int64_t *seconds)
{
	struct tm tm = {.tm_isdst = 0};
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S ", &tm);
	int day = tm.tm_mday;
	int64_t read;

	if (end == NULL || (strcmp(end, "UTC") != 0 &&
	    strcmp(end, "GMT") != 0 && strcmp(end, "Z") != 0 &&
	    strcmp(end, "+0000") != 0))
		return false;
	read = (int64_t)timegm(&tm);
	/* strptime takes February 31st, which timegm makes March 3rd */
	if (tm.tm_mday != day)
		return false;
	*seconds = read;
	return true;
}
