/*
 * lib/base/base64.h: RFC 4648's own vectors, and what is refused.
 */
#include "tests/unit/support.h"

#include "lib/base/base64.h"
#include "lib/base/mem.h"

static void
there_and_back(void **state)
{
	static const char *const vectors[][2] = {
		{"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"},
	};
	struct buf text = BUF_INIT, data = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(vectors); i++) {
		text.n = data.n = 0;
		base64_add(&text, vectors[i][0], strlen(vectors[i][0]));
		assert_string_equal(buf_cstr(&text), vectors[i][1]);
		assert_true(base64_read(text.p, text.n, &data));
		assert_string_equal(buf_cstr(&data), vectors[i][0]);
	}
	buf_clear(&text);
	buf_clear(&data);
}

static void
newlines_are_passed_over(void **state)
{
	struct buf data = BUF_INIT;

	(void)state;
	assert_true(base64_read("Zm9v\nYmFy\r\n", 11, &data));
	assert_string_equal(buf_cstr(&data), "foobar");
	buf_clear(&data);
}

static void
anything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "\n", "=", "====", "Z", "Zg", "Zg=", "Zg===", "Zg==Zg==",
		"Zm9v=", "Zm 9v", "Zm-v", "Zh==", "Zm9=", "=Zg=", "Zm9vZ",
	};
	struct buf data = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		if (base64_read(bad[i], strlen(bad[i]), &data))
			fail_msg("'%s' was read", bad[i]);
	buf_clear(&data);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(newlines_are_passed_over),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
