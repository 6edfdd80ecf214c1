/*
 * lib/sys/log.h: bytes from outside made harmless, sizes, lines on stderr.
 */
#include "tests/unit/support.h"

#include <pthread.h>

#include "lib/base/mem.h"
#include "lib/sys/log.h"

static void
check_harmless(const char *text, const char *wanted, int line)
{
	struct buf b = BUF_INIT;
	char *copy = mem_dup(text);	/* what reads beyond it is seen */

	log_harmless(&b, copy);
	free(copy);
	if (strcmp(buf_cstr(&b), wanted) != 0) {
		print_error("got '%s', wanted '%s'\n", buf_cstr(&b), wanted);
		_fail(__FILE__, line);
	}
	buf_clear(&b);
}

#define assert_harmless(text, wanted) \
	check_harmless(text, wanted, __LINE__)

static void
printable_text_stays(void **state)
{
	(void)state;
	assert_harmless("", "");
	assert_harmless("hello, world ~!", "hello, world ~!");
	assert_harmless("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_harmless("\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd");
	assert_harmless("\xc2\xa0", "\xc2\xa0");
}

static void
control_characters_are_shown(void **state)
{
	char text[2] = "", wanted[8];
	int c;

	(void)state;
	for (c = 1; c < 256; c++) {
		if (c >= 0x20 && c < 0x7f)
			continue;
		text[0] = (char)c;
		snprintf(wanted, sizeof(wanted), "\\x%02x", (unsigned)c);
		assert_harmless(text, wanted);
	}
	assert_harmless("a\x1b[2Jb\rc\nd", "a\\x1b[2Jb\\x0dc\\x0ad");
	/* C1, as UTF-8: CSI */
	assert_harmless("\xc2\x9b" "2J", "\\xc2\\x9b2J");
	assert_harmless("\xc2\x80\xc2\x9f", "\\xc2\\x80\\xc2\\x9f");
}

static void
what_is_not_utf8_is_shown(void **state)
{
	(void)state;
	assert_harmless("\x80", "\\x80");
	assert_harmless("\xc3", "\\xc3");		/* cut */
	assert_harmless("\xe2\x82", "\\xe2\\x82");
	assert_harmless("\xf0\x9f\x98", "\\xf0\\x9f\\x98");
	assert_harmless("\xc3z", "\\xc3z");
	assert_harmless("\xc0\xaf", "\\xc0\\xaf");	/* overlong */
	assert_harmless("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	assert_harmless("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
	assert_harmless("\xed\xa0\x80", "\\xed\\xa0\\x80");	/* surrogate */
	assert_harmless("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
	assert_harmless("\xff\xfe", "\\xff\\xfe");
}

/* U+10FFFF is the last one: F4 90 and more is no UTF-8 (RFC 3629). */
static void
what_is_beyond_unicode_is_shown(void **state)
{
	(void)state;
	assert_harmless("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	assert_harmless("\xf4\xbf\xbf\xbf", "\\xf4\\xbf\\xbf\\xbf");
}

static void
marks_that_turn_the_text_are_shown(void **state)
{
	(void)state;
	assert_harmless("a\xe2\x80\xae" "b", "a\\xe2\\x80\\xae" "b");
	assert_harmless("\xe2\x81\xa6", "\\xe2\\x81\\xa6");
	assert_harmless("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
}

static void
sizes(void **state)
{
	const char *a, *b;

	(void)state;
	assert_string_equal(log_bytes(0), "0 B");
	assert_string_equal(log_bytes(1023), "1023 B");
	assert_string_equal(log_bytes(1024), "1.0 KiB");
	assert_string_equal(log_bytes(1536), "1.5 KiB");
	assert_string_equal(log_bytes(1468006), "1.4 MiB");
	assert_string_equal(log_bytes((uint64_t)3 << 30), "3.0 GiB");
	assert_string_equal(log_bytes((uint64_t)3 << 40), "3.0 TiB");
	assert_string_equal(log_bytes(UINT64_MAX), "16777216.0 TiB");
	/* two in one message */
	a = log_bytes(1);
	b = log_bytes(2048);
	assert_string_equal(a, "1 B");
	assert_string_equal(b, "2.0 KiB");
}

static void
lines(void **state)
{
	struct buf text = BUF_INIT;
	int saved = mute_stderr("stderr");

	(void)state;
	log_open("tool", LOG_NOTICE);
	log_error("bad '%s'", "x\n\x1b");
	log_warning("%d", 7);
	log_notice("step");
	log_detail("not with this level");
	log_trace("not with this level");
	log_open("tool", LOG_ERROR);
	log_warning("quiet");
	log_notice("quiet");
	log_error("%s", "");
	log_open("tool", LOG_TRACE);
	log_trace("all");
	log_open("tool", LOG_NOTICE);
	unmute_stderr(saved);
	get("stderr", &text);
	assert_string_equal(buf_cstr(&text),
	    "tool: error: bad 'x\\x0a\\x1b'\ntool: warning: 7\ntool: step\n"
	    "tool: error: \ntool: all\n");
	buf_clear(&text);
}

static void
long_lines(void **state)
{
	struct buf text = BUF_INIT;
	int saved = mute_stderr("stderr");

	(void)state;
	log_notice("%0*d", 100000, 7);
	unmute_stderr(saved);
	get("stderr", &text);
	assert_int_equal(text.n, strlen("tool: ") + 100001);
	buf_clear(&text);
}

/* Not on a terminal: one line when it is done, and nothing that redraws. */
static void
progress(void **state)
{
	struct buf text = BUF_INIT;
	int saved = mute_stderr("stderr");

	(void)state;
	log_open("tool", LOG_NOTICE);
	log_progress_end();
	log_progress_start("checking", 4096);
	log_progress_add(1024);
	log_progress_add(1024);
	log_progress_end();
	log_progress_end();
	log_open("tool", LOG_WARNING);
	log_progress_start("quietly", 1);
	log_progress_add(1);
	log_progress_end();
	log_open("tool", LOG_NOTICE);
	unmute_stderr(saved);
	get("stderr", &text);
	assert_int_equal(strncmp(text.p, "tool: checking: 2.0 KiB in ", 27),
	    0);
	assert_ptr_equal(strchr(text.p, '\n'), text.p + text.n - 1);
	assert_null(strchr(text.p, '\r'));
	buf_clear(&text);
}

static void *
say_many(void *arg)
{
	int i;

	for (i = 0; i < 500; i++) {
		log_notice("thread %s says %0200d", (const char *)arg, 7);
		log_progress_add(1);
	}
	return NULL;
}

static void
threads_do_not_mix_their_lines(void **state)
{
	struct buf text = BUF_INIT;
	pthread_t threads[4];
	int saved = mute_stderr("stderr"), i, n = 0;
	char *line, *rest;

	(void)state;
	log_open("tool", LOG_NOTICE);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, say_many,
		    (void *)(uintptr_t)"x"), 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	unmute_stderr(saved);
	get("stderr", &text);
	for (line = strtok_r(text.p, "\n", &rest); line != NULL;
	    line = strtok_r(NULL, "\n", &rest), n++)
		assert_int_equal(strlen(line),
		    strlen("tool: thread x says ") + 200);
	assert_int_equal(n, 2000);
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printable_text_stays),
		cmocka_unit_test(control_characters_are_shown),
		cmocka_unit_test(what_is_not_utf8_is_shown),
		cmocka_unit_test(what_is_beyond_unicode_is_shown),
		cmocka_unit_test(marks_that_turn_the_text_are_shown),
		cmocka_unit_test(sizes),
		cmocka_unit_test(lines),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(progress),
		cmocka_unit_test(threads_do_not_mix_their_lines),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
