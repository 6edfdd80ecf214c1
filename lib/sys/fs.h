/*
 * Files and trees, always relative to a directory that we hold open, never
 * through a symbolic link, and never above it.
 *
 * Lower-case `dir` is a directory descriptor; every descriptor that these
 * functions return is yours to close and is close-on-exec.
 */
#ifndef LIB_SYS_FS_H
#define LIB_SYS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* Opens a directory by a path of the operator's (links allowed). */
int fs_open_dir(const char *path, struct err *e);
/* The same, made with its parents where it is missing, with this mode. */
int fs_make_dir(const char *path, mode_t mode, struct err *e);

/*
 * Opens path beneath dir. No component may be a symbolic link, and the last
 * one must be a regular file (fs_open) or a directory (fs_open_subdir):
 * ERR_REFUSED or ERR_DATA otherwise. ERR_MISSING where there is none.
 */
int fs_open(int dir, const char *path, struct err *e);
int fs_open_subdir(int dir, const char *path, struct err *e);

/* Makes the directories that path, beneath dir, lies in: mode 0755. */
int fs_make_parents(int dir, const char *path, struct err *e);

/*
 * Is anything of that name there? 1, or 0 where there is none; -1: that cannot
 * be told.
 */
int fs_exists(int dir, const char *path, struct err *e);

/*
 * Bytes from the descriptor's position to where the file ends now, so that one
 * who makes it longer meanwhile is not followed; UINT64_MAX for what is no
 * regular file.
 */
int fs_bytes_left(int fd, uint64_t *left, struct err *e);

/* Reads a whole file of at most max bytes; ERR_DATA if it is larger. */
int fs_read(int dir, const char *path, size_t max, struct buf *b,
    struct err *e);
/*
 * The same for a path of the operator's (links and pipes allowed). ERR_SIGNAL
 * after a signal, so that no pipe can keep it waiting.
 */
int fs_read_path(const char *path, size_t max, struct buf *b, struct err *e);
/* Replaces a file at once: temporary file, fsync, rename, fsync of dir. */
int fs_write(int dir, const char *name, const void *data, size_t n,
    mode_t mode, struct err *e);

/* Makes or replaces, in one step, the symbolic link `name` in dir. */
int fs_swap_link(int dir, const char *name, const char *target,
    struct err *e);
/* Reads a link: 1; 0 where there is none or it is something else; -1. */
int fs_read_link(int dir, const char *name, char *target, size_t size,
    struct err *e);

/*
 * Removes name and all beneath it, however deep; success where there is
 * nothing. A directory is first renamed to ".removed.<name>.<number>" (it
 * begins with FS_REMOVED) in the same directory: wherever the removal ends, by
 * a kill or an error, nobody meets one that has lost some of its files under
 * the name that counts.
 */
#define FS_REMOVED ".removed."
int fs_remove_tree(int dir, const char *name, struct err *e);
/*
 * Removes what such removals have left in dir: of names that begin with
 * prefix, or of all for "". Whoever removes trees in a directory calls this
 * first. Continues after a failure; *e is the first one.
 */
int fs_remove_leftovers(int dir, const char *prefix, struct err *e);

/*
 * Calls visit(path, st, arg, e) for everything beneath dir but directories,
 * in the order of names, with the path relative to dir. Stops at -1.
 */
int fs_walk(int dir,
    int (*visit)(const char *path, const struct stat *st, void *arg,
	struct err *e), void *arg, struct err *e);

/* Appends the names in dir (not "." and ".."), sorted. */
int fs_list(int dir, struct strv *names, struct err *e);

/*
 * Takes the exclusive lock on file `name` in dir, made where missing; waits
 * FS_LOCK_SECONDS for another holder, then ERR_AGAIN with its process id.
 * Returns a descriptor: the lock ends when it is closed or the process dies.
 */
#define FS_LOCK_SECONDS 10
int fs_lock(int dir, const char *name, struct err *e);

/* All that was written to dir's file system so far is on the disk. */
int fs_sync_all(int dir, struct err *e);
int fs_sync_dir(int dir, struct err *e);

/* "~/x" with the home directory in place of "~"; the result is yours. */
char *fs_expand_home(const char *path);

/* An open file as read-only memory; the empty file is p "" and n 0. */
struct fs_map {
	const char *p;
	size_t n;
};
int fs_map_fd(int fd, const char *name, struct fs_map *map, struct err *e);
void fs_unmap(struct fs_map *map);

#endif
