/*
 * What the unit tests share. A group of tests works in a directory of its
 * own below /tmp, which is the current directory too, so that the commands
 * given to run() are fixed strings:
 *
 *	cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
 */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

static char scratch_path[64];
static int scratch = -1;	/* the directory, open */

static inline int
scratch_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

static inline int
scratch_enter(void **state)
{
	(void)state;
	strcpy(scratch_path, "/tmp/vcicd-unit.XXXXXX");
	if (mkdtemp(scratch_path) == NULL || chdir(scratch_path) < 0)
		return -1;
	scratch = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch < 0 ? -1 : 0;
}

static inline int
scratch_leave(void **state)
{
	(void)state;
	close(scratch);
	if (chdir("/") < 0)
		return -1;
	return nftw(scratch_path, scratch_remove_one, 16,
	    FTW_DEPTH | FTW_PHYS);
}

/* A fixed command, for tools that judge or make what a test looks at. */
static inline void
run(const char *command)
{
	int status = system(command);

	if (status != 0)
		fail_msg("status %d of: %s", status, command);
}

static inline bool
run_succeeds(const char *command)
{
	return system(command) == 0;
}

static inline void
put(const char *name, const void *data, size_t n)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static inline void
put_str(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

/* Appends the whole file. */
static inline void
get(const char *name, struct buf *b)
{
	FILE *f = fopen(name, "re");
	size_t n;

	if (f == NULL)
		fail_msg("open %s: %s", name, strerror(errno));
	do {
		n = fread(buf_room(b, 65536), 1, 65536, f);
		b->n += n;
		b->p[b->n] = '\0';
	} while (n > 0);
	fclose(f);
}

static inline bool
there_is(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

/* How many names a directory has, "." and ".." not counted. */
static inline size_t
count_names(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0;
	closedir(d);
	return n;
}

/* Bytes as an open file, at its begin. */
static inline int
file_of(const void *data, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, n, 0), n);
	return fd;
}

/* In a new process: what goes wrong there is for the parent to report. */
static inline void
default_signals(void)
{
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGFPE, SIG_DFL);
}

/*
 * Runs part in a process of its own and returns its wait status; the value
 * of part is the exit status.
 */
static inline int
in_child(int (*part)(void *), void *arg)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		default_signals();
		_exit(part(arg));
	}
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return status;
}

/* What is written to stderr goes to the file until unmuted. */
static inline int
mute_stderr(const char *name)
{
	int before = dup(STDERR_FILENO);
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(before >= 0 && fd >= 0);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return before;
}

static inline void
unmute_stderr(int before)
{
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
}

static inline void
check_err(const struct err *e, int kind, const char *part, const char *file,
    int line)
{
	if ((int)e->kind == kind && strstr(e->text, part) != NULL)
		return;
	print_error("wanted kind %d and '%s', got %d: %s\n", kind, part,
	    (int)e->kind, e->text);
	_fail(file, line);
}

#define assert_ok(call, e) do {						\
	if ((call) < 0) {						\
		print_error("%s: %s\n", #call, (e).text);		\
		_fail(__FILE__, __LINE__);				\
	}								\
} while (0)

/* The call returns -1 with this kind and these words in its text. */
#define assert_fails(call, e, kind, part) do {				\
	(e) = (struct err)ERR_INIT;					\
	if ((call) >= 0) {						\
		print_error("%s: succeeded, wanted '%s'\n", #call,	\
		    part);						\
		_fail(__FILE__, __LINE__);				\
	}								\
	check_err(&(e), kind, part, __FILE__, __LINE__);		\
} while (0)

#endif
