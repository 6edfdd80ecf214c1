#include "lib/sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/sys/log.h"
#include "lib/sys/secret.h"

#define DATA_LIMIT ((rlim_t)2 << 30)

/* linux/landlock.h of Debian 12 ends at ABI 2; ABI 3 is Linux 6.2. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

static const uint64_t writing =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
    LANDLOCK_ACCESS_FS_REFER;

static bool is_entered;

static int
allow(int rules, const char *path, uint64_t access, struct err *e)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access};
	long status;

	rule.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open '%s'", path);
	status = syscall(SYS_landlock_add_rule, rules,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (status < 0)
		err_sys(e, "allow writing in '%s'", path);
	close(rule.parent_fd);
	return (int)status;
}

static int
restrict_writing(const struct strv *writable, struct err *e)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = writing};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	int rules, status = 0;
	size_t i;

	/* ABI 1 forbids every link and rename between directories. */
	if (abi < 2) {
		log_detail("this kernel has no Landlock (ABI 2): no sandbox");
		return 0;
	}
	if (abi >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr),
	    0);
	if (rules < 0)
		return err_sys(e, "create Landlock ruleset");
	for (i = 0; i < writable->n && status == 0; i++)
		status = allow(rules, writable->v[i], attr.handled_access_fs,
		    e);
	for (i = 0; secret_places[i] != NULL && status == 0; i++)
		status = allow(rules, secret_places[i],
		    attr.handled_access_fs, e);
	if (status == 0)
		status = allow(rules, "/dev", attr.handled_access_fs, e);
	if (status == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		status = err_sys(e, "enter Landlock sandbox");
	close(rules);
	return status;
}

int
sandbox_enter(const struct strv *writable, struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "prctl(PR_SET_NO_NEW_PRIVS)");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct rlimit limit = {DATA_LIMIT, DATA_LIMIT};

	/* The sanitizers' own tables are larger than any bound. */
	if (setrlimit(RLIMIT_DATA, &limit) < 0 && errno != EPERM)
		return err_sys(e, "setrlimit(RLIMIT_DATA)");
#endif
	is_entered = restrict_writing(writable, e) == 0;
	return is_entered ? 0 : -1;
}

bool
sandbox_is_entered(void)
{
	return is_entered;
}

/* ------------------------------------------------------------- the seal */

#define SEALED_DATA ((rlim_t)1 << 30)	/* xz -9 needs 65 MiB of it */
#define NOBODY 65534

bool
sandbox_is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#else
	return false;
#endif
}

static long
landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
}

/* Also where another filter, a container's, forbids to ask. */
static bool
has_seccomp(void)
{
	uint32_t action = SCMP_ACT_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

void
sandbox_tell_absent(void)
{
	if (landlock_abi() < 1)
		log_detail("this kernel has no Landlock: readers of packages "
		    "do without");
	if (!has_seccomp())
		log_detail("this kernel has no seccomp: readers of packages "
		    "do without");
}

static int
limit_resources(struct err *e)
{
	static const struct {
		int resource;
		rlim_t most;
		const char *name;
	} limits[] = {
		{RLIMIT_CORE, 0, "RLIMIT_CORE"},
		{RLIMIT_FSIZE, 0, "RLIMIT_FSIZE"},
		{RLIMIT_DATA, SEALED_DATA, "RLIMIT_DATA"},
	};
	struct rlimit limit;
	size_t i;

	for (i = 0; i < COUNT(limits); i++) {
		if (sandbox_is_sanitized() &&
		    limits[i].resource == RLIMIT_DATA)
			continue;
		limit.rlim_cur = limit.rlim_max = limits[i].most;
		if (setrlimit(limits[i].resource, &limit) < 0 &&
		    errno != EPERM)
			return err_sys(e, "setrlimit(%s)", limits[i].name);
	}
	return 0;
}

/* A container may have no such user, or not let us: then it stays as it is. */
static void
become_nobody(void)
{
	if (geteuid() != 0 || setgroups(0, NULL) < 0)
		return;
	if (setresgid(NOBODY, NOBODY, NOBODY) == 0)
		(void)!setresuid(NOBODY, NOBODY, NOBODY);
}

/* Nothing may be done with any file, nor, by ABI 4 and 6, much else. */
static int
allow_no_file(struct err *e)
{
	/* linux/landlock.h of Debian 12 has the first of these only */
	struct {
		uint64_t fs, net, scoped;
	} attr = {.fs = ((uint64_t)LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	long abi = landlock_abi();
	size_t n = sizeof(attr.fs);
	int ruleset, status = 0;

	if (abi < 1)
		return 0;
	if (abi >= 2)
		attr.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		attr.fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 4) {
		attr.net = 1 << 0 | 1 << 1;	/* bind and connect TCP */
		n += sizeof(attr.net);
	}
	if (abi >= 5)
		attr.fs |= (uint64_t)1 << 15;	/* ioctl of devices */
	if (abi >= 6) {
		attr.scoped = 1 << 0 | 1 << 1;	/* abstract sockets, signals */
		n += sizeof(attr.scoped);
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, n, 0);
	if (ruleset < 0)
		return err_sys(e, "create Landlock ruleset");
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		status = err_sys(e, "enter Landlock sandbox");
	close(ruleset);
	return status;
}

struct rule {
	uint32_t action;
	int call;
	unsigned n;		/* arguments that are compared */
	struct scmp_arg_cmp compared[2];
};

#define ALLOW(call) {SCMP_ACT_ALLOW, SCMP_SYS(call), 0, {{0, 0, 0, 0}}}
#define ALLOW_ON(call, fd)						\
	{SCMP_ACT_ALLOW, SCMP_SYS(call), 1, {SCMP_A0(SCMP_CMP_EQ, fd, 0)}}
#define FAIL(call)							\
	{SCMP_ACT_ERRNO(EACCES), SCMP_SYS(call), 0, {{0, 0, 0, 0}}}

/* What a C library needs for memory, and for its end. */
static const struct rule rules[] = {
	ALLOW_ON(read, STDIN_FILENO),
	ALLOW_ON(write, STDOUT_FILENO),
	ALLOW_ON(write, STDERR_FILENO), ALLOW_ON(writev, STDERR_FILENO),
	/*
	 * no memory that can be executed, none that is a file, and none that
	 * RLIMIT_DATA does not count, which is what is shared or a stack
	 */
	{SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, {
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
	    SCMP_A3(SCMP_CMP_MASKED_EQ,
		MAP_TYPE | MAP_ANONYMOUS | MAP_GROWSDOWN,
		MAP_PRIVATE | MAP_ANONYMOUS)}},
	{SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, {
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
	ALLOW(brk), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise),
	ALLOW(exit), ALLOW(exit_group), ALLOW(rt_sigreturn),
	ALLOW(restart_syscall), ALLOW(futex), ALLOW(sched_yield),
	ALLOW(getpid), ALLOW(gettid), ALLOW(rt_sigprocmask),
	ALLOW(clock_gettime), ALLOW(gettimeofday), ALLOW(time),
	ALLOW(getrandom),
	/* qsort(3) asks how much memory there is */
	ALLOW(sysinfo),
	FAIL(open), FAIL(openat), FAIL(access),
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* what their own locks, stacks and reports need */
	ALLOW(sigaltstack), ALLOW(rt_sigaction), ALLOW(close),
	ALLOW(getrlimit), ALLOW(prlimit64), ALLOW(sched_getaffinity),
	ALLOW(nanosleep), ALLOW(clock_nanosleep), FAIL(readlink),
#endif
};

/* abort(3) is a signal to ourselves. */
static int
allow_abort(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0),
	    SCMP_A2(SCMP_CMP_EQ, SIGABRT, 0));
}

static int
add_rules(scmp_filter_ctx filter)
{
	const struct rule *r;
	int code = allow_abort(filter);

	for (r = rules; r < rules + COUNT(rules) && code == 0; r++)
		code = seccomp_rule_add_array(filter, r->action, r->call,
		    r->n, r->compared);
	return code;
}

static int
filter_calls(struct err *e)
{
	scmp_filter_ctx filter;
	int code;

	if (!has_seccomp())
		return 0;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return err_set(e, ERR_RESOURCE, "make a seccomp filter");
	code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS);
	if (code == 0)
		code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (code == 0)
		code = add_rules(filter);
	if (code == 0)
		code = seccomp_load(filter);
	seccomp_release(filter);
	errno = -code;
	return code == 0 ? 0 : err_sys(e, "load a seccomp filter");
}

int
sandbox_seal(pid_t parent, struct err *e)
{
	if (limit_resources(e) < 0)
		return -1;
	become_nobody();
	/* a new user takes these back */
	if (!sandbox_is_sanitized() && prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "prctl(PR_SET_DUMPABLE)");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "prctl(PR_SET_PDEATHSIG)");
	if (getppid() != parent)
		return err_set(e, ERR_SIGNAL, "the tool has ended");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "prctl(PR_SET_NO_NEW_PRIVS)");
	if (allow_no_file(e) < 0)
		return -1;
	return filter_calls(e);
}
