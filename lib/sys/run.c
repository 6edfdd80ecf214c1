#include "lib/sys/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define OUTPUT_LIMIT ((size_t)64 << 10)
#define SLICE_MS 100	/* a signal may be another thread's to handle */
#define TERM_MS 500	/* for a program that ends well when it is asked to */
#define KILL_MS 2000	/* one that hangs in the kernel is left to it */

extern char **environ;

/* ------------------------------------------------------- a child's end */

/* Until it has ended. Not reaped, it keeps its number, as does its group. */
static void
await_end(pid_t pid, int64_t ms)
{
	struct pollfd ended = {.events = POLLIN};
	int64_t end = clock_ms() + ms, left = ms;

	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	while (left > 0 && ended.fd >= 0 &&
	    poll(&ended, 1, left < SLICE_MS ? (int)left : SLICE_MS) <= 0)
		left = end - clock_ms();
	if (ended.fd >= 0)
		close(ended.fd);
}

bool
run_reap(pid_t pid, int64_t ms, int *status)
{
	await_end(pid, ms);
	return waitpid(pid, status, WNOHANG) == pid;
}

void
run_end(pid_t pid, int64_t ms)
{
	int status;

	kill(-pid, SIGTERM);
	await_end(pid, ms);
	kill(-pid, SIGKILL);
	(void)run_reap(pid, KILL_MS, &status);
}

/* -------------------------------------------------------------- a program */

static int
spawn(const char *const argv[], int output, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	int code;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGCHLD);
	posix_spawnattr_setsigdefault(&attr, &set);
	code = posix_spawnp(pid, argv[0], &actions, &attr, (char **)argv,
	    environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

/* What the pipe holds by now, without waiting; false at its end. */
static bool
collect(int fd, struct buf *out)
{
	char chunk[OUTPUT_LIMIT];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n > 0 && out != NULL && out->n < OUTPUT_LIMIT)
		buf_add(out, chunk, (size_t)n < OUTPUT_LIMIT - out->n ?
		    (size_t)n : OUTPUT_LIMIT - out->n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Until the program has ended: what it has started may have its output. */
static int
follow(const char *name, pid_t pid, int fd, int seconds, struct buf *out,
    struct err *e)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN},
	    {.events = POLLIN}};
	int64_t end = clock_ms() + (int64_t)seconds * 1000;
	int status = 0;

	p[1].fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p[1].fd < 0)
		return err_sys(e, "watch '%s'", name);
	while (status == 0 && p[1].revents == 0) {
		poll(p, COUNT(p), SLICE_MS);
		if (p[0].revents != 0 && !collect(fd, out))
			p[0].fd = -1;
		if (p[1].revents == 0 && clock_ms() >= end)
			status = err_set(e, ERR_AGAIN, "'%s' is still "
			    "running after %d seconds", name, seconds);
		else if (p[1].revents == 0)
			status = cleanup_check(e);
	}
	(void)collect(fd, out);
	close(p[1].fd);
	return status;
}

int
run_wait(const char *const argv[], int seconds, struct buf *out,
    struct err *e)
{
	int ends[2], code, status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	code = spawn(argv, ends[1], &pid);
	close(ends[1]);
	if (code != 0) {
		close(ends[0]);
		errno = code;
		if (code == EMFILE || code == ENFILE || code == ENOMEM)
			return err_sys(e, "start '%s'", argv[0]);
		return err_set(e, code == EAGAIN ? ERR_AGAIN :
		    ERR_UNAVAILABLE, "start '%s': %s", argv[0],
		    strerror(code));
	}
	code = follow(argv[0], pid, ends[0], seconds, out, e);
	close(ends[0]);
	if (code < 0) {
		run_end(pid, TERM_MS);
		return -1;
	}
	if (!run_reap(pid, 0, &status))
		return err_sys(e, "wait for '%s'", argv[0]);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_UNAVAILABLE, "'%s' was killed by "
		    "signal %d",
		    argv[0], WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return err_set(e, ERR_UNAVAILABLE, "'%s' failed with status %d",
		    argv[0], WEXITSTATUS(status));
	return 0;
}
