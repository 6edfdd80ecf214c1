/*
 * lib/sys/screen.h: text measured in columns of the screen.
 */
#include "tests/unit/support.h"

#include <locale.h>
#include <pty.h>
#include <sys/ioctl.h>

#include "lib/sys/screen.h"

#define UMLAUT "\xc3\xa4"
#define CHINESE "\xe4\xb8\xad"		/* two columns */
#define ACCENT "\xcc\x81"		/* combines with what is before it */
#define UNASSIGNED "\xf3\xa0\x82\x80"

static size_t
width(const char *text)
{
	return screen_width(text, strlen(text));
}

static void
widths(void **state)
{
	(void)state;
	assert_int_equal(width(""), 0);
	assert_int_equal(width("abc"), 3);
	assert_int_equal(width(UMLAUT UMLAUT), 2);
	assert_int_equal(width(CHINESE "x"), 3);
	assert_int_equal(width("e" ACCENT), 1);
	assert_int_equal(width(UNASSIGNED), 1);
	assert_int_equal(screen_width("abc", 2), 2);
	/* what is cut, or no UTF-8, ends */
	assert_int_equal(width("\xe4\xb8"), 1);
	assert_int_equal(width("\xff" "a"), 2);
}

static void
what_fits(void **state)
{
	(void)state;
	assert_int_equal(screen_fit("abc", 0), 0);
	assert_int_equal(screen_fit("abc", 2), 2);
	assert_int_equal(screen_fit("abc", 9), 3);
	assert_int_equal(screen_fit(UMLAUT UMLAUT, 1), 2);
	assert_int_equal(screen_fit(CHINESE "x", 1), 0);
	assert_int_equal(screen_fit(CHINESE "x", 2), 3);
	/* an accent goes with its letter */
	assert_int_equal(screen_fit("e" ACCENT "x", 1), 3);
}

/* Where the locale cannot be had, a character is a column. */
static int
before_it_is_started(void *arg)
{
	(void)arg;
	if (width("abc") != 3 || width(UMLAUT) != 1 || width(CHINESE) != 1)
		return 1;
	return screen_fit(UMLAUT UMLAUT, 1) == 2 ? 0 : 2;
}

static void
without_the_locale(void **state)
{
	(void)state;
	assert_int_equal(in_child(before_it_is_started, NULL), 0);
	screen_start();
	screen_start();
}

/* The locale of the process stays what it is. */
static void
numbers_stay(void **state)
{
	(void)state;
	assert_int_equal(width(CHINESE), 2);
	assert_string_equal(setlocale(LC_ALL, NULL), "C");
	assert_int_equal(mblen(CHINESE, 3), -1);
}

static void
columns_of_a_terminal(void **state)
{
	struct winsize size = {.ws_row = 24, .ws_col = 133};
	int ours, theirs;

	(void)state;
	assert_int_equal(screen_columns(-1), 80);
	assert_int_equal(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
	assert_int_equal(screen_columns(theirs), 80);
	assert_int_equal(ioctl(ours, TIOCSWINSZ, &size), 0);
	assert_int_equal(screen_columns(theirs), 133);
	close(ours);
	close(theirs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_locale),	/* first */
		cmocka_unit_test(widths),
		cmocka_unit_test(what_fits),
		cmocka_unit_test(numbers_stay),
		cmocka_unit_test(columns_of_a_terminal),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
