/*
 * Names, directories and whole small files on the server of an SFTP
 * connection. Where many are asked for, all requests are in flight at once.
 * What can go wrong is listed in sftp.h.
 */
#ifndef LIB_SSH_FILES_H
#define LIB_SSH_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/ssh/packet.h"
#include "lib/ssh/sftp.h"

#pragma GCC visibility push(hidden)

/* Of the name itself, not of what a link points to. */
int sftp_stat(struct sftp *s, const char *path, struct sftp_attributes *a,
    struct err *e);
/*
 * A whole file, appended; ERR_DATA where it has more than max bytes or is not a
 * file. On failure b is as it was.
 */
int sftp_read(struct sftp *s, const char *path, size_t max, struct buf *b,
    struct err *e);
/* The names in a directory, without "." and "..", unsorted; at most 100,000. */
int sftp_list(struct sftp *s, const char *path, struct strv *names,
    struct err *e);
/*
 * Makes directories, parents first, all requests in flight; those that exist
 * are fine.
 */
int sftp_make_dirs(struct sftp *s, const struct strv *paths, struct err *e);
/* Never replaces: ERR_CREATE where `to` exists. */
int sftp_rename(struct sftp *s, const char *from, const char *to,
    struct err *e);
int sftp_remove(struct sftp *s, const char *path, struct err *e);
int sftp_remove_dir(struct sftp *s, const char *path, struct err *e);
/* Says that it was changed then, in seconds since the epoch. */
int sftp_touch(struct sftp *s, const char *path, int64_t modified,
    struct err *e);
/*
 * Directories are on the disk with their names, where the server can do
 * that, all requests in flight.
 */
int sftp_sync_dirs(struct sftp *s, const struct strv *paths, struct err *e);

#pragma GCC visibility pop

#endif
