/*
 * lib/sys/clock.h.
 */
#include "tests/unit/support.h"

#include <time.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

static void
dates(void **state)
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
		if (!clock_parse(cases[i].text, &got))
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
		if (clock_parse(copy, &got) || got != 7)
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
		if (!clock_parse(text, &got) || got != t)
			fail_msg("'%s'", text);
	}
}

static void
time_goes_on(void **state)
{
	struct err e = ERR_INIT;
	int64_t before = clock_ms();

	(void)state;
	assert_true(before > 0);
	assert_true(clock_now() > 1700000000);
	assert_ok(clock_sleep(0, &e), e);
	assert_ok(clock_sleep(-5, &e), e);
	assert_ok(clock_sleep(130, &e), e);
	assert_true(clock_ms() - before >= 130);
}

static int
interrupted(void *arg)
{
	struct err e = ERR_INIT;
	int64_t before = clock_ms();
	pid_t pid, parent = getpid();

	(void)arg;
	cleanup_start();
	pid = fork();
	if (pid == 0) {
		usleep(50000);
		kill(parent, SIGTERM);
		_exit(0);
	}
	if (clock_sleep(60000, &e) == 0 || e.kind != ERR_SIGNAL)
		return 1;
	if (clock_sleep(0, &e) == 0 || e.kind != ERR_SIGNAL)
		return 2;
	if (clock_ms() - before > 30000)
		return 3;
	waitpid(pid, NULL, 0);
	/* to tidy up, one may wait */
	cleanup_tidy();
	before = clock_ms();
	if (clock_sleep(20, &e) < 0 || clock_ms() - before < 20)
		return 4;
	cleanup_die_by_signal();
	return 5;
}

/* The second one ends it, however much is left to tidy. */
static int
interrupted_twice(void *arg)
{
	struct err e = ERR_INIT;

	(void)arg;
	cleanup_start();
	raise(SIGTERM);
	if (cleanup_check(&e) == 0)
		return 1;
	cleanup_tidy();
	if (cleanup_check(&e) < 0)
		return 2;
	raise(SIGTERM);
	return 3;
}

static void
signals(void **state)
{
	int status = in_child(interrupted, NULL);

	(void)state;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
		fail_msg("status %x", (unsigned)status);
	status = in_child(interrupted_twice, NULL);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
		fail_msg("status %x", (unsigned)status);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(what_is_no_date),
		cmocka_unit_test(dates_go_there_and_back),
		cmocka_unit_test(time_goes_on),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
