/*
 * lib/sys/io.h: pipes and fifos that keep us waiting, and signals meanwhile.
 */
#include "tests/unit/support.h"


#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/io.h"

#define LARGE ((size_t)1 << 20)		/* more than a pipe holds */

static void
reads_what_is_there_then_the_end(void **state)
{
	struct err e = ERR_INIT;
	char text[8];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "abc", 3), 3);
	assert_int_equal(io_read(ends[0], text, 2, "p", &e), 2);
	assert_int_equal(io_read(ends[0], text, 8, "p", &e), 1);
	close(ends[1]);
	assert_int_equal(io_read(ends[0], text, 8, "p", &e), 0);
	close(ends[0]);
	put_str("f", "abc");
	ends[0] = open("f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(io_read(ends[0], text, 8, "f", &e), 3);
	assert_int_equal(io_read(ends[0], text, 8, "f", &e), 0);
	close(ends[0]);
}

static void
failures_name_the_thing(void **state)
{
	struct err e;
	char text[8];
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int dir = open(".", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_fails(io_read(dir, text, 8, "d", &e), e, ERR_IO,
	    "read 'd': Is a directory");
	assert_fails(io_read(dir, text, 8, NULL, &e), e, ERR_IO,
	    "read: Is a directory");
	assert_ok(io_write(full, "", 0, "full", &e), e);
	assert_fails(io_write(full, "x", 1, "full", &e), e, ERR_IO,
	    "write 'full': No space left on device");
	close(dir);
	assert_fails(io_write(dir, "x", 1, "gone", &e), e, ERR_IO,
	    "write 'gone': Bad file descriptor");
	assert_fails(io_read(-1, text, 8, "none", &e), e, ERR_IO,
	    "read 'none': Bad file descriptor");
	close(full);
}

/* What a slow reader gets is all of it; the writer may be non-blocking. */
static int
write_all_of_it(void *arg)
{
	const int *ends = arg;
	char *data = mem_zero(LARGE, 1);
	struct err e = ERR_INIT;

	close(ends[0]);
	memset(data, 'x', LARGE);
	return io_write(ends[1], data, LARGE, "p", &e) < 0;
}

static void
check_all_arrives(int flags)
{
	char *got = mem_zero(LARGE + 1, 1);
	struct err e = ERR_INIT;
	int ends[2], status;
	size_t n = 0;
	ssize_t k;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC | flags), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(write_all_of_it(ends));
	close(ends[1]);
	while ((k = io_read(ends[0], got + n, LARGE + 1 - n, "p", &e)) > 0)
		n += (size_t)k;
	assert_int_equal(k, 0);
	assert_int_equal(n, LARGE);
	assert_non_null(memchr(got, 'x', 1));
	assert_null(memchr(got, 0, LARGE));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ends[0]);
	free(got);
}

static void
a_slow_reader_gets_all(void **state)
{
	(void)state;
	check_all_arrives(0);
	check_all_arrives(O_NONBLOCK);
}

/* ------------------------------------------------------------- a signal */

enum wait { READING, WRITING, A_FIFO, TIDYING };

/* A signal that has come already: no EINTR will end a wait that begins now. */
static int
wait_for_ever(void *arg)
{
	const enum wait *what = arg;
	char *data = mem_zero(LARGE, 1);
	struct err e = ERR_INIT;
	int ends[2], fd, status = 0;

	cleanup_start();
	raise(SIGTERM);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return 1;
	switch (*what) {
	case READING:
		status = (int)io_read(ends[0], data, 1, "p", &e);
		break;
	case WRITING:
		status = io_write(ends[1], data, LARGE, "p", &e);
		break;
	case A_FIFO:
		fd = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		status = (int)io_read(fd, data, 1, "fifo", &e);
		break;
	case TIDYING:
		fd = open("f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		return io_write(fd, data, LARGE, "f", &e) < 0 ? 4 : 0;
	}
	return status != -1 ? 2 : e.kind != ERR_SIGNAL ? 3 : 0;
}

static void
a_signal_ends_a_wait(void **state)
{
	static enum wait waits[] = {READING, WRITING, A_FIFO, TIDYING};
	size_t i;

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	for (i = 0; i < COUNT(waits); i++)
		assert_int_equal(in_child(wait_for_ever, &waits[i]), 0);
}

/* A fifo without a writer is not one that has ended. */
static void
a_fifo_is_waited_for(void **state)
{
	struct err e = ERR_INIT;
	char text[8];
	pid_t pid;
	int fd = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC), out;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		usleep(150000);		/* longer than one wait */
		out = open("fifo", O_WRONLY | O_CLOEXEC);
		_exit(write(out, "abc", 3) != 3);
	}
	assert_int_equal(io_read(fd, text, 8, "fifo", &e), 3);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(io_read(fd, text, 8, "fifo", &e), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_there_then_the_end),
		cmocka_unit_test(failures_name_the_thing),
		cmocka_unit_test(a_slow_reader_gets_all),
		cmocka_unit_test(a_signal_ends_a_wait),
		cmocka_unit_test(a_fifo_is_waited_for),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
