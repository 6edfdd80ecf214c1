/*
 * lib/drop/drop.h: how large the list of a drop may be that a build machine has
 * left, who is not trusted.
 */
#include "tests/unit/support.h"

#include "lib/drop/drop.h"

#define H0 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void
a_list_of_files_has_a_limit(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i;
	int dir;

	(void)state;
	assert_int_equal(mkdir("drop", 0755), 0);
	for (i = 0; i < MANIFEST_DROP_FILES; i++)
		buf_addf(&text, H0 "  %0251zu.deb\n", i);
	assert_int_equal(text.n, MANIFEST_DROP_LIMIT);
	put("drop/" MANIFEST_NAME, text.p, text.n);
	dir = drop_open_packages(scratch, "drop", &m, &e);
	assert_true(dir >= 0);
	close(dir);
	assert_int_equal(m.n, MANIFEST_DROP_FILES);
	manifest_clear(&m);
	/* one byte more: it is not even looked at */
	buf_str(&text, "\n");
	put("drop/" MANIFEST_NAME, text.p, text.n);
	assert_int_equal(drop_open_packages(scratch, "drop", &m, &e), -1);
	check_err(&e, ERR_DATA, "3220000", __FILE__, __LINE__);
	assert_int_equal(m.n, 0);
	manifest_clear(&m);
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_files_has_a_limit),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
