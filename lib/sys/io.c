#include "lib/sys/io.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sys/cleanup.h"

#define SLICE_MS 100	/* a signal may be another thread's to handle */
#define PIPE_CHUNK 4096	/* a pipe that poll(2) says is writable takes this */

static int
fail(const char *doing, const char *name, struct err *e)
{
	return name != NULL ? err_sys(e, "%s '%s'", doing, name) :
	    err_sys(e, "%s", doing);
}

static int
wait_for(int fd, short events, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = events};

	/* poll(2) passes over -1; read(2) and write(2) will say EBADF */
	do
		if (cleanup_check(e) < 0)
			return -1;
	while (poll(&p, 1, SLICE_MS) <= 0 && fd >= 0);
	return 0;
}

ssize_t
io_read(int fd, void *data, size_t n, const char *name, struct err *e)
{
	ssize_t got;

	do {
		if (wait_for(fd, POLLIN, e) < 0)
			return -1;
		got = read(fd, data, n);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	return got < 0 ? fail("read", name, e) : got;
}

int
io_write(int fd, const void *data, size_t n, const char *name, struct err *e)
{
	const char *p = data;
	struct stat st;
	bool may_wait = fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
	ssize_t done;

	while (n > 0) {
		if (may_wait && wait_for(fd, POLLOUT, e) < 0)
			return -1;
		done = write(fd, p,
		    may_wait && n > PIPE_CHUNK ? PIPE_CHUNK : n);
		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done < 0)
			return fail("write", name, e);
		p += done;
		n -= (size_t)done;
	}
	return 0;
}
