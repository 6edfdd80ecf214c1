/*
 * Parts of lib/drop that need no other side: which piece comes next. The whole
 * of an upload is tested in tests/e2e/scp*.sh, against sshd.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/drop/plan.h"
#include "lib/drop/upload.h"
#include "lib/sys/cleanup.h"

#include <signal.h>

#define PIECE ((size_t)PLAN_PIECE)

/* Three small ones, and two that are large. */
static const size_t sizes[] = {100, 0, PIECE, 3 * PIECE + 1, PIECE + 1};
static struct upload_file files[COUNT(sizes)];

static struct plan *
new_plan(void)
{
	size_t i;

	for (i = 0; i < COUNT(sizes); i++)
		files[i] = (struct upload_file){.path = "f", .size = sizes[i]};
	return plan_new(files, COUNT(sizes));
}

/* The next one is of that duty. */
static struct plan_step
next(struct plan *p, enum sftp_duty duty)
{
	struct plan_step step;
	struct err e = ERR_INIT;

	assert_int_equal(plan_wait(p, 0, &e), 1);
	assert_true(plan_take(p, &step));
	assert_int_equal(step.duty, duty);
	return step;
}

static void
note(struct plan *p, const struct plan_step *step)
{
	bool sends = step->duty == SFTP_ALL || step->duty == SFTP_SEND;

	plan_note(p, step, sends ? step->n : 0, step->duty == SFTP_ALL);
}

static void
done(struct plan *p, enum sftp_duty duty)
{
	struct plan_step step = next(p, duty);

	note(p, &step);
}

/* 0: all is done; 2: others are at it. */
static void
nothing_now(struct plan *p, int status)
{
	struct plan_step step;
	struct err e = ERR_INIT;

	assert_false(plan_take(p, &step));
	assert_int_equal(plan_wait(p, 0, &e), status);
}

/* Small ones in one go; then the pieces of the first large one. */
static void
send_until_large(struct plan *p)
{
	size_t i;

	for (i = 0; i < 3; i++)
		done(p, SFTP_ALL);
}

/* -------------------------------------------------------------------- plan */

static void
pieces_are_all_of_it(void **state)
{
	struct plan *p = new_plan();
	struct plan_step step[4];
	size_t i;

	(void)state;
	send_until_large(p);
	for (i = 0; i < 4; i++) {
		step[i] = next(p, SFTP_SEND);
		assert_int_equal(step[i].file, 3);
		assert_int_equal(step[i].offset, i * PIECE);
		assert_int_equal(step[i].n, i < 3 ? PIECE : 1);
	}
	/* not synced before all of it is there, in whatever order it comes */
	for (i = 4; i-- > 1;)
		plan_note(p, &step[i], step[i].n, true);
	note(p, &step[0]);
	done(p, SFTP_SYNC);
	done(p, SFTP_READ_BACK);
	for (i = 0; i < 2; i++) {
		step[i] = next(p, SFTP_SEND);
		assert_int_equal(step[i].file, 4);
	}
	nothing_now(p, 2);
	plan_note(p, &step[1], 0, true);
	plan_note(p, &step[0], 0, true);
	done(p, SFTP_SYNC);
	nothing_now(p, 0);
	assert_int_equal(plan_sent(p), 4 * PIECE + 101);
	plan_free(p);
	plan_free(NULL);
}

/* In turn with what is sent, as long as there is both. */
static void
what_is_sent_is_read_back(void **state)
{
	static const enum sftp_duty duties[] = {
		SFTP_SEND, SFTP_READ_BACK, SFTP_SEND, SFTP_READ_BACK,
		SFTP_SEND, SFTP_READ_BACK, SFTP_SEND, SFTP_SYNC,
		SFTP_READ_BACK, SFTP_SEND, SFTP_READ_BACK, SFTP_SEND,
		SFTP_SYNC, SFTP_READ_BACK,
	};
	struct plan *p = new_plan();
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	send_until_large(p);
	for (i = 0; i < COUNT(duties); i++) {
		assert_int_equal(plan_wait(p, 0, &e), 1);
		done(p, duties[i]);
	}
	nothing_now(p, 0);
	assert_ok(plan_result(p, &e), e);
	plan_free(p);
}

/* What was sent before the others' pieces are read back waits for nobody. */
static void
what_others_read_is_waited_for(void **state)
{
	static struct upload_file one = {.path = "f", .size = 2 * PIECE};
	struct plan *p = plan_new(&one, 1);
	struct plan_step step;

	(void)state;
	done(p, SFTP_SEND);
	step = next(p, SFTP_READ_BACK);
	done(p, SFTP_SEND);
	done(p, SFTP_SYNC);
	done(p, SFTP_READ_BACK);
	nothing_now(p, 2);
	note(p, &step);
	nothing_now(p, 0);
	plan_free(p);
}

/* What looking found to be the same has been read. It may not be synced. */
static void
what_was_there_before(void **state)
{
	static struct upload_file one = {.path = "f", .size = 2 * PIECE};
	struct plan *p = plan_new(&one, 1);
	struct plan_step step;

	(void)state;
	step = next(p, SFTP_SEND);
	plan_note(p, &step, 0, true);
	step = next(p, SFTP_SEND);
	plan_note(p, &step, 0, true);
	done(p, SFTP_SYNC);
	nothing_now(p, 0);
	assert_int_equal(plan_sent(p), 0);
	plan_free(p);
}

static void
an_error_ends_it(void **state)
{
	struct plan *p = new_plan();
	struct err e = ERR_INIT;

	(void)state;
	send_until_large(p);
	err_set(&e, ERR_IO, "first");
	plan_fail(p, &e);
	err_set(&e, ERR_AGAIN, "second");
	plan_fail(p, &e);
	nothing_now(p, 0);
	assert_fails(plan_result(p, &e), e, ERR_IO, "first");
	assert_int_equal(plan_sent(p), PIECE + 100);
	plan_free(p);
}

static void
a_signal_ends_the_waiting(void **state)
{
	struct plan *p = new_plan();
	struct err e = ERR_INIT;

	(void)state;
	cleanup_start();
	raise(SIGTERM);
	assert_fails(plan_wait(p, 1000, &e), e, ERR_SIGNAL, "");
	plan_free(p);
}

/* -------------------------------------------------------------------- name */

static void
the_name_tells_the_content(void **state)
{
	char unique[UPLOAD_UNIQUE];

	(void)state;
	upload_unique("abc", 3, unique);
	assert_string_equal(unique, "ba7816bf8f01cfea");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_all_of_it),
		cmocka_unit_test(what_is_sent_is_read_back),
		cmocka_unit_test(what_others_read_is_waited_for),
		cmocka_unit_test(what_was_there_before),
		cmocka_unit_test(an_error_ends_it),
		cmocka_unit_test(the_name_tells_the_content),
		/* from here on, all that waits fails */
		cmocka_unit_test(a_signal_ends_the_waiting),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
