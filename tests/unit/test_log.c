/*
 * lib/sys/log.h: bytes from outside made harmless, sizes, lines on stderr,
 * and the line that redraws on a terminal.
 */
#include "tests/unit/support.h"

#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sys/ioctl.h>

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
times(void **state)
{
	(void)state;
	assert_string_equal(log_time(0), "0 s");
	assert_string_equal(log_time(119), "119 s");
	assert_string_equal(log_time(120), "2 min");
	assert_string_equal(log_time(3600), "60 min");
	assert_string_equal(log_time(7199), "2 h 0 min");
	assert_string_equal(log_time(3 * 3600 + 5 * 60 + 10), "3 h 5 min");
	assert_string_equal(log_time(47 * 3600), "47 h 0 min");
	assert_string_equal(log_time(2 * 86400 + 4 * 3600), "2 d 4 h");
	assert_int_equal(strlen(log_time(UINT64_MAX)) > 0, 1);
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

/*
 * Runs draw with stderr on a terminal of that width, stdin on `in` and stdout
 * on /dev/null; text is all that arrived at the terminal.
 */
static void
on_terminal(unsigned short columns, int in, void (*draw)(void),
    struct buf *text)
{
	struct winsize size = {.ws_row = 24, .ws_col = columns};
	struct pollfd ready;
	int ours, theirs, i, null = open("/dev/null", O_RDWR);
	int saved[3] = {dup(0), dup(1), dup(2)};
	ssize_t n;

	assert_int_equal(openpty(&ours, &theirs, NULL, NULL, &size), 0);
	fflush(NULL);
	dup2(in, 0);
	dup2(null, 1);
	dup2(theirs, 2);
	log_open("tool", LOG_NOTICE);
	draw();
	fflush(stderr);
	for (i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	log_open("tool", LOG_NOTICE);
	buf_clear(text);
	ready = (struct pollfd){.fd = ours, .events = POLLIN};
	while (poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0) {
		n = read(ours, buf_room(text, 4096), 4096);
		assert_true(n > 0);
		text->n += (size_t)n;
	}
	close(null);
	close(ours);
	close(theirs);
}

/* It redraws every tenth of a second at most. */
static void
add_in_time(uint64_t n)
{
	usleep(110000);
	log_progress_add(n);
}

static void
of_known_length(void)
{
	log_progress_start("checking", 4096);
	add_in_time(1024);
	add_in_time(1024);
	log_progress_end();
}

static void
of_unknown_length(void)
{
	log_progress_start("taking files", 0);
	add_in_time(10 << 20);
	log_notice("a step");
	add_in_time(1);
	log_progress_end();
}

static void
longer_than_was_said(void)
{
	log_progress_start("checking", 1000);
	add_in_time(2000);
	log_progress_end();
}

static bool
has(const struct buf *text, const char *part)
{
	return strstr(buf_cstr(text), part) != NULL;
}

static bool
begins(const struct buf *text, const char *part)
{
	return strncmp(buf_cstr(text), part, strlen(part)) == 0;
}

static void
a_line_redraws(void **state)
{
	struct buf text = BUF_INIT;
	int in = open("/dev/null", O_RDONLY);

	(void)state;
	on_terminal(80, in, of_known_length, &text);
	assert_true(begins(&text, "\r\033[Ktool: checking  1.0 KiB of "
	    "4.0 KiB"));
	assert_true(has(&text, "/s  0 s left\r\033[Ktool: checking  2.0 KiB"));
	assert_true(has(&text, " left\r\033[Ktool: checking: 2.0 KiB in "));
	buf_clear(&text);
	close(in);
}

/* "taking files 10.0 MiB of 0 B ... 0 s left" is what a tar once had. */
static void
without_a_total_there_is_no_time_left(void **state)
{
	struct buf text = BUF_INIT;
	int in = open("/dev/null", O_RDONLY);

	(void)state;
	on_terminal(80, in, of_unknown_length, &text);
	assert_true(has(&text, "tool: taking files  10.0 MiB  "));
	assert_false(has(&text, " of "));
	assert_false(has(&text, "left"));
	on_terminal(80, in, longer_than_was_said, &text);
	assert_true(has(&text, "tool: checking  2.0 KiB  "));
	assert_false(has(&text, " of "));
	assert_false(has(&text, "left"));
	buf_clear(&text);
	close(in);
}

/* Of "export | deploy-repo -" it is export that knows how much there is. */
static void
who_reads_a_pipe_leaves_the_line_to_who_writes_it(void **state)
{
	struct buf text = BUF_INIT;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	on_terminal(80, ends[0], of_unknown_length, &text);
	assert_false(has(&text, "taking files  "));
	/* and what it says stands on a line without the writer's remains */
	assert_true(begins(&text, "\r\033[Ktool: a step\r\n"
	    "\r\033[Ktool: taking files: 10.0 MiB in "));
	on_terminal(80, ends[0], of_known_length, &text);
	assert_true(has(&text, "tool: checking  2.0 KiB of 4.0 KiB  "));
	close(ends[0]);
	close(ends[1]);
	buf_clear(&text);
}

static void
narrow(void)
{
	log_progress_start("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad",
	    4096);
	add_in_time(1024);
	log_progress_end();
	log_status("%s", "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad");
	log_status("%s", "");
}

/* A line that the terminal has wrapped could not be erased. */
static void
what_redraws_never_wraps(void **state)
{
	struct buf text = BUF_INIT;
	int in = open("/dev/null", O_RDONLY);

	(void)state;
	on_terminal(12, in, narrow, &text);
	assert_true(has(&text, "\r\033[Ktool: \xe4\xb8\xad\xe4\xb8\xad\r"));
	assert_true(has(&text, "tool: \xe4\xb8\xad\xe4\xb8\xad\r\033[K"));
	buf_clear(&text);
	close(in);
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
		cmocka_unit_test(times),
		cmocka_unit_test(lines),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(progress),
		cmocka_unit_test(a_line_redraws),
		cmocka_unit_test(without_a_total_there_is_no_time_left),
		cmocka_unit_test(
		    who_reads_a_pipe_leaves_the_line_to_who_writes_it),
		cmocka_unit_test(what_redraws_never_wraps),
		cmocka_unit_test(threads_do_not_mix_their_lines),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
