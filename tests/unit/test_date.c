/*
 * lib/base/date.h.
 */
#include "tests/unit/support.h"

#include <time.h>

#include "lib/base/date.h"
#include "lib/base/mem.h"

static void
reads_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		int64_t wanted;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1969-12-31T23:59:59Z", -1},
		{"2026-11-22T07:00:30Z", 1795330830},
		{"2026-11-22t07:00:30z", 1795330830},
		{"2026-11-22T07:00:30.5Z", 1795330830},
		{"2026-11-22T07:00:30.123456789Z", 1795330830},
		{"2026-11-22T08:00:30+01:00", 1795330830},
		{"2026-11-22T08:00:30.000+01:00", 1795330830},
		{"2026-11-22T01:30:30-05:30", 1795330830},
		{"2026-11-22T07:00:30-00:00", 1795330830},
		{"2026-11-23T06:59:30+23:59", 1795330830},
		{"2024-02-29T00:00:00Z", 1709164800},
		{"2000-02-29T00:00:00Z", 951782400},
		{"2016-12-31T23:59:60Z", 1483228800},
		{"9999-12-31T23:59:59Z", 253402300799},
		{"0001-01-01T00:00:00Z", -62135596800},
	};
	int64_t got;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		if (!date_parse(cases[i].text, &got))
			fail_msg("'%s' was refused", cases[i].text);
		if (got != cases[i].wanted)
			fail_msg("'%s' is %lld", cases[i].text,
			    (long long)got);
	}
}

static void
what_is_no_date(void **state)
{
	static const char *const bad[] = {
		"", "Z", "2026", "2026-11-22", "2026-11-22T07:00Z",
		"2026-11-22T07:00:30", "2026-11-22 07:00:30Z",
		"2026-11-22T07:00:30ZZ", "2026-11-22T07:00:30Z ",
		" 2026-11-22T07:00:30Z", "2026-11-22T07:00:30.Z",
		"2026-11-22T07:00:30,5Z", "2026-11-22T07:00:30.5",
		"2026-11-22T07:00:30+0100", "2026-11-22T07:00:30+01",
		"2026-11-22T07:00:30+24:00", "2026-11-22T07:00:30+01:60",
		"2026-11-22T07:00:30+01:00Z", "2026-11-22T07:00:30+",
		"2026-00-22T07:00:30Z", "2026-13-22T07:00:30Z",
		"2026-11-00T07:00:30Z", "2026-11-31T07:00:30Z",
		"2026-02-29T07:00:30Z", "1900-02-29T07:00:30Z",
		"2026-11-22T24:00:00Z", "2026-11-22T07:60:30Z",
		"2026-11-22T07:00:61Z", "+026-11-22T07:00:30Z",
		"-026-11-22T07:00:30Z", "2026-1-22T07:00:30Z",
		"20261122T070030Z", "12026-11-22T07:00:30Z",
		"2026-11-22T-7:00:30Z", "2026-11-22T0x:00:30Z",
		"2026/11/22T07:00:30Z", "\xd9\xa2\xd9\xa0-11-22T07:00:30Z",
	};
	int64_t got = 7;
	char *copy;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		copy = mem_dup(bad[i]);	/* what reads beyond it is seen */
		if (date_parse(copy, &got) || got != 7)
			fail_msg("'%s' was accepted", bad[i]);
		free(copy);
	}
}

/* Each second of interest of four hundred years is what gmtime makes of it. */
static void
dates_go_there_and_back(void **state)
{
	char text[32];
	int64_t got;
	struct tm tm;
	time_t t;

	(void)state;
	for (t = 0; t < (time_t)400 * 366 * 86400; t += 86399) {
		assert_non_null(gmtime_r(&t, &tm));
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		if (!date_parse(text, &got) || got != t)
			fail_msg("'%s'", text);
	}
}

static void
writes_rfc_3339(void **state)
{
	static const struct {
		int64_t date;
		const char *text;
	} good[] = {
		{0, "1970-01-01T00:00:00Z"}, {1, "1970-01-01T00:00:01Z"},
		{1795359845, "2026-11-22T15:04:05Z"},
		{951782400, "2000-02-29T00:00:00Z"},
		{4102444799, "2099-12-31T23:59:59Z"},
		{253402300799, "9999-12-31T23:59:59Z"},
	};
	char text[DATE_SIZE];
	int64_t date;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		date_format(good[i].date, text);
		assert_string_equal(text, good[i].text);
		assert_true(date_parse_exact(good[i].text, &date));
		assert_true(date == good[i].date);
	}
	date_format(INT64_MAX, text);
	assert_true(strlen(text) < DATE_SIZE);
	date_format(253402300800, text);
	assert_true(strlen(text) < DATE_SIZE);
}

static void
exact_is_what_is_written(void **state)
{
	static const char *const bad[] = {
		"", "2026", "2026-11-22", "2026-11-22T15:04:05",
		"2026-11-22T15:04:05Zx", "2026-11-22T15:04:05z",
		"2026-11-22 15:04:05Z", "2026-13-22T15:04:05Z",
		"2026-11-22T25:04:05Z", "2026-11-22T15:60:05Z",
		"2026-11-22T15:04:05+00:00", "x2026-11-22T15:04:05Z",
		"2026-11-22T15:04:05.0Z", "26-11-22T15:04:05Z",
		/* what strptime alone lets pass */
		" 2026-11-22T15:04:05Z", "2026-1-2T3:4:5Z",
		"2026- 1- 2T 3: 4: 5Z", "2026-02-31T00:00:00Z",
		"2026-11-22T15:04:60Z", "2026-11-22T15:04:61Z",
		"+026-11-22T15:04:05Z",
	};
	int64_t date;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		if (date_parse_exact(bad[i], &date))
			fail_msg("'%s' is taken for a date", bad[i]);
}

static void
writes_rfc_1123(void **state)
{
	static const struct {
		int64_t date;
		const char *text;
	} good[] = {
		{0, "Thu, 01 Jan 1970 00:00:00 UTC"},
		{1795359845, "Sun, 22 Nov 2026 15:04:05 UTC"},
		{951782400, "Tue, 29 Feb 2000 00:00:00 UTC"},
		{253402300799, "Fri, 31 Dec 9999 23:59:59 UTC"},
	};
	char text[DATE_SIZE];
	int64_t date;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		date_format_rfc1123(good[i].date, text);
		assert_string_equal(text, good[i].text);
		assert_true(date_parse_rfc1123(good[i].text, &date));
		assert_true(date == good[i].date);
	}
	date_format_rfc1123(253402300800, text);
	assert_string_equal(text, good[0].text);
	date_format_rfc1123(INT64_MIN, text);
	assert_string_equal(text, good[0].text);
}

static void
reads_rfc_1123(void **state)
{
	static const char *const good[] = {
		"Sun, 22 Nov 2026 15:04:05 UTC",
		"Sun, 22 Nov 2026 15:04:05 GMT",
		"Sun, 22 Nov 2026 15:04:05 Z",
		"Sun, 22 Nov 2026 15:04:05 +0000",
	};
	static const char *const bad[] = {
		"", "Sun", "Sun, 22 Nov 2026 15:04:05",
		"Sun, 22 Nov 2026 15:04:05 ", "22 Nov 2026 15:04:05 UTC",
		"Sun, 22 Nov 2026 15:04:05 CET",
		"Sun, 22 Nov 2026 15:04:05 +0100",
		"Sun, 22 Nov 2026 15:04:05 UTC ",
		"Sun, 22 Nov 2026 15:04 UTC", "2026-11-22T15:04:05Z",
		"Sun, 32 Nov 2026 15:04:05 UTC",
		/* strptime takes it, and timegm makes it another day */
		"Tue, 31 Feb 2026 15:04:05 UTC",
		"Tue, 29 Feb 2026 15:04:05 UTC",
	};
	int64_t date;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		if (!date_parse_rfc1123(good[i], &date))
			fail_msg("'%s' was refused", good[i]);
		assert_true(date == 1795359845);
	}
	date = 7;
	for (i = 0; i < COUNT(bad); i++)
		if (date_parse_rfc1123(bad[i], &date) || date != 7)
			fail_msg("'%s' was accepted", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_rfc_3339),
		cmocka_unit_test(what_is_no_date),
		cmocka_unit_test(dates_go_there_and_back),
		cmocka_unit_test(writes_rfc_3339),
		cmocka_unit_test(exact_is_what_is_written),
		cmocka_unit_test(writes_rfc_1123),
		cmocka_unit_test(reads_rfc_1123),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
