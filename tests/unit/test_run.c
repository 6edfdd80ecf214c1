/*
 * lib/sys/run.h: programs that end, and programs that do not.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/run.h"

#define PATIENCE 3000	/* tenths of a second that a process may take to go */

/* In /proc/PID/status. 32 and 33 are the C library's, which may ignore them. */
#define NOTHING_IGNORED "Ign:.0{7}[01][08]0{7}"

static int
sh(const char *script, int seconds, struct buf *out, struct err *e)
{
	const char *argv[] = {"sh", "-c", script, NULL};

	return run_wait(argv, seconds, out, e);
}

static void
its_output_is_kept(void **state)
{
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_ok(sh("echo a; sleep 0.1; echo b", 60, &out, &e), e);
	assert_string_equal(buf_cstr(&out), "a\nb\n");
	buf_clear(&out);
	/* it has no input that it could wait for */
	assert_ok(sh("cat; echo end", 60, &out, &e), e);
	assert_string_equal(buf_cstr(&out), "end\n");
	buf_clear(&out);
	assert_ok(sh("exec yes | head -c 300000", 60, &out, &e), e);
	assert_true(out.n >= 65536 && out.n < 200000);
	buf_clear(&out);
	assert_ok(sh("echo thrown away", 60, NULL, &e), e);
}

static void
failures_say_how(void **state)
{
	static const char *const none[] = {"no-such-program", NULL};
	struct err e;

	(void)state;
	assert_fails(run_wait(none, 60, NULL, &e), e, ERR_UNAVAILABLE,
	    "start 'no-such-program': No such file or directory");
	assert_fails(sh("exit 3", 60, NULL, &e), e, ERR_UNAVAILABLE,
	    "'sh' failed with status 3");
	assert_fails(sh("kill -9 $$", 60, NULL, &e), e, ERR_UNAVAILABLE,
	    "'sh' was killed by signal 9");
}

/* What it leaves running has its output, and is not waited for. */
static void
what_it_leaves_running_is_left_alone(void **state)
{
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_ok(sh("sleep 1000 & echo $!", 60, &out, &e), e);
	assert_int_equal(kill((pid_t)atol(out.p), SIGKILL), 0);
	buf_clear(&out);
}

/* The numbers in file "pids" stand for nobody any more, soon. */
static void
assert_all_have_gone(void)
{
	int i;

	for (i = 0; i < PATIENCE; i++) {
		if (run_succeeds("for p in $(cat pids); do case $(ps -o stat= "
		    "-p $p) in ''|Z*) ;; *) exit 1; esac; done"))
			return;
		usleep(100000);
	}
	fail_msg("still there");
}

#define DEAF "trap '' TERM; echo $$ >pids; "	\
    "sh -c 'echo $$ >>pids; exec sleep 1000' & "	\
    "while :; do sleep 1000; done"

/* It heeds no SIGTERM, and has a child that holds its output. */
static void
one_that_takes_too_long_is_ended(void **state)
{
	struct err e;

	(void)state;
	run("rm -f pids");
	assert_fails(sh(DEAF, 1, NULL, &e), e, ERR_AGAIN,
	    "'sh' is still running after 1 seconds");
	assert_all_have_gone();
	/* and one that shows nothing more, but goes on */
	assert_fails(sh("exec >&-; " DEAF, 1, NULL, &e), e, ERR_AGAIN,
	    "is still running");
	assert_all_have_gone();
	/* and one that never stops talking */
	assert_fails(sh("exec yes", 1, NULL, &e), e, ERR_AGAIN,
	    "is still running");
}

/* The signal was there before the wait began: nothing interrupts that. */
static int
run_interrupted(void *arg)
{
	struct err e = ERR_INIT;

	(void)arg;
	cleanup_start();
	raise(SIGTERM);
	if (sh(DEAF, 1000, NULL, &e) == 0 || e.kind != ERR_SIGNAL)
		return 1;
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 2;
}

static void
a_signal_ends_it(void **state)
{
	(void)state;
	run("rm -f pids");
	assert_int_equal(in_child(run_interrupted, NULL), 0);
	/* it may have been ended before it could write them */
	run("touch pids");
	assert_all_have_gone();
}

/* ------------------------------------------------------ what is inherited */

/* Ignored and blocked by whoever has started us. */
static int
run_below_an_odd_parent(void *arg)
{
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	sigset_t set;

	(void)arg;
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	cleanup_start();
	if (sh("grep -cE '^Sig(Blk:.0{16}|" NOTHING_IGNORED ")$' "
	    "/proc/self/status", 60, &out, &e) < 0 ||
	    strcmp(buf_cstr(&out), "2\n") != 0)
		return 1;
	/* and we hear the signal that was blocked */
	raise(SIGTERM);
	return cleanup_check(&e) < 0 ? 0 : 2;
}

static void
children_get_signals_as_they_should_be(void **state)
{
	(void)state;
	assert_int_equal(in_child(run_below_an_odd_parent, NULL), 0);
}

/* For a child that we have forked, and that becomes another program. */
static int
exec_after_start(void *arg)
{
	(void)arg;
	cleanup_start();
	execlp("grep", "grep", "-qE", "^Sig" NOTHING_IGNORED "$",
	    "/proc/self/status", (char *)NULL);
	return 2;
}

static void
nothing_ignored_is_handed_on_by_exec(void **state)
{
	(void)state;
	assert_int_equal(in_child(exec_after_start, NULL), 0);
}

static int
write_to_nobody(void *arg)
{
	int ends[2];

	(void)arg;
	cleanup_start();
	if (pipe(ends) < 0)
		return 1;
	close(ends[0]);
	return write(ends[1], "x", 1) < 0 && errno == EPIPE ? 0 : 2;
}

static void
a_pipe_without_a_reader_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(in_child(write_to_nobody, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_output_is_kept),
		cmocka_unit_test(failures_say_how),
		cmocka_unit_test(what_it_leaves_running_is_left_alone),
		cmocka_unit_test(one_that_takes_too_long_is_ended),
		cmocka_unit_test(a_signal_ends_it),
		cmocka_unit_test(children_get_signals_as_they_should_be),
		cmocka_unit_test(nothing_ignored_is_handed_on_by_exec),
		cmocka_unit_test(a_pipe_without_a_reader_is_an_error),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
