/*
 * The order of versions, lib/rpm/rpm.h. The results are those of rpm 4.18:
 * rpm --eval '%{lua: print(rpm.vercmp("a", "b"))}'
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/rpm/rpm.h"

struct row {
	const char *a;
	const char *b;
	int order;
};

static const struct row versions[] = {
	{"1.0", "1.0", 0},
	{"1.0", "2.0", -1},
	{"2.0", "1.0", 1},
	{"2.0.1", "2.0", 1},
	{"2.0", "2.0.1", -1},
	{"2.0.1a", "2.0.1", 1},
	{"5.5p1", "5.5p2", -1},
	{"5.5p10", "5.5p1", 1},
	{"10xyz", "10.1xyz", -1},
	{"xyz10", "xyz10.1", -1},
	{"xyz.4", "8", -1},
	{"8", "xyz.4", 1},
	{"5.5p2", "5.6p1", -1},
	{"6.0.rc1", "6.0", 1},
	{"10b2", "10a1", 1},
	{"1.0aa", "1.0a", 1},
	{"10.0001", "10.0039", -1},
	{"4.999.9", "5.0", -1},
	{"20101121", "20101122", -1},
	{"2_0", "2.0", 0},
	{"2_0", "2__0", 0},
	{"2+", "2", 0},
	{"a+", "a_", 0},
	{"+a", "+a", 0},
	{"fc4", "fc.4", 0},
	{"1.0a", "1.0A", 1},
	{"1.0A", "1.0a", -1},
	{"01", "1", 0},
	{"0010", "10", 0},
	{"0", "00", 0},
	{"1.0", "1.00", 0},
	{"1.05", "1.5", 0},
	{"1.", "1", 0},
	{".1", "1", 0},
	{"1..2", "1.2", 0},
	{"1a", "1.a", 0},
	{"1a2", "1a.2", 0},
	{"1", "a", 1},
	{"a", "1", -1},
	{"1.1", "1.a", 1},
	{"99999999999999999999", "100000000000000000000", -1},
	{"18446744073709551616", "0", 1},
	{"000000000000000000000000000001", "1", 0},
	{"1.0~rc1", "1.0~rc1", 0},
	{"1.0~rc1", "1.0", -1},
	{"1.0~rc1", "1.0~rc2", -1},
	{"1.0~rc1~git123", "1.0~rc1", -1},
	{"1.0~~", "1.0~", -1},
	{"1.0~", "1.0", -1},
	{"~", "1", -1},
	{"~~", "~", -1},
	{"1~", "1.~", 0},
	{"1.0^", "1.0", 1},
	{"1.0^", "1.0^", 0},
	{"1.0^git1", "1.0", 1},
	{"1.0^git1", "1.0^git2", -1},
	{"1.0^git1", "1.01", -1},
	{"1.0^20160101", "1.0.1", -1},
	{"1.0^20160101^git1", "1.0^20160101", 1},
	{"1.0^20160102", "1.0^20160101^git1", 1},
	{"1.0~rc1^git1", "1.0~rc1", 1},
	{"1.0^git1~pre", "1.0^git1", -1},
	{"1.0^", "1.0~", 1},
	{"1^", "1a", -1},
	{"1^", "1.1", -1},
	{"^1", "1", -1},
	{"^", "~", 1},
	{"1^^", "1^", 1},
	{"0.5.0.1", "0.5.0", 1},
	{"0.3.4", "0.3.10", -1},
	{"0.4.0~dev1", "0.4.0", -1},
	/* which rpm does not take from lua */
	{"", "", 0},
	{"", "1", -1},
	{"", "~", 1},
	{"", "^", -1},
	{"", ".", 0},
};

static const struct row evrs[] = {
	{"1", "0:1", 0},
	{"1:1", "2", 1},
	{"0:2", "1:1", -1},
	{"00:1", "0:1", 0},
	{"10:1", "9:1", 1},
	{"1:2-3", "1:2-3", 0},
	{"1:2-3", "1:2-4", -1},
	{"2-3", "2-10", -1},
	{"2~rc1-9", "2-1", -1},
	{"2-1", "2", 1},
	{"2", "2-1", -1},
	{"2", "2-~1", -1},
	{"2-1.el9", "2-1.el10", -1},
	{"4294967295:1", "4294967294:1", 1},
	{"2-1~a", "2-1", -1},
	{"", "", 0},
	{":1", "1", 0},
	{"1:", "1", 1},
	{"2-", "2", 1},
};

static void
check(int (*compare)(const char *, const char *), const struct row *rows,
    size_t n)
{
	size_t i;
	int there, back;

	for (i = 0; i < n; i++) {
		there = compare(rows[i].a, rows[i].b);
		back = compare(rows[i].b, rows[i].a);
		if (there != rows[i].order || back != -rows[i].order)
			fail_msg("'%s' and '%s': %d, back %d, wanted %d",
			    rows[i].a, rows[i].b, there, back, rows[i].order);
	}
}

static void
versions_have_the_order_of_rpm(void **state)
{
	(void)state;
	check(rpm_compare_versions, versions, COUNT(versions));
}

static void
epochs_and_releases_count_too(void **state)
{
	(void)state;
	check(rpm_compare_evr, evrs, COUNT(evrs));
}

/* rpm takes ASCII alone for letters and digits, whatever the locale. */
static void
other_bytes_are_separators(void **state)
{
	(void)state;
	assert_int_equal(rpm_compare_versions("1\xc3\xa4" "2", "1.2"), 0);
	assert_int_equal(rpm_compare_versions("\xff", ""), 0);
}

static void
versions_of_any_length_are_compared(void **state)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		buf_str(&a, "9");
		buf_str(&b, "0");
	}
	assert_int_equal(rpm_compare_versions(a.p, b.p), 1);
	buf_str(&b, "1");
	buf_str(&b, a.p);
	assert_int_equal(rpm_compare_versions(a.p, b.p), -1);
	buf_clear(&a);
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_have_the_order_of_rpm),
		cmocka_unit_test(epochs_and_releases_count_too),
		cmocka_unit_test(other_bytes_are_separators),
		cmocka_unit_test(versions_of_any_length_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
