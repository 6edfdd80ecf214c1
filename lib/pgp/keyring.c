#include "lib/pgp/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/fs.h"
#include "lib/sys/run.h"

#define PREFIX "veilid-cicd-keys."
#define STALE_SECONDS 60	/* a directory without a lock is left over */
#define VERSION_SECONDS 60	/* for gpg to say its version */
#define GPGCONF_SECONDS 2
#define KEEPER_TRIES 30		/* of PATIENCE_MS each */
#define KEEPER_MS 15000		/* for the keeper's end */
#define KILL_MS 2000		/* for the end of what was killed */
#define LEAST_ROOM ((uint64_t)16 << 10)	/* bytes, for one more file */
#define PATIENCE_MS 10000	/* with what cannot be ended */

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

/* -------------------------------------------------------------- the end */

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

/*
 * Kills the process if it works for this home: it keeps nothing but what is
 * removed anyway. It is held before it is looked at, so that the one that is
 * killed is the one that was seen, whoever has its number by then.
 */
static enum worker
end_process(int proc, const char *pid, const char *home)
{
	struct pollfd held = {.events = POLLIN};
	enum worker worker;

	held.fd = (int)syscall(SYS_pidfd_open, (pid_t)atol(pid), 0);
	if (held.fd < 0)
		return STRANGER;
	worker = judge_process(proc, pid, home);
	if (worker == WORKER) {
		syscall(SYS_pidfd_send_signal, held.fd, SIGKILL, NULL, 0);
		poll(&held, 1, KILL_MS);
	}
	close(held.fd);
	return worker;
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
	size_t i, found = 0;

	if (proc < 0)
		return 0;
	(void)fs_list(proc, &names, &ignored);
	for (i = 0; i < names.n; i++) {
		if (names.v[i][0] < '1' || names.v[i][0] > '9')
			continue;
		found += end_process(proc, names.v[i], home) != STRANGER;
	}
	strv_clear(&names);
	close(proc);
	return found;
}

#define SOCKETS "sockets"	/* a file that says: there may be some */

/* gpg puts sockets beneath /run/user/UID where that exists. */
static void
remove_sockets(const char *home)
{
	char *mark = mem_format("%s/" SOCKETS, home);
	const char *argv[] = {"gpgconf", "--homedir", home,
	    "--remove-socketdir", NULL};
	struct err ignored = ERR_INIT;
	char runtime[64];

	snprintf(runtime, sizeof(runtime), "/run/user/%u",
	    (unsigned)geteuid());
	if (access(mark, F_OK) == 0 && access(runtime, F_OK) == 0)
		(void)run_wait(argv, GPGCONF_SECONDS, NULL, &ignored);
	free(mark);
}

/* What a removal that was killed has left. Everybody may write there. */
static void
remove_leftovers(int dir, const char *prefix)
{
	struct strv names = STRV_INIT;
	struct err ignored = ERR_INIT;
	char *wanted = mem_format(FS_REMOVED "%s", prefix);
	struct stat st;
	size_t i;

	(void)fs_list(dir, &names, &ignored);
	for (i = 0; i < names.n; i++)
		if (path_starts_with(names.v[i], wanted) &&
		    fstatat(dir, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_uid == geteuid())
			(void)fs_remove_tree(dir, names.v[i], &ignored);
	strv_clear(&names);
	free(wanted);
}

static void
remove_files(const char *home)
{
	const char *name = path_base(home);
	char *place = mem_format("%.*s", (int)(name - home), home);
	struct err ignored = ERR_INIT;
	int dir = fs_open_dir(place, &ignored);

	if (dir >= 0) {
		(void)fs_remove_tree(dir, name, &ignored);
		remove_leftovers(dir, name);
		close(dir);
	}
	free(place);
}

/*
 * Ends a home: the directory, its sockets, and every process that was started
 * for it, also one that is only just starting. By the absolute path that
 * stands in the arguments of gpg and its agent. May be called again, and for a
 * home that is gone; what is left after some seconds is left for the next run.
 *
 * Two looks must find nothing: a process can start another one, with a number
 * that the look has passed, and end before its own comes.
 */
static void
end_home(const char *home)
{
	static const struct timespec pause = {.tv_nsec = 5000000};
	int64_t end = clock_ms() + PATIENCE_MS;
	int quiet = 0;

	if (kill_workers(home) > 1)
		nanosleep(&pause, NULL);	/* what they were starting */
	remove_sockets(home);
	while (clock_ms() < end && quiet < 2) {
		remove_files(home);
		if (kill_workers(home) == 0 && access(home, F_OK) < 0) {
			quiet++;
			continue;
		}
		quiet = 0;
		nanosleep(&pause, NULL);
	}
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
	end_home(home);
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
	remove_leftovers(dir, PREFIX);
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
	mem_be_patient();
	cleanup_tidy();		/* a signal of the parent's ends nothing here */
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
	/* where there was no memory, or no descriptor, nothing was seen */
	for (i = 0; i < KEEPER_TRIES && (i == 0 || access(home, F_OK) == 0);
	    i++)
		end_home(home);
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
	/* under this name it is held, or whoever made it is dead */
	*lock = openat(dir, "lock.new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) < 0 ||
	    renameat(dir, "lock.new", dir, "lock") < 0)
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

/*
 * gpgme asks gpg for its version, and waits for the answer for ever. So it is
 * asked here first, within a time, and with an ear for signals.
 */
static int
check_gpg(struct err *e)
{
	static const char *const argv[] = {"gpg", "--version", NULL};
	static bool is_known;

	if (!is_known && run_wait(argv, VERSION_SECONDS, NULL, e) < 0)
		return e->kind == ERR_UNAVAILABLE ?
		    err_wrap(e, "gpg does not work: install gnupg") : -1;
	is_known = true;
	return 0;
}

static const char *used_place;	/* of the first key ring on */

const char *
keyring_full_place(void)
{
	struct statvfs fs;

	if (used_place == NULL || statvfs(used_place, &fs) < 0)
		return NULL;
	return (uint64_t)fs.f_bavail * fs.f_frsize < LEAST_ROOM ||
	    (fs.f_files > 0 && fs.f_ffree == 0) ? used_place : NULL;
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
	if (check_gpg(e) < 0)
		return -1;
	used_place = place;
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
	err_wrap(e, "key ring in '%s'", place);
fail:
	free(k->home);
	*k = (struct keyring)KEYRING_INIT;
	return -1;
}

int
keyring_expect_sockets(const struct keyring *k, struct err *e)
{
	int dir = fs_open_dir(k->home, e), status;

	if (dir < 0)
		return -1;
	status = fs_write(dir, SOCKETS, "", 0, 0600, e);
	close(dir);
	return status < 0 ? err_wrap(e, "key ring in '%s'", k->home) : 0;
}

void
keyring_close(struct keyring *k)
{
	int status;

	if (k->home == NULL)
		return;
	close(k->alive);
	(void)run_reap(k->keeper, KEEPER_MS, &status);
	free(k->home);
	*k = (struct keyring)KEYRING_INIT;
}
