/*
 * lib/frame/table.h. What a pipe and --json get instead is in
 * tests/e2e/terminal.sh.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/frame/table.h"
#include "lib/sys/screen.h"

/* name size path, and name status id */
static const enum table_style packages[] = {
	TABLE_LEFT, TABLE_RIGHT, TABLE_PROSE,
};
static const enum table_style machines[] = {
	TABLE_LEFT, TABLE_LEFT, TABLE_RIGHT,
};

/* The words are cells, "_" an empty one, and "~" in them a blank. */
static void
check_table(const enum table_style *styles, const char *words,
    size_t width, const char *wanted, int line)
{
	struct strv cells = STRV_INIT;
	struct buf out = BUF_INIT;
	char *c;
	size_t i;

	strv_split(&cells, words);
	for (i = 0; i < cells.n; i++) {
		if (strcmp(cells.v[i], "_") == 0)
			cells.v[i][0] = '\0';
		for (c = cells.v[i]; *c != '\0'; c++)
			if (*c == '~')
				*c = ' ';
	}
	table_add(&out, styles, 3, &cells, width);
	if (strcmp(buf_cstr(&out), wanted) != 0) {
		print_error("got:\n%swanted:\n%s", buf_cstr(&out), wanted);
		_fail(__FILE__, line);
	}
	buf_clear(&out);
	strv_clear(&cells);
}

#define assert_table(styles, words, width, wanted) \
	check_table(styles, words, width, wanted, __LINE__)

static void
columns_are_aligned(void **state)
{
	(void)state;
	assert_table(packages, "name size path", 80, "name  size  path\n");
	assert_table(packages, "name size path a 1~B x/y bcdefg 10.0~MiB z",
	    80,
	    "name        size  path\n"
	    "a            1 B  x/y\n"
	    "bcdefg  10.0 MiB  z\n");
	assert_table(machines, "name status id a new 7 b _ _ c off 1234", 80,
	    "name  status    id\n"
	    "a     new        7\n"
	    "b\n"
	    "c     off     1234\n");
}

static void
columns_are_those_of_the_screen(void **state)
{
	(void)state;
	assert_table(machines, "name status id \xe4\xb8\xad\xc3\xa4x "
	    "new 7 abcdef off 8", 80,
	    "name    status  id\n"
	    "\xe4\xb8\xad\xc3\xa4x    new      7\n"
	    "abcdef  off      8\n");
}

static void
what_does_not_fit_goes_below(void **state)
{
	const char *cells = "name size path "
	    "libx 1~B pool/main/x/libx_1_amd64.deb y 22~B pool/y";

	(void)state;
	assert_table(packages, cells, 39,
	    "name  size\n"
	    "    path\n"
	    "libx   1 B\n"
	    "    pool/main/x/libx_1_amd64.deb\n"
	    "y     22 B\n"
	    "    pool/y\n");
	assert_table(packages, cells, 40,
	    "name  size  path\n"
	    "libx   1 B  pool/main/x/libx_1_amd64.deb\n"
	    "y     22 B  pool/y\n");
	/* nothing is cut, however narrow it is, and no line stays empty */
	assert_table(machines, "name status id amd64-deb active 1234567 x _ 7 "
	    "y _ _", 10,
	    "name\n    status\n         id\n"
	    "amd64-deb\n    active\n    1234567\n"
	    "x\n          7\n"
	    "y\n");
}

static void
the_last_text_is_broken_at_blanks(void **state)
{
	const char *cells = "name size path x 1~B "
	    "this~is~what~somebody~wrote~about~it y 2~B short";

	(void)state;
	assert_table(packages, cells, 36,
	    "name  size  path\n"
	    "x      1 B  this is what somebody\n"
	    "            wrote about it\n"
	    "y      2 B  short\n");
	/* too narrow to be read there */
	assert_table(packages, cells, 30,
	    "name  size\n"
	    "    path\n"
	    "x      1 B\n"
	    "    this is what somebody\n"
	    "    wrote about it\n"
	    "y      2 B\n"
	    "    short\n");
	/* a word is never broken */
	assert_table(packages, "name size path x 1~B a~"
	    "0123456789012345678901234567890123456789~b", 30,
	    "name  size\n"
	    "    path\n"
	    "x      1 B\n"
	    "    a\n"
	    "    0123456789012345678901234567890123456789\n"
	    "    b\n");
}

static int
start(void **state)
{
	screen_start();
	return scratch_enter(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned),
		cmocka_unit_test(columns_are_those_of_the_screen),
		cmocka_unit_test(what_does_not_fit_goes_below),
		cmocka_unit_test(the_last_text_is_broken_at_blanks),
	};

	return cmocka_run_group_tests(tests, start, scratch_leave);
}
