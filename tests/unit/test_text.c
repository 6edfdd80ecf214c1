/*
 * lib/base/text.h: the usual forms, RFC 4648's own vectors, and what is
 * refused.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/base/text.h"

static void
decimal_numbers_have_one_form(void **state)
{
	static const char *const bad[] = {
		"", " 1", "1 ", "+1", "-1", "01", "00", "1a", "0x1", "1.0",
		"1\n", "1000000000000000000", "18446744073709551617",
	};
	uint64_t n;
	size_t i;

	(void)state;
	assert_true(decimal_read("0", 1, &n) && n == 0);
	assert_true(decimal_read("7", 1, &n) && n == 7);
	assert_true(decimal_read("999999999999999999", 18, &n));
	assert_true(n == 999999999999999999);
	/* no NUL is needed, nor looked for */
	assert_true(decimal_read("123456", 3, &n) && n == 123);
	assert_false(decimal_read("1\0002", 3, &n));
	for (i = 0; i < COUNT(bad); i++)
		if (decimal_read(bad[i], strlen(bad[i]), &n))
			fail_msg("'%s' was read", bad[i]);
}

static void
a_serial_is_not_0(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(serial_read("1", &n) && n == 1);
	assert_true(serial_read("999999999999999999", &n));
	assert_false(serial_read("0", &n));
	assert_false(serial_read("", &n));
	assert_false(serial_read("007", &n));
	assert_false(serial_read("7.next", &n));
	assert_false(serial_read("1000000000000000000", &n));
}

static void
hexadecimal_there_and_back(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x09, 0xa0, 0xff, 0x5c};
	uint8_t read[sizeof(bytes)];
	char hex[2 * sizeof(bytes) + 1];

	(void)state;
	hex_write(bytes, sizeof(bytes), hex);
	assert_string_equal(hex, "0009a0ff5c");
	assert_true(hex_read(hex, read, sizeof(read)));
	assert_memory_equal(read, bytes, sizeof(bytes));
	hex_write(bytes, 0, hex);
	assert_string_equal(hex, "");
	assert_true(hex_read("a0rest", read, 1));
	assert_int_equal(read[0], 0xa0);
	assert_false(hex_read("A0", read, 1));
	assert_false(hex_read("a", read, 1));
	assert_false(hex_read("0:", read, 1));
	assert_false(hex_read("0`", read, 1));
	assert_false(hex_read("0g", read, 1));
	assert_false(hex_read("/0", read, 1));
	assert_false(hex_read("", read, 1));
}

/* Every character there is, and no other. */
static void
utf8_there_and_back(void **state)
{
	struct buf text = BUF_INIT;
	uint32_t c, read = 1;
	size_t n, wanted;
	bool is_half;

	(void)state;
	for (c = 0; c <= 0x10ffff; c++) {
		text.n = 0;
		utf8_add(&text, c);
		wanted = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		is_half = c >= 0xd800 && c < 0xe000;
		n = utf8_read(text.p, text.n, &read);
		if (text.n != wanted || n != (is_half ? 0 : wanted) ||
		    (!is_half && read != c))
			fail_msg("U+%04X", c);
		/* cut off */
		if (utf8_read(text.p, text.n - 1, &read) != 0)
			fail_msg("U+%04X, but for a byte", c);
	}
	buf_clear(&text);
}

static void
what_is_no_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80", "\xbf\x80", "\xc0\x80", "\xc1\xbf", "\xc3(",
		"\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82(",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xff",
	};
	uint32_t c;
	size_t i;

	(void)state;
	assert_int_equal(utf8_read("", 0, &c), 0);
	assert_int_equal(utf8_read("ab", 2, &c), 1);
	for (i = 0; i < COUNT(bad); i++)
		if (utf8_read(bad[i], strlen(bad[i]), &c) != 0)
			fail_msg("the %zu. was read", i);
}

static void
big_endian_there_and_back(void **state)
{
	static const uint8_t bytes[] = {0xff, 0x01, 0x82, 0x03, 0xf4};
	uint8_t written[4];
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(be16_read(bytes + 1), 0x0182);
	assert_true(be32_read(bytes) == 0xff018203);
	assert_true(be32_read(bytes + 1) == 0x018203f4);
	be32_write(written, 0x018203f4);
	assert_memory_equal(written, bytes + 1, 4);
	be32_add(&b, 0x018203f4);
	be64_add(&b, 0xff018203f4000001);
	assert_int_equal(b.n, 12);
	assert_memory_equal(b.p, "\x01\x82\x03\xf4\xff\x01\x82\x03"
	    "\xf4\x00\x00\x01", 12);
	buf_clear(&b);
}

/* ----------------------------------------------------------------- base64 */

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
		cmocka_unit_test(decimal_numbers_have_one_form),
		cmocka_unit_test(a_serial_is_not_0),
		cmocka_unit_test(hexadecimal_there_and_back),
		cmocka_unit_test(utf8_there_and_back),
		cmocka_unit_test(what_is_no_utf8),
		cmocka_unit_test(big_endian_there_and_back),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(newlines_are_passed_over),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
