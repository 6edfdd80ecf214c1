/*
 * lib/sys/reader.h: what goes in comes out, whatever its size; who dies is told
 * of; origins do not meet; nothing is left.
 */
#include "tests/unit/support.h"

#include "lib/sys/reader.h"

/* Says the bytes again, and how often it was asked before. */
static int
echo(uint32_t argument, struct err *e)
{
	static uint32_t calls;
	const void *chunk;
	ssize_t n;

	if (argument == 1)
		reader_say(&calls, sizeof(calls));
	calls++;
	while ((n = reader_source(NULL, &chunk, e)) > 0)
		if (argument == 0)
			reader_say(chunk, (size_t)n);
	return (int)n;
}

static int
refuse(uint32_t kind, struct err *e)
{
	return err_set(e, (enum err_kind)kind, "this is no package");
}

static int
die(uint32_t how, struct err *e)
{
	(void)e;
	if (how == 0)
		abort();
	_exit((int)how);
}

static int
ask(reader_work *work, uint32_t argument, size_t n, struct buf *answer,
    struct err *e)
{
	struct reader *r = reader_open(work, argument, e);
	char *data = calloc(1, n + 1);
	size_t done, part;
	int status = r != NULL ? 0 : -1;

	for (done = 0; done < n; done++)
		data[done] = (char)(done % 251);
	for (done = 0; done < n && status == 0; done += part) {
		part = n - done < 100000 ? n - done : 100000;
		status = reader_feed(r, data + done, part, e);
	}
	if (status == 0)
		status = reader_answer(r, "x", 8 << 20, answer, e);
	if (status == 0 && argument == 0)
		assert_true(answer->n == n &&
		    (n == 0 || memcmp(answer->p, data, n) == 0));
	reader_close(r);
	free(data);
	return status;
}

static void
what_goes_in_comes_out(void **state)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131067,
	    131072, 131073, 1000000, 8 << 20};
	struct buf answer = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		answer.n = 0;
		assert_ok(ask(echo, 0, sizes[i], &answer, &e), e);
	}
	buf_clear(&answer);
}

static void
more_than_the_limit_is_refused(void **state)
{
	struct buf answer = BUF_INIT;
	struct err e;

	(void)state;
	assert_fails(ask(echo, 0, (8 << 20) + 1, &answer, &e), e, ERR_DATA,
	    "says more than 8388608 bytes");
	buf_clear(&answer);
}

static void
errors_have_their_text_and_few_kinds(void **state)
{
	static const struct {
		enum err_kind said, kind;
	} kinds[] = {
		{ERR_DATA, ERR_DATA}, {ERR_IO, ERR_IO},
		{ERR_RESOURCE, ERR_RESOURCE}, {ERR_SIGNAL, ERR_DATA},
		{ERR_NONE, ERR_DATA}, {ERR_BUG, ERR_DATA},
	};
	struct buf answer = BUF_INIT;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		/* it takes what it does not want, too */
		assert_fails(ask(refuse, kinds[i].said, 500000, &answer, &e), e,
		    kinds[i].kind, "this is no package");
	buf_clear(&answer);
}

static void
who_dies_is_told_of(void **state)
{
	struct buf answer = BUF_INIT;
	struct err e;

	(void)state;
	assert_fails(ask(die, 0, 500000, &answer, &e), e, ERR_DATA,
	    "the reader of 'x' was killed by SIGABRT");
	assert_fails(ask(die, 3, 500000, &answer, &e), e, ERR_DATA,
	    "the reader of 'x' ended with status 3");
	assert_fails(ask(die, ERR_RESOURCE, 0, &answer, &e), e, ERR_RESOURCE,
	    "the reader of 'x' ran out of memory");
	assert_ok(ask(echo, 0, 7, &answer, &e), e);
	buf_clear(&answer);
}

/* How many packages the reader of this origin had before. */
static uint32_t
calls_of(unsigned origin)
{
	struct buf answer = BUF_INIT;
	struct err e = ERR_INIT;
	uint32_t calls;

	reader_set_origin(origin);
	assert_ok(ask(echo, 1, 1, &answer, &e), e);
	assert_int_equal(answer.n, sizeof(calls));
	memcpy(&calls, answer.p, sizeof(calls));
	buf_clear(&answer);
	return calls;
}

static void
origins_do_not_share_a_reader(void **state)
{
	(void)state;
	assert_int_equal(calls_of(7), 0);
	assert_int_equal(calls_of(7), 1);
	assert_int_equal(calls_of(8), 0);
	assert_int_equal(calls_of(7), 2);
	reader_set_origin(0);
}

static void
nothing_is_left(void **state)
{
	struct buf answer = BUF_INIT;
	struct err e;

	(void)state;
	reader_stop();
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_fails(ask(echo, 0, 1, &answer, &e), e, ERR_BUG,
	    "reader_start was not called");
	assert_ok(reader_start(&e), e);
	assert_ok(ask(echo, 0, 1, &answer, &e), e);
	buf_clear(&answer);
}

static int
start(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	return reader_start(&e);
}

static int
stop(void **state)
{
	(void)state;
	reader_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(more_than_the_limit_is_refused),
		cmocka_unit_test(errors_have_their_text_and_few_kinds),
		cmocka_unit_test(who_dies_is_told_of),
		cmocka_unit_test(origins_do_not_share_a_reader),
		cmocka_unit_test(nothing_is_left),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
