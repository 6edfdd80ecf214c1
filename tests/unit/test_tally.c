/*
 * lib/sys/tally.h: which failures are printed, and which one is returned.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/sys/log.h"
#include "lib/sys/tally.h"

/* Adds n failures "number I" of these kinds; text is what was printed. */
static int
add_all(const enum err_kind *kinds, size_t n, struct buf *text, struct err *e)
{
	struct tally t = TALLY_INIT;
	int saved = mute_stderr("stderr"), status;
	struct err one;
	size_t i;

	*e = (struct err)ERR_INIT;
	log_open("tool", LOG_NOTICE);
	for (i = 0; i < n; i++) {
		err_set(&one, kinds[i], "number %zu", i);
		tally_add(&t, &one);
	}
	status = tally_end(&t, "machines", e);
	unmute_stderr(saved);
	buf_clear(text);
	get("stderr", text);
	return status;
}

static void
none_is_success(void **state)
{
	struct buf text = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(add_all(NULL, 0, &text, &e), 0);
	assert_int_equal(e.kind, ERR_NONE);
	assert_string_equal(buf_cstr(&text), "");
	buf_clear(&text);
}

/* main prints it: here it would come twice. */
static void
one_is_returned_and_not_printed(void **state)
{
	static const enum err_kind kinds[] = {ERR_AGAIN};
	struct buf text = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(add_all(kinds, 1, &text, &e), -1);
	check_err(&e, ERR_AGAIN, "number 0", __FILE__, __LINE__);
	assert_string_equal(buf_cstr(&text), "");
	buf_clear(&text);
}

static void
several_are_printed_and_the_worst_is_returned(void **state)
{
	static const enum err_kind kinds[] = {ERR_MISSING, ERR_REFUSED,
	    ERR_AGAIN};
	struct buf text = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(add_all(kinds, 3, &text, &e), -1);
	check_err(&e, ERR_REFUSED, "3 machines failed", __FILE__, __LINE__);
	assert_string_equal(buf_cstr(&text), "tool: error: number 0\n"
	    "tool: error: number 1\ntool: error: number 2\n");
	buf_clear(&text);
}

static void
of_very_many_a_hundred_are_printed(void **state)
{
	enum err_kind kinds[250];
	struct buf text = BUF_INIT;
	struct err e;
	size_t i, lines = 0;

	(void)state;
	for (i = 0; i < COUNT(kinds); i++)
		kinds[i] = i == 249 ? ERR_DATA : ERR_IO;
	assert_int_equal(add_all(kinds, COUNT(kinds), &text, &e), -1);
	check_err(&e, ERR_DATA, "250 machines failed", __FILE__, __LINE__);
	for (i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	assert_int_equal(lines, 100);
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_is_success),
		cmocka_unit_test(one_is_returned_and_not_printed),
		cmocka_unit_test(
		    several_are_printed_and_the_worst_is_returned),
		cmocka_unit_test(of_very_many_a_hundred_are_printed),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
