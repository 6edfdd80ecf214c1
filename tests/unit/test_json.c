/*
 * lib/http/json.h.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/http/json.h"

static struct json *
parsed(const char *text)
{
	struct err e = ERR_INIT;
	struct json *j = json_parse(text, strlen(text), &e);

	if (j == NULL)
		fail_msg("%s: %s", text, e.text);
	return j;
}

/* From an allocation of just that size: what reads beyond it is seen. */
static void
refused(const char *text, size_t n, const char *part, int line)
{
	char *copy = mem_alloc(n);
	struct err e = ERR_INIT;
	struct json *j;

	memcpy(copy, text, n);
	j = json_parse(copy, n, &e);
	if (j != NULL) {
		print_error("accepted: %s\n", text);
		_fail(__FILE__, line);
	}
	check_err(&e, ERR_PROTOCOL, part, __FILE__, line);
	free(copy);
}

#define assert_refused(text, part) \
	refused(text, sizeof(text) - 1, part, __LINE__)

static void
values_by_path(void **state)
{
	struct json *j = parsed(" {\"droplet\":{\"id\":3164444,\"name\":\"a\","
	    "\"locked\":false,\"price\":0.25,\"next\":null,\"tags\":[\"x\"],"
	    "\"size\":{\"slug\":\"s\"}},\"Droplet\":1,\"\":{\"\":\"e\"}}\r\n ");
	int64_t i = 0;
	bool b = true;
	double d;

	(void)state;
	assert_true(json_integer(j, "droplet.id", &i));
	assert_int_equal(i, 3164444);
	assert_string_equal(json_string(j, "droplet.name"), "a");
	assert_string_equal(json_string(j, "droplet.size.slug"), "s");
	assert_true(json_bool(j, "droplet.locked", &b));
	assert_false(b);
	assert_true(json_number(j, "droplet.price", &d));
	assert_true(d == 0.25);
	assert_true(json_integer(j, "Droplet", &i));
	assert_int_equal(i, 1);
	assert_ptr_equal(json_at(j, ""), j);
	assert_non_null(json_at(j, "droplet.next"));
	assert_string_equal(json_string(json_at(j, "droplet"), "name"), "a");
	json_free(j);
}

static void
what_is_not_there(void **state)
{
	static const char *const paths[] = {
		"", "drop", "dropletx", "DROPLET", "droplet", "droplet.",
		"droplet.x", ".droplet", "droplet.id.x", "droplet.tags.0",
		"droplet.next", "droplet.tags", "droplet..id", ".", "..",
	};
	struct json *j = parsed("{\"droplet\":{\"id\":{},\"tags\":[1],"
	    "\"next\":null}}");
	const struct json *documents[2] = {j, NULL};
	int64_t i = 7;
	double d = 7;
	bool b = true;
	size_t k, l;

	(void)state;
	for (k = 0; k < COUNT(documents); k++)
		for (l = 0; l < COUNT(paths); l++) {
			const struct json *v = documents[k];
			const char *path = paths[l];

			assert_null(json_string(v, path));
			assert_false(json_integer(v, path, &i));
			assert_false(json_number(v, path, &d));
			assert_false(json_bool(v, path, &b));
			assert_false(json_has(v, path, "x"));
		}
	assert_int_equal(i, 7);
	assert_true(d == 7 && b);
	assert_null(json_at(NULL, ""));
	assert_null(json_next(NULL));
	json_free(j);
	json_free(NULL);
}

static void
whole_numbers(void **state)
{
	static const struct {
		const char *text;
		bool is_whole;
		int64_t wanted;
	} cases[] = {
		{"0", true, 0}, {"-0", true, 0}, {"1106774725000", true,
		    INT64_C(1106774725000)}, {"-5", true, -5},
		{"9007199254740991", true, INT64_C(9007199254740991)},
		{"-9007199254740991", true, INT64_C(-9007199254740991)},
		{"1e3", true, 1000}, {"1.0", true, 1},
		/* the next one cannot be told from this */
		{"9007199254740992", false, 0},
		{"9007199254740993", false, 0},
		{"-9007199254740992", false, 0},
		{"9223372036854775808", false, 0}, {"1e999", false, 0},
		{"-1e999", false, 0}, {"1.5", false, 0}, {"1e-1", false, 0},
		{"\"1\"", false, 0}, {"true", false, 0}, {"null", false, 0},
		{"[1]", false, 0}, {"{}", false, 0},
	};
	struct json *j;
	int64_t got;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		j = parsed(cases[i].text);
		got = 0;
		if (json_integer(j, "", &got) != cases[i].is_whole ||
		    got != cases[i].wanted)
			fail_msg("%s: %lld", cases[i].text, (long long)got);
		json_free(j);
	}
}

static void
infinity_is_no_number(void **state)
{
	struct json *j = parsed("1e999");
	double d;

	(void)state;
	assert_false(json_number(j, "", &d));
	json_free(j);
}

static void
arrays(void **state)
{
	struct json *j = parsed("{\"a\":[{\"id\":1},{\"id\":2},3,\"w\"],"
	    "\"none\":[],\"o\":{\"x\":1,\"y\":2}}");
	const struct json *i;
	int64_t id;
	size_t n = 0;

	(void)state;
	for (i = json_first(j, "a"); i != NULL; i = json_next(i), n++)
		if (n < 2) {
			assert_true(json_integer(i, "id", &id));
			assert_int_equal(id, n + 1);
		}
	assert_int_equal(n, 4);
	assert_true(json_is_array(j, "a"));
	assert_true(json_is_array(j, "none"));
	assert_null(json_first(j, "none"));
	assert_false(json_is_array(j, "o"));
	assert_null(json_first(j, "o"));
	assert_false(json_is_array(j, "nothing"));
	assert_null(json_first(j, "nothing"));
	assert_null(json_next(j));
	assert_true(json_has(j, "a", "w"));
	assert_false(json_has(j, "a", "W"));
	assert_false(json_has(j, "a", "3"));
	assert_false(json_has(j, "o", "x"));
	json_free(j);
}

static void
the_first_of_two_keys_counts(void **state)
{
	struct json *j = parsed("{\"a\":\"one\",\"A\":\"three\","
	    "\"a\":\"two\"}");

	(void)state;
	assert_string_equal(json_string(j, "a"), "one");
	assert_string_equal(json_string(j, "A"), "three");
	json_free(j);
}

static void
what_is_no_json(void **state)
{
	(void)state;
	assert_refused("", "it is empty");
	assert_refused(" ", "not JSON");
	assert_refused("{", "not JSON");
	assert_refused("{\"a\":", "not JSON");
	assert_refused("{\"a\":1", "not JSON");
	assert_refused("{\"a\":1,}", "not JSON");
	assert_refused("{a:1}", "not JSON");
	assert_refused("[1", "not JSON");
	assert_refused("\"a", "not JSON");
	assert_refused("\"a\\", "not JSON");
	assert_refused("\"\\u00", "not JSON");
	assert_refused("\"\\ud800\"", "not JSON");
	assert_refused("tru", "not JSON");
	assert_refused("<html>", "error at byte 0");
	assert_refused("{}x", "more text at byte 2");
	assert_refused("{}{}", "more text at byte 2");
	assert_refused("{\"a\":\"b\"} \n]", "more text at byte 9");
	assert_refused("1 2", "more text");
}

/*
 * cJSON would end the string there, and what follows it in "a\u0000b" would
 * be there and not be seen.
 */
static void
a_nul_is_refused(void **state)
{
	struct json *j;

	(void)state;
	assert_refused("{}\0", "a NUL");
	assert_refused("\0{}", "a NUL");
	assert_refused("\"a\0b\"", "a NUL");
	assert_refused("\"a\\u0000b\"", "a NUL");
	assert_refused("{\"a\\u0000b\":1}", "a NUL");
	assert_refused("\"\\\\\\u0000\"", "a NUL");
	j = parsed("\"\\\\u0000\"");
	assert_string_equal(json_string(j, ""), "\\u0000");
	json_free(j);
	j = parsed("\"\\u0001\\u00e4\\ud83d\\ude00\\\"\"");
	assert_string_equal(json_string(j, ""),
	    "\x01\xc3\xa4\xf0\x9f\x98\x80\"");
	json_free(j);
}

static void
depth_is_bounded(void **state)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct json *j;
	size_t i, depth;

	(void)state;
	for (depth = 900; depth < 1000000; depth *= 1000) {
		for (i = 0; i < depth; i++)
			buf_str(&b, "[");
		for (i = 0; i < depth; i++)
			buf_str(&b, "]");
		j = json_parse(b.p, b.n, &e);
		assert_true((j != NULL) == (depth < 1000));
		json_free(j);
		buf_clear(&b);
	}
	check_err(&e, ERR_PROTOCOL, "not JSON", __FILE__, __LINE__);
}

static void
written(void **state)
{
	struct json *j = json_object(), *again;
	struct strv words = STRV_INIT, none = STRV_INIT;
	struct buf b = BUF_INIT;
	int64_t v;

	(void)state;
	json_add_string(j, "name", "a\"b\\\n\x01\xc3\xa4");
	json_add_string(j, "empty", "");
	json_add_integer(j, "id", 7);
	json_add_integer(j, "most", INT64_MAX);
	json_add_integer(j, "least", INT64_MIN);
	json_add_integer(j, "exact", INT64_C(9007199254740993));
	json_add_bool(j, "yes", true);
	json_add_bool(j, "no", false);
	strv_split(&words, "289794 3b:16:bf 007 0 12345678901234567890 1a");
	strv_add(&words, "");
	json_add_words(j, "keys", &words, true);
	json_add_words(j, "tags", &words, false);
	json_add_words(j, "none", &none, true);
	buf_str(&b, "> ");
	json_print(j, &b);
	assert_string_equal(buf_cstr(&b), "> {\"name\":\"a\\\"b\\\\\\n\\u0001"
	    "\xc3\xa4\",\"empty\":\"\",\"id\":7,\"most\":9223372036854775807,"
	    "\"least\":-9223372036854775808,\"exact\":9007199254740993,"
	    "\"yes\":true,\"no\":false,\"keys\":[289794,\"3b:16:bf\",\"007\","
	    "0,12345678901234567890,\"1a\",\"\"],\"tags\":[\"289794\","
	    "\"3b:16:bf\",\"007\",\"0\",\"12345678901234567890\",\"1a\",\"\"],"
	    "\"none\":[]}");
	again = parsed(b.p + 2);
	assert_string_equal(json_string(again, "name"),
	    "a\"b\\\n\x01\xc3\xa4");
	assert_true(json_has(again, "tags", "007"));
	assert_true(json_integer(again, "id", &v) && v == 7);
	json_free(again);
	json_free(j);
	strv_clear(&words);
	buf_clear(&b);
}

/* A part of a document prints as what it is, without what follows it. */
static void
parts_are_written(void **state)
{
	struct json *j = parsed("{\"a\":{\"b\":[\"c\", 1]},\"d\":2}");
	struct buf b = BUF_INIT;

	(void)state;
	json_print(json_at(j, "a"), &b);
	assert_string_equal(buf_cstr(&b), "{\"b\":[\"c\",1]}");
	json_free(j);
	buf_clear(&b);
}

static void
what_a_string_can_hold(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		bool can;
	} cases[] = {
		{"", 0, true}, {"a\n\x7f", 3, true}, {"a\0b", 3, false},
		{"\xc3\xa4", 2, true}, {"\xc3", 1, false},
		{"\xc0\xaf", 2, false}, {"\xe2\x82\xac", 3, true},
		{"\xe0\x80\xaf", 3, false}, {"\xed\xa0\x80", 3, false},
		{"\xf0\x9f\x98\x80", 4, true}, {"\xf0\x9f\x98", 3, false},
		{"\xf4\x90\x80\x80", 4, false}, {"\xff", 1, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		assert_int_equal(json_can_hold(cases[i].text, cases[i].n),
		    cases[i].can);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_by_path),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(infinity_is_no_number),
		cmocka_unit_test(arrays),
		cmocka_unit_test(the_first_of_two_keys_counts),
		cmocka_unit_test(what_is_no_json),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(written),
		cmocka_unit_test(parts_are_written),
		cmocka_unit_test(what_a_string_can_hold),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
