#include "lib/sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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
