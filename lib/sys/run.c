#include "lib/sys/run.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_LIMIT ((size_t)64 << 10)

extern char **environ;

static int
spawn(const char *const argv[], int output, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int code;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	code = posix_spawnp(pid, argv[0], &actions, NULL, (char **)argv,
	    environ);
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

static void
collect(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		if (out != NULL && out->n < OUTPUT_LIMIT)
			buf_add(out, chunk, (size_t)n);
	}
}

int
run_wait(const char *const argv[], struct buf *out, struct err *e)
{
	int ends[2], code, status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	code = spawn(argv, ends[1], &pid);
	close(ends[1]);
	if (code != 0) {
		close(ends[0]);
		return err_set(e, ERR_UNAVAILABLE, "start '%s': %s", argv[0],
		    strerror(code));
	}
	collect(ends[0], out);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for '%s'", argv[0]);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_UNAVAILABLE, "'%s' died of signal %d",
		    argv[0], WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return err_set(e, ERR_UNAVAILABLE, "'%s' failed, status %d",
		    argv[0], WEXITSTATUS(status));
	return 0;
}
