/*
 * lib/tree/build.h
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/tree/build.h"

static void
names_of_builds(void **state)
{
	struct build b;

	(void)state;
	assert_true(build_parse("amd64-deb", &b));
	assert_string_equal(b.architecture, "amd64");
	assert_int_equal(b.format, FORMAT_DEB);
	assert_true(build_parse("arm64-rpm", &b));
	assert_string_equal(b.architecture, "arm64");
	assert_int_equal(b.format, FORMAT_RPM);
	assert_true(build_parse("kfreebsd-amd64-deb", &b));
	assert_string_equal(b.architecture, "kfreebsd-amd64");
}

static void
the_architecture_that_a_name_ends_with(void **state)
{
	static const struct {
		const char *text, *architecture;
	} names[] = {
		{"x_1.0_amd64", "amd64"}, {"x-1.0-1.x86_64", "amd64"},
		{"x-arm64", "arm64"}, {"x.aarch64", "arm64"},
		{"x_1.0_all", NULL}, {"x-1.0", NULL}, {"amd64", NULL},
		{"xamd64", NULL}, {"x_amd64_1", NULL}, {"", NULL},
	};
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		got = build_at_end(names[i].text);
		if (names[i].architecture == NULL)
			assert_null(got);
		else
			assert_string_equal(got, names[i].architecture);
	}
}

static void
what_is_no_build(void **state)
{
	static const char *const bad[] = {
		"", "-", "amd64", "-deb", "amd64-", "amd64-msi", "amd64_deb",
		"x86_64-rpm", "mips-rpm", "../x-deb", "a/b-deb", "amd64-debx",
		"an-architecture-of-more-than-31-bytes-deb",
	};
	struct build b;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		if (build_parse(bad[i], &b))
			fail_msg("'%s' was taken", bad[i]);
}

static void
architectures_in_both_worlds(void **state)
{
	(void)state;
	assert_string_equal(build_to_rpm("amd64"), "x86_64");
	assert_string_equal(build_from_rpm("aarch64"), "arm64");
	assert_null(build_to_rpm("x86_64"));
	assert_null(build_from_rpm("amd64"));
	assert_null(build_from_rpm("noarch"));
	assert_string_equal(format_name(FORMAT_RPM), "rpm");
	assert_string_equal(format_name(FORMAT_DEB), "deb");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_builds),
		cmocka_unit_test(the_architecture_that_a_name_ends_with),
		cmocka_unit_test(what_is_no_build),
		cmocka_unit_test(architectures_in_both_worlds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
