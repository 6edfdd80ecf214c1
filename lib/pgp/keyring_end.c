#include "lib/pgp/keyring_end.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/sys/fs.h"
#include "lib/sys/run.h"

#define KILL_PATIENCE 2000	/* milliseconds */
#define MOST_LOOKS 400		/* of 5 ms and more */

enum worker {
	STRANGER,
	WORKER,		/* was started for this home: gpg, or its agent */
	UNDECIDED	/* is in the middle of its exec */
};

/*
 * The command line of a process is empty once it has ended, and for the moment
 * of its exec in which it has the new program already, but not its arguments.
 * On a busy machine that is time enough for an agent to be overlooked.
 */
static enum worker
judge_empty(int proc, const char *pid)
{
	char *path = mem_format("%s/exe", pid), program[1];
	ssize_t n = readlinkat(proc, path, program, sizeof(program));

	free(path);
	return n < 0 ? STRANGER : UNDECIDED;
}

static enum worker
judge_process(int proc, const char *pid, const char *home)
{
	char *path = mem_format("%s/cmdline", pid), line[4096];
	struct stat st;
	ssize_t n, at;
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);

	free(path);
	if (fd < 0)
		return STRANGER;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid()) {
		close(fd);
		return STRANGER;
	}
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n == 0)
		return judge_empty(proc, pid);
	line[n > 0 ? n : 0] = '\0';
	for (at = 0; at < n; at += (ssize_t)strlen(line + at) + 1)
		if (strcmp(line + at, home) == 0)
			return WORKER;
	return STRANGER;
}

static void
kill_process(pid_t pid)
{
	struct pollfd ended = {.events = POLLIN};

	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ended.fd < 0)
		return;
	/* It keeps nothing but what is removed anyway. */
	syscall(SYS_pidfd_send_signal, ended.fd, SIGKILL, NULL, 0);
	poll(&ended, 1, KILL_PATIENCE);
	close(ended.fd);
}

/*
 * Ends all that works for this home; how many there were, or may be. A gpg that
 * was interrupted may just be starting the agent, so its socket tells too
 * little: the processes do.
 */
static size_t
kill_workers(const char *home)
{
	struct strv names = STRV_INIT;
	struct err ignored = ERR_INIT;
	int proc = fs_open_dir("/proc", &ignored);
	enum worker worker;
	size_t i, found = 0;

	if (proc < 0)
		return 0;
	(void)fs_list(proc, &names, &ignored);
	for (i = 0; i < names.n; i++) {
		if (names.v[i][0] < '1' || names.v[i][0] > '9')
			continue;
		worker = judge_process(proc, names.v[i], home);
		if (worker == WORKER)
			kill_process((pid_t)atol(names.v[i]));
		found += worker != STRANGER;
	}
	strv_clear(&names);
	close(proc);
	return found;
}

/* gpg puts sockets beneath /run/user/UID where that exists. */
static void
remove_sockets(const char *home)
{
	const char *argv[] = {"gpgconf", "--homedir", home,
	    "--remove-socketdir", NULL};
	struct err ignored = ERR_INIT;
	char runtime[64];

	snprintf(runtime, sizeof(runtime), "/run/user/%u",
	    (unsigned)geteuid());
	if (access(runtime, F_OK) == 0)
		(void)run_wait(argv, NULL, &ignored);
}

/*
 * Two looks must find nothing: a process can start another one, with a number
 * that the look has passed, and end before its own comes.
 */
void
keyring_end(const char *home)
{
	static const struct timespec pause = {.tv_nsec = 5000000};
	struct err ignored = ERR_INIT;
	int i, quiet = 0;

	if (kill_workers(home) > 1)
		nanosleep(&pause, NULL);	/* what they were starting */
	remove_sockets(home);
	for (i = 0; i < MOST_LOOKS && quiet < 2; i++) {
		(void)fs_remove_tree(AT_FDCWD, home, &ignored);
		if (kill_workers(home) == 0 && access(home, F_OK) < 0) {
			quiet++;
			continue;
		}
		quiet = 0;
		nanosleep(&pause, NULL);
	}
}
