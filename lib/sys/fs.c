#include "lib/sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"

#define CHUNK ((size_t)64 << 10)

static int
open_beneath(int dir, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int
fs_open_dir(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open directory '%s'", path);
	return fd;
}

int
fs_make_dir(const char *path, mode_t mode, struct err *e)
{
	char *copy = mem_dup(path), *p;
	int fd = -1;

	for (p = copy + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST) {
			err_sys(e, "make directory '%s'", copy);
			goto out;
		}
		*p = '/';
	}
	if (mkdir(copy, mode) < 0 && errno != EEXIST) {
		err_sys(e, "make directory '%s'", copy);
		goto out;
	}
	fd = fs_open_dir(path, e);
out:
	free(copy);
	return fd;
}

int
fs_open(int dir, const char *path, struct err *e)
{
	struct stat st;
	/* O_NONBLOCK: a fifo in a drop must not hold us */
	int fd = open_beneath(dir, path, O_RDONLY | O_NONBLOCK);

	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return err_set(e, ERR_DATA,
		    "'%s' is not a regular file", path);
	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, ERR_DATA,
		    "'%s' is not a regular file", path);
	}
	return fd;
}

int
fs_open_subdir(int dir, const char *path, struct err *e)
{
	int fd = open_beneath(dir, path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return err_sys(e, "open directory '%s'", path);
	return fd;
}

/* One more directory, its own parent being there. */
static int
make_subdir(int dir, const char *path, struct err *e)
{
	const char *base = path_base(path);
	char parent[PATH_LIMIT + 1] = ".";
	int fd, status = 0;

	if (base > path) {
		memcpy(parent, path, (size_t)(base - path) - 1);
		parent[base - path - 1] = '\0';
	}
	fd = fs_open_subdir(dir, parent, e);
	if (fd < 0)
		return -1;
	if (mkdirat(fd, base, 0755) < 0 && errno != EEXIST)
		status = err_sys(e, "make directory '%s'", path);
	close(fd);
	return status;
}

int
fs_make_parents(int dir, const char *path, struct err *e)
{
	char copy[PATH_LIMIT + 1], *p;
	int fd;

	if (strlen(path) > PATH_LIMIT)
		return err_set(e, ERR_DATA, "path is too long: '%s'", path);
	strcpy(copy, path);
	p = strrchr(copy, '/');
	if (p == NULL)
		return 0;
	*p = '\0';
	fd = open_beneath(dir, copy, O_PATH | O_DIRECTORY);
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "open directory '%s'", copy);
	if (fd < 0) {
		for (p = copy; (p = strchr(p, '/')) != NULL; *p++ = '/') {
			*p = '\0';
			if (make_subdir(dir, copy, e) < 0)
				return -1;
		}
		return make_subdir(dir, copy, e);
	}
	close(fd);
	return 0;
}

int
fs_exists(int dir, const char *path, struct err *e)
{
	struct stat st;

	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 :
	    err_sys(e, "look for '%s'", path);
}

int
fs_bytes_left(int fd, uint64_t *left, struct err *e)
{
	struct stat st;
	off_t at;

	*left = UINT64_MAX;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat a file");
	if (!S_ISREG(st.st_mode))
		return 0;
	at = lseek(fd, 0, SEEK_CUR);
	if (at < 0)
		return err_sys(e, "tell the position in a file");
	*left = st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
	return 0;
}

/* What may keep us waiting ends by a signal; files are read in any case. */
static int
read_all(int fd, const char *path, size_t max, bool may_wait, struct buf *b,
    struct err *e)
{
	ssize_t n;

	for (;;) {
		char *to = buf_room(b, CHUNK);

		n = may_wait ? io_read(fd, to, CHUNK, path, e) :
		    read(fd, to, CHUNK);
		if (n == 0)
			return 0;
		if (n < 0 && !may_wait && errno == EINTR)
			continue;
		if (n < 0)
			return may_wait ? -1 : err_sys(e, "read '%s'", path);
		b->n += (size_t)n;
		b->p[b->n] = '\0';
		if (b->n > max)
			return err_set(e, ERR_DATA, "'%s' is larger than %zu "
			    "bytes", path, max);
	}
}

int
fs_read(int dir, const char *path, size_t max, struct buf *b, struct err *e)
{
	int fd = fs_open(dir, path, e), status;

	if (fd < 0)
		return -1;
	status = read_all(fd, path, max, false, b, e);
	close(fd);
	return status;
}

int
fs_read_path(const char *path, size_t max, struct buf *b, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status;

	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	status = read_all(fd, path, max, true, b, e);
	close(fd);
	return status;
}

int
fs_write(int dir, const char *name, const void *data, size_t n, mode_t mode,
    struct err *e)
{
	char tmp[NAME_MAX + 1];
	int fd, status;

	snprintf(tmp, sizeof(tmp), ".%s.new", name);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, mode);
	if (fd < 0)
		return err_sys(e, "create '%s'", tmp);
	status = io_write(fd, data, n, name, e);
	if (status == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		status = err_sys(e, "write '%s'", name);
	close(fd);
	if (status == 0 && renameat(dir, tmp, dir, name) < 0)
		status = err_sys(e, "rename '%s' to '%s'", tmp, name);
	if (status < 0) {
		unlinkat(dir, tmp, 0);
		return -1;
	}
	return fs_sync_dir(dir, e);
}

int
fs_swap_link(int dir, const char *name, const char *target, struct err *e)
{
	char tmp[NAME_MAX + 1];

	snprintf(tmp, sizeof(tmp), ".%s.new", name);
	if (unlinkat(dir, tmp, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove '%s'", tmp);
	if (symlinkat(target, dir, tmp) < 0)
		return err_sys(e, "make link '%s' to '%s'", tmp, target);
	if (renameat(dir, tmp, dir, name) < 0) {
		err_sys(e, "rename '%s' to '%s'", tmp, name);
		unlinkat(dir, tmp, 0);
		return -1;
	}
	return fs_sync_dir(dir, e);
}

int
fs_read_link(int dir, const char *name, char *target, size_t size,
    struct err *e)
{
	ssize_t n = readlinkat(dir, name, target, size - 1);

	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EINVAL ?
		    0 : err_sys(e, "read link '%s'", name);
	target[n] = '\0';
	return 1;
}

/* For messages: where an open directory is. Keeps errno. */
static const char *
path_of(int dir, char path[PATH_MAX])
{
	char link[32];
	int saved = errno;
	struct err e = ERR_INIT;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	if (fs_read_link(AT_FDCWD, link, path, PATH_MAX, &e) <= 0)
		strcpy(path, "?");
	errno = saved;
	return path;
}

/* A descriptor of its own, so that dir keeps its place. */
int
fs_list(int dir, struct strv *names, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *stream;

	if (fd < 0 || (stream = fdopendir(fd)) == NULL) {
		err_sys(e, "read directory '%s'", path_of(dir, path));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	errno = 0;
	while ((entry = readdir(stream)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			strv_add(names, entry->d_name);
	if (errno != 0) {
		err_sys(e, "read directory '%s'", path_of(dir, path));
		closedir(stream);
		return -1;
	}
	closedir(stream);
	strv_sort(names);
	return 0;
}

/* -------------------------------------------------------------- removing */

#define REMOVED_TRIES 1000
#define LEVELS_MAX 10000	/* in one call; the next one goes on */

static int
remove_empty(int dir, const char *name)
{
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == EEXIST)
		errno = ENOTEMPTY;
	return -1;
}

/* Anything but a directory that has something in it, which is ENOTEMPTY. */
static int
remove_entry(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return errno == EISDIR ? remove_empty(dir, name) : -1;
}

/* rename(2) could not, because something has the new name. */
static bool
is_taken(void)
{
	return errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR;
}

/* From dir into top, under a number that is free there. */
static int
move_up(int dir, const char *name, int top, unsigned *number, struct err *e)
{
	char to[16];

	for (;;) {
		snprintf(to, sizeof(to), "%u", (*number)++);
		if (renameat(dir, name, top, to) == 0 || errno == ENOENT)
			return 0;
		if (!is_taken())
			return err_sys(e, "rename '%s' to '%s'", name, to);
	}
}

/* Removes a directory of top's; the directories in it become top's. */
static int
remove_level(int top, const char *name, unsigned *number, struct err *e)
{
	struct strv names = STRV_INIT;
	int dir, status;
	size_t i;

	dir = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 :
		    err_sys(e, "open directory '%s'", name);
	status = fs_list(dir, &names, e);
	for (i = 0; i < names.n && status == 0; i++) {
		if (remove_entry(dir, names.v[i]) == 0)
			continue;
		status = errno == ENOTEMPTY ?
		    move_up(dir, names.v[i], top, number, e) :
		    err_sys(e, "remove '%s'", names.v[i]);
	}
	strv_clear(&names);
	close(dir);
	if (status == 0 && remove_empty(top, name) < 0)
		status = err_sys(e, "remove directory '%s'", name);
	return status;
}

/*
 * A sender may have nested directories deeper than we may have descriptors or
 * stack. So nothing descends: level after level is moved up into top.
 */
static int
empty_dir(int top, struct err *e)
{
	struct strv names = STRV_INIT;
	unsigned number = 0, levels = 0;
	int status;
	size_t i;

	do {
		strv_clear(&names);
		status = levels++ < LEVELS_MAX ? fs_list(top, &names, e) :
		    err_set(e, ERR_IO, "it is nested deeper than %d, or "
		    "somebody still writes there", LEVELS_MAX);
		for (i = 0; i < names.n && status == 0; i++) {
			if (remove_entry(top, names.v[i]) == 0)
				continue;
			status = errno == ENOTEMPTY ?
			    remove_level(top, names.v[i], &number, e) :
			    err_sys(e, "remove '%s'", names.v[i]);
		}
	} while (status == 0 && names.n > 0);
	strv_clear(&names);
	return status;
}

/* "a/b" becomes "a/.removed.b.0"; NULL, with errno, where it cannot. */
static char *
set_aside(int dir, const char *name)
{
	const char *base = path_base(name);
	char *aside;
	int i;

	if (path_starts_with(base, FS_REMOVED))
		return mem_dup(name);
	for (i = 0; i < REMOVED_TRIES; i++) {
		aside = mem_format("%.*s" FS_REMOVED "%.*s.%d",
		    (int)(base - name), name, NAME_MAX - 24, base, i);
		if (renameat(dir, name, dir, aside) == 0)
			return aside;
		free(aside);
		if (!is_taken())
			break;
	}
	return NULL;
}

int
fs_remove_tree(int dir, const char *name, struct err *e)
{
	int top, status = 0;
	char *aside;

	if (remove_entry(dir, name) == 0)
		return 0;
	if (errno != ENOTEMPTY)
		return err_sys(e, "remove '%s'", name);
	aside = set_aside(dir, name);
	if (aside == NULL)
		return errno == ENOENT ? 0 :
		    err_sys(e, "rename '%s' to '" FS_REMOVED "%s.N'", name,
		    path_base(name));
	top = openat(dir, aside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (top < 0 && errno != ENOENT)
		status = err_sys(e, "open directory '%s'", aside);
	if (top >= 0) {
		status = empty_dir(top, e);
		close(top);
	}
	if (status == 0 && remove_empty(dir, aside) < 0)
		status = err_sys(e, "remove directory '%s'", aside);
	free(aside);
	return status < 0 ? err_wrap(e, "remove '%s'", name) : 0;
}

int
fs_remove_leftovers(int dir, const char *prefix, struct err *e)
{
	char *wanted = mem_format(FS_REMOVED "%s", prefix);
	struct strv names = STRV_INIT;
	struct err ignored = ERR_INIT;
	int status = fs_list(dir, &names, e);
	size_t i;

	for (i = 0; i < names.n; i++)
		if (path_starts_with(names.v[i], wanted) &&
		    fs_remove_tree(dir, names.v[i],
		    status == 0 ? e : &ignored) < 0)
			status = -1;
	strv_clear(&names);
	free(wanted);
	return status;
}

/* --------------------------------------------------------------- walking */

struct walk {
	int (*visit)(const char *, const struct stat *, void *, struct err *);
	void *arg;
	int depth;
	struct buf path;
};

#define WALK_DEPTH 32	/* a tree of ours is 7 deep */

static int
walk_dir(int dir, struct walk *w, struct err *e)
{
	struct strv names = STRV_INIT;
	struct stat st;
	size_t i, at = w->path.n;
	int fd, status = 0;

	if (++w->depth > WALK_DEPTH)
		return err_set(e, ERR_DATA, "directories are nested too deep");
	if (fs_list(dir, &names, e) < 0)
		status = -1;
	for (i = 0; i < names.n && status == 0; i++) {
		buf_addf(&w->path, at ? "/%s" : "%s", names.v[i]);
		if (fstatat(dir, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			status = err_sys(e, "stat '%s'", w->path.p);
		} else if (!S_ISDIR(st.st_mode)) {
			status = w->visit(w->path.p, &st, w->arg, e);
		} else {
			fd = fs_open_subdir(dir, names.v[i], e);
			status = fd < 0 ? -1 : walk_dir(fd, w, e);
			if (fd >= 0)
				close(fd);
		}
		w->path.n = at;
		w->path.p[at] = '\0';
	}
	strv_clear(&names);
	w->depth--;
	return status;
}

int
fs_walk(int dir,
    int (*visit)(const char *path, const struct stat *st, void *arg,
	struct err *e), void *arg, struct err *e)
{
	struct walk w = {.visit = visit, .arg = arg};
	int status = walk_dir(dir, &w, e);

	buf_clear(&w.path);
	return status;
}

/* --------------------------------------------------------------- locking */

#define TRIES_A_SECOND 20

/* The process id in the lock file, for the message; "another" else. */
static void
read_holder(int fd, char *holder, size_t size)
{
	ssize_t n = pread(fd, holder, size - 1, 0);

	if (n < 0)
		n = 0;
	holder[n] = '\0';
	holder[strspn(holder, "0123456789")] = '\0';
	if (holder[0] == '\0')
		snprintf(holder, size, "another");
}

int
fs_lock(int dir, const char *name, struct err *e)
{
	static const struct timespec pause = {
		.tv_nsec = 1000000000L / TRIES_A_SECOND};
	char holder[24];
	int fd, tries;

	fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, "open lock '%s'", name);
	/* whoever can open it, if only to read, can hold it: one of before */
	(void)!fchmod(fd, 0600);
	for (tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			err_sys(e, "lock '%s'", name);
			goto fail;
		}
		read_holder(fd, holder, sizeof(holder));
		if (tries == 0)
			log_notice("waiting for process %s, which holds the "
			    "lock", holder);
		if (tries >= FS_LOCK_SECONDS * TRIES_A_SECOND) {
			err_set(e, ERR_AGAIN, "process %s holds the lock '%s': "
			    "try again when it is done", holder, name);
			goto fail;
		}
		if (cleanup_check(e) < 0)
			goto fail;
		nanosleep(&pause, NULL);
	}
	snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, holder, strlen(holder), 0);
	return fd;
fail:
	close(fd);
	return -1;
}

/* ------------------------------------------------------------ the others */

int
fs_sync_all(int dir, struct err *e)
{
	char path[PATH_MAX];

	if (syncfs(dir) < 0)
		return err_sys(e, "sync the file system of '%s'",
		    path_of(dir, path));
	return 0;
}

int
fs_sync_dir(int dir, struct err *e)
{
	char path[PATH_MAX];

	if (fsync(dir) < 0)
		return err_sys(e, "sync directory '%s'", path_of(dir, path));
	return 0;
}

char *
fs_expand_home(const char *path)
{
	const char *home = getenv("HOME");
	struct passwd *user;

	if (path[0] != '~' || (path[1] != '/' && path[1] != '\0'))
		return mem_dup(path);
	if (home == NULL || home[0] != '/') {
		user = getpwuid(geteuid());
		home = user ? user->pw_dir : "/";
	}
	return mem_format("%s%s", home, path + 1);
}

int
fs_map_fd(int fd, const char *name, struct fs_map *map, struct err *e)
{
	struct stat st;
	void *p;

	*map = (struct fs_map){"", 0};
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat '%s'", name);
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "map '%s'", name);
	*map = (struct fs_map){p, (size_t)st.st_size};
	return 0;
}

void
fs_unmap(struct fs_map *map)
{
	if (map->n > 0)
		munmap((void *)(uintptr_t)map->p, map->n);
	*map = (struct fs_map){"", 0};
}
