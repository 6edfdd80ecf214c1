/*
 * lib/sys/par.h.
 */
#include "tests/unit/support.h"

#include <sched.h>
#include <stdatomic.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"

#define MANY 10000

static atomic_int done[MANY];

static int
count(size_t i, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	atomic_fetch_add(&done[i], 1);
	return 0;
}

static void
each_is_done_once(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 100, MANY};
	struct err e = ERR_INIT;
	size_t i, k;

	(void)state;
	for (k = 0; k < COUNT(sizes); k++) {
		for (i = 0; i < MANY; i++)
			atomic_store(&done[i], 0);
		assert_ok(par_each(sizes[k], count, NULL, &e), e);
		for (i = 0; i < MANY; i++)
			assert_int_equal(atomic_load(&done[i]), i < sizes[k]);
	}
	assert_int_equal(e.kind, ERR_NONE);
}

/* Fails for those that arg has a kind for. */
static int
fail_some(size_t i, void *arg, struct err *e)
{
	const enum err_kind *kinds = arg;

	atomic_fetch_add(&done[i], 1);
	if (kinds[i] == ERR_NONE)
		return 0;
	return err_set(e, kinds[i], "number %zu", i);
}

static int
run_with(enum err_kind *kinds, size_t n, struct buf *text, struct err *e)
{
	int saved = mute_stderr("stderr"), status;
	size_t i;

	for (i = 0; i < n; i++)
		atomic_store(&done[i], 0);
	*e = (struct err)ERR_INIT;
	log_open("tool", LOG_NOTICE);
	status = par_each(n, fail_some, kinds, e);
	unmute_stderr(saved);
	buf_clear(text);
	get("stderr", text);
	for (i = 0; i < n; i++)
		assert_int_equal(atomic_load(&done[i]), 1);
	return status;
}

static void
one_failure_is_told_as_it_is(void **state)
{
	enum err_kind kinds[100] = {[57] = ERR_AGAIN};
	struct buf text = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(run_with(kinds, 100, &text, &e), -1);
	check_err(&e, ERR_AGAIN, "number 57", __FILE__, __LINE__);
	assert_string_equal(buf_cstr(&text), "");
	buf_clear(&text);
}

static void
more_failures_are_printed_in_order_and_counted(void **state)
{
	enum err_kind kinds[100] = {[3] = ERR_AGAIN, [97] = ERR_DATA,
	    [50] = ERR_IO};
	struct buf text = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(run_with(kinds, 100, &text, &e), -1);
	check_err(&e, ERR_DATA, "3 of 100 failed", __FILE__, __LINE__);
	assert_string_equal(buf_cstr(&text), "tool: error: number 3\n"
	    "tool: error: number 50\ntool: error: number 97\n");
	buf_clear(&text);
}

static void
all_may_fail(void **state)
{
	static enum err_kind kinds[MANY];
	struct buf text = BUF_INIT;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		kinds[i] = ERR_AGAIN;
	assert_int_equal(run_with(kinds, MANY, &text, &e), -1);
	check_err(&e, ERR_AGAIN, "10000 of 10000 failed", __FILE__, __LINE__);
	assert_int_equal(strncmp(text.p, "tool: error: number 0\n", 22), 0);
	buf_clear(&text);
}

static int
raise_once(size_t i, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	static atomic_bool raised;

	/* on a busy machine the others are done before this one begins */
	if (i == 100) {
		raise(SIGTERM);
		atomic_store(&raised, true);
	}
	while (i > MANY / 2 && !atomic_load(&raised))
		sched_yield();
	atomic_fetch_add(&done[i], 1);
	return 0;
}

static int
interrupted(void *arg)
{
	struct err e = ERR_INIT;
	size_t i, n = 0;

	(void)arg;
	cleanup_start();
	for (i = 0; i < MANY; i++)
		atomic_store(&done[i], 0);
	if (par_each(MANY, raise_once, NULL, &e) == 0)
		return 1;
	for (i = 0; i < MANY; i++)
		n += (size_t)atomic_load(&done[i]);
	if (e.kind != ERR_SIGNAL)
		return 2;
	return n < MANY ? 0 : 3;
}

static int
interrupted_before(void *arg)
{
	struct err e = ERR_INIT;
	size_t i;

	(void)arg;
	cleanup_start();
	raise(SIGINT);
	for (i = 0; i < MANY; i++)
		atomic_store(&done[i], 0);
	if (par_each(MANY, count, NULL, &e) == 0 || e.kind != ERR_SIGNAL)
		return 1;
	for (i = 0; i < MANY; i++)
		if (atomic_load(&done[i]) != 0)
			return 2;
	return 0;
}

static void
a_signal_ends_the_handing_out(void **state)
{
	(void)state;
	assert_int_equal(in_child(interrupted, NULL), 0);
	assert_int_equal(in_child(interrupted_before, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_done_once),
		cmocka_unit_test(one_failure_is_told_as_it_is),
		cmocka_unit_test(
		    more_failures_are_printed_in_order_and_counted),
		cmocka_unit_test(all_may_fail),
		cmocka_unit_test(a_signal_ends_the_handing_out),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
