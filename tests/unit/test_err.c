/*
 * lib/base/err.h.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"

static void
set_says_kind_and_text(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(e.kind, ERR_NONE);
	assert_string_equal(e.text, "");
	assert_int_equal(err_set(&e, ERR_DATA, "bad %s %d", "x", 7), -1);
	assert_int_equal(e.kind, ERR_DATA);
	assert_string_equal(e.text, "bad x 7");
	err_set(&e, ERR_IO, "%s", "");
	assert_string_equal(e.text, "");
}

/* The text itself may be an argument. */
static void
text_may_be_wrapped_in_itself(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_set(&e, ERR_IO, "inner");
	err_set(&e, ERR_DATA, "<%s> <%s>", e.text, e.text);
	assert_string_equal(e.text, "<inner> <inner>");
	assert_int_equal(err_wrap(&e, "file '%s'", e.text), -1);
	assert_string_equal(e.text,
	    "file '<inner> <inner>': <inner> <inner>");
	assert_int_equal(e.kind, ERR_DATA);
}

static void
long_texts_are_cut(void **state)
{
	struct err e = ERR_INIT;
	char text[3000];
	int i;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_IO, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	for (i = 0; i < 100; i++)
		err_wrap(&e, "%s", text + 2900);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	errno = ENOENT;
	err_sys(&e, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_int_equal(e.kind, ERR_MISSING);
}

static void
sys_tells_the_reason(void **state)
{
	static const struct {
		int code;
		enum err_kind kind;
	} codes[] = {
		{ENOENT, ERR_MISSING}, {ENOTDIR, ERR_MISSING},
		{EACCES, ERR_REFUSED}, {EPERM, ERR_REFUSED},
		{ELOOP, ERR_REFUSED}, {EXDEV, ERR_REFUSED},
		{EEXIST, ERR_CREATE}, {EROFS, ERR_CREATE},
		{EAGAIN, ERR_AGAIN}, {ETIMEDOUT, ERR_AGAIN},
		{ECONNRESET, ERR_AGAIN}, {ENOSPC, ERR_IO}, {EIO, ERR_IO},
		{EBADF, ERR_IO}, {0, ERR_IO},
	};
	struct err e = ERR_INIT;
	char wanted[200];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(codes); i++) {
		errno = codes[i].code;
		assert_int_equal(err_sys(&e, "open '%s'", "x"), -1);
		assert_int_equal(e.kind, codes[i].kind);
		snprintf(wanted, sizeof(wanted), "open 'x': %s",
		    strerror(codes[i].code));
		assert_string_equal(e.text, wanted);
	}
}

static void
kinds_are_exit_statuses(void **state)
{
	(void)state;
	assert_int_equal(ERR_USAGE, 64);
	assert_int_equal(ERR_DATA, 65);
	assert_int_equal(ERR_MISSING, 66);
	assert_int_equal(ERR_UNAVAILABLE, 69);
	assert_int_equal(ERR_BUG, 70);
	assert_int_equal(ERR_RESOURCE, 71);
	assert_int_equal(ERR_CREATE, 73);
	assert_int_equal(ERR_IO, 74);
	assert_int_equal(ERR_AGAIN, 75);
	assert_int_equal(ERR_PROTOCOL, 76);
	assert_int_equal(ERR_REFUSED, 77);
	assert_int_equal(ERR_CONFIG, 78);
}

static void
the_worst_of_two(void **state)
{
	static const enum err_kind kinds[] = {
		ERR_NONE, ERR_USAGE, ERR_DATA, ERR_MISSING, ERR_UNAVAILABLE,
		ERR_BUG, ERR_CREATE, ERR_IO, ERR_AGAIN, ERR_PROTOCOL,
		ERR_REFUSED, ERR_CONFIG, ERR_SIGNAL,
	};
	enum err_kind a, b, c;
	size_t i, k, m;

	(void)state;
	for (i = 0; i < COUNT(kinds); i++)
		for (k = 0; k < COUNT(kinds); k++) {
			a = kinds[i];
			b = kinds[k];
			c = err_worst(a, b);
			assert_true(c == a || c == b);
			assert_int_equal(c, err_worst(b, a));
			if (a == ERR_NONE)
				assert_int_equal(c, b);
			if (a == ERR_AGAIN && b != ERR_NONE)
				assert_int_equal(c, b);
			if (a == ERR_SIGNAL)
				assert_int_equal(c, a);
			for (m = 0; m < COUNT(kinds); m++)
				assert_int_equal(err_worst(c, kinds[m]),
				    err_worst(a, err_worst(b, kinds[m])));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_says_kind_and_text),
		cmocka_unit_test(text_may_be_wrapped_in_itself),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(sys_tells_the_reason),
		cmocka_unit_test(kinds_are_exit_statuses),
		cmocka_unit_test(the_worst_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
