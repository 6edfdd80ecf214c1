#include "lib/pgp/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/pgp/keyring_end.h"
#include "lib/sys/fs.h"

#define PREFIX "veilid-cicd-keys."
#define STALE_SECONDS 60	/* a directory without a lock is left over */

/*
 * No pinentry, no network, no other homes. The passphrase of a key that
 * lives for seconds in memory needs no stretching; gpg's default would spend
 * a second on calibrating it.
 */
static const char gpg_conf[] =
    "batch\nno-tty\npinentry-mode loopback\ntrust-model always\n"
    "no-auto-check-trustdb\ndisable-dirmngr\ndigest-algo SHA512\n"
    "no-emit-version\nno-comments\n";
static const char agent_conf[] =
    "allow-loopback-pinentry\ndisable-scdaemon\ns2k-count 65536\n";

static bool
is_in_memory(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (fs.f_type == TMPFS_MAGIC ||
	    fs.f_type == RAMFS_MAGIC) && access(path, W_OK | X_OK) == 0;
}

static const char *
find_place(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (runtime != NULL && path_starts_with(runtime, "/run/user/") &&
	    is_in_memory(runtime))
		return runtime;
	return is_in_memory("/dev/shm") ? "/dev/shm" : NULL;
}

/* ------------------------------------------------- what was left over */

/*
 * One that was killed before it made the lock left an empty directory. Its
 * process id is in the name; where that tells nothing, time does.
 */
static bool
is_begun_by_dead(const char *home, const struct stat *st)
{
	const char *pid = strstr(home, PREFIX) + strlen(PREFIX);

	return (kill((pid_t)atol(pid), 0) < 0 && errno == ESRCH) ||
	    time(NULL) - st->st_mtime >= STALE_SECONDS;
}

/* Locks are held by the owner and its keeper, so a free one is left over. */
static void
remove_if_stale(const char *home)
{
	char *lock = mem_format("%s/lock", home);
	struct stat st;
	int fd = -1;

	if (lstat(home, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid())
		goto out;
	fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && !is_begun_by_dead(home, &st))
		goto out;
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		goto out;
	keyring_end(home);
out:
	if (fd >= 0)
		close(fd);
	free(lock);
}

static void
remove_stale_homes(const char *place)
{
	struct strv names = STRV_INIT;
	struct err ignored = ERR_INIT;
	char *home;
	size_t i;
	int dir = fs_open_dir(place, &ignored);

	if (dir < 0)
		return;
	(void)fs_list(dir, &names, &ignored);
	close(dir);
	for (i = 0; i < names.n; i++) {
		if (!path_starts_with(names.v[i], PREFIX))
			continue;
		home = mem_format("%s/%s", place, names.v[i]);
		remove_if_stale(home);
		free(home);
	}
	strv_clear(&names);
}

/* ------------------------------------------------------------- the keeper */

/* Waits until no copy of the other end of the pipe is open, then clears up. */
static void
keep(const char *home, int alive, int lock)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	size_t i;
	char byte;
	int null;

	setsid();
	for (i = 0; i < COUNT(ignored); i++)
		signal(ignored[i], SIG_IGN);
	/*
	 * Nothing of the parent's may stay open here: not its locks, not the
	 * pipe that somebody waits on. The two descriptors move to 3 and 4.
	 */
	null = open("/dev/null", O_RDWR);
	if (lock == 3)
		lock = dup(lock);
	dup2(alive, 3);
	if (lock == 4)
		lock = dup(lock);
	dup2(lock, 4);
	for (i = 0; i < 3; i++)
		dup2(null, (int)i);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	fcntl(4, F_SETFD, FD_CLOEXEC);
	syscall(SYS_close_range, 5U, ~0U, 0U);
	while (read(3, &byte, 1) < 0 && errno == EINTR)
		;
	keyring_end(home);
	_exit(0);
}

static int
start_keeper(struct keyring *k, int lock, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	k->keeper = fork();
	if (k->keeper < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_sys(e, "start a process");
	}
	if (k->keeper == 0) {
		close(ends[1]);
		keep(k->home, ends[0], lock);
	}
	close(ends[0]);
	k->alive = ends[1];
	return 0;
}

static int
furnish(const char *home, bool has_secrets, int *lock, struct err *e)
{
	char *conf = mem_format("%s%s", gpg_conf,
	    has_secrets ? "" : "no-autostart\n");
	int dir = fs_open_dir(home, e), status = -1;

	if (dir < 0)
		goto out;
	*lock = openat(dir, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) < 0)
		err_sys(e, "lock '%s'", home);
	else if (fs_write(dir, "gpg.conf", conf, strlen(conf), 0600, e) == 0 &&
	    fs_write(dir, "gpg-agent.conf", agent_conf, strlen(agent_conf),
	    0600, e) == 0)
		status = 0;
	close(dir);
out:
	free(conf);
	return status;
}

int
keyring_open(struct keyring *k, bool has_secrets, struct err *e)
{
	const char *place = find_place();
	struct err ignored = ERR_INIT;
	int lock = -1, status = -1;

	if (place == NULL)
		return err_set(e, ERR_UNAVAILABLE, "no directory in memory for "
		    "the keys: mount a tmpfs on /dev/shm");
	remove_stale_homes(place);
	k->home = mem_format("%s/" PREFIX "%ld.XXXXXX", place, (long)getpid());
	if (mkdtemp(k->home) == NULL) {
		err_sys(e, "make a directory in '%s'", place);
		goto fail;
	}
	if (furnish(k->home, has_secrets, &lock, e) == 0)
		status = start_keeper(k, lock, e);
	if (lock >= 0)
		close(lock);	/* the keeper has it */
	if (status == 0)
		return 0;
	(void)fs_remove_tree(AT_FDCWD, k->home, &ignored);
fail:
	free(k->home);
	*k = (struct keyring)KEYRING_INIT;
	return -1;
}

void
keyring_close(struct keyring *k)
{
	if (k->home == NULL)
		return;
	close(k->alive);
	while (waitpid(k->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	free(k->home);
	*k = (struct keyring)KEYRING_INIT;
}
