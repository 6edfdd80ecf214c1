/*
 * lib/frame/nearest.h.
 */
#include "tests/unit/support.h"

#include "lib/frame/nearest.h"

static void
distances(void **state)
{
	char longest[64], too_long[65];

	(void)state;
	memset(longest, 'a', 63);
	longest[63] = '\0';
	memset(too_long, 'a', 64);
	too_long[64] = '\0';
	assert_int_equal(nearest_distance("", ""), 0);
	assert_int_equal(nearest_distance("", "abc"), 3);
	assert_int_equal(nearest_distance("abc", ""), 3);
	assert_int_equal(nearest_distance("build", "build"), 0);
	assert_int_equal(nearest_distance("stat", "state"), 1);
	assert_int_equal(nearest_distance("states", "state"), 1);
	assert_int_equal(nearest_distance("stxte", "state"), 1);
	/* the commonest slip: two neighbours swapped */
	assert_int_equal(nearest_distance("biuld", "build"), 1);
	assert_int_equal(nearest_distance("quite", "quiet"), 1);
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
	assert_int_equal(nearest_distance(longest, longest), 0);
	assert_int_equal(nearest_distance(longest, ""), 63);
	assert_int_equal(nearest_distance(too_long, too_long), 64);
	assert_int_equal(nearest_distance("a", too_long), 64);
}

static void
what_is_worth_a_question(void **state)
{
	(void)state;
	assert_true(nearest_is_likely("biuld", 1));
	assert_true(nearest_is_likely("biuld", 2));
	assert_false(nearest_is_likely("biuld", 3));
	assert_true(nearest_is_likely("a", 1));
	assert_false(nearest_is_likely("", 1));
	assert_false(nearest_is_likely("frobnicate", 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(what_is_worth_a_question),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
