/*
 * lib/sys/clock.h.
 */
#include "tests/unit/support.h"

#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

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
		cmocka_unit_test(time_goes_on),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
