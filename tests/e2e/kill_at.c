/*
 * Loaded before a tool: writes each call by which the tool changes a disk, with
 * the name that is changed, as a line of the file KILL_LOG, and kills it
 * instead of call number KILL_AT, from 0. KILL_CALLS, if it is set, has the
 * names of the calls that count, each between blanks. The calls of all its
 * threads are counted together, those of its children are not.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int calls;
static int limit = -1, log_fd = -1;
static pid_t first;
static char only[512];

/* The tool clears its environment: this comes before. */
__attribute__((constructor)) static void
start(void)
{
	const char *at = getenv("KILL_AT"), *log = getenv("KILL_LOG");
	const char *those = getenv("KILL_CALLS");

	first = getpid();
	if (at != NULL)
		limit = atoi(at);
	if (those != NULL)
		snprintf(only, sizeof(only), "%s", those);
	if (log != NULL)
		log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		    0644);
}

static void
count(const char *call, const char *name)
{
	char line[512], word[32];
	int n;

	snprintf(word, sizeof(word), " %s ", call);
	if (getpid() != first ||
	    (only[0] != '\0' && strstr(only, word) == NULL))
		return;
	n = snprintf(line, sizeof(line), "%s %s\n", call, name);
	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	if (log_fd >= 0 && write(log_fd, line, (size_t)n) != n)
		abort();
	if (atomic_fetch_add(&calls, 1) == limit)
		raise(SIGKILL);
}

/* CALL(name, what it is about, parameters, arguments) */
#define CALL(call, what, parameters, ...)				\
int									\
call parameters								\
{									\
	count(#call, what);						\
	return ((__typeof__(&call))dlsym(RTLD_NEXT, #call))(__VA_ARGS__); \
}

CALL(mkdirat, a, (int d, const char *a, mode_t m), d, a, m)
CALL(unlinkat, a, (int d, const char *a, int f), d, a, f)
CALL(unlink, a, (const char *a), a)
CALL(rmdir, a, (const char *a), a)
CALL(rename, b, (const char *a, const char *b), a, b)
CALL(renameat, b, (int d, const char *a, int g, const char *b), d, a, g, b)
CALL(renameat2, b, (int d, const char *a, int g, const char *b, unsigned f),
    d, a, g, b, f)
CALL(linkat, b, (int d, const char *a, int g, const char *b, int f),
    d, a, g, b, f)
CALL(symlinkat, b, (const char *a, int d, const char *b), a, d, b)
CALL(ftruncate, "", (int f, off_t n), f, n)
CALL(fchmod, "", (int f, mode_t m), f, m)
CALL(fchmodat, a, (int d, const char *a, mode_t m, int f), d, a, m, f)
CALL(utimensat, "",
    (int d, const char *a, const struct timespec t[2], int f), d, a, t, f)
CALL(futimens, "", (int f, const struct timespec t[2]), f, t)
CALL(fsync, "", (int f), f)
CALL(fdatasync, "", (int f), f)
CALL(syncfs, "", (int f), f)
