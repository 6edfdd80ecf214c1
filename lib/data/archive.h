/*
 * Reading ar, tar and cpio archives and compressed streams by libarchive, which
 * is restricted to just the one that is asked for. For readers (sys/reader.h):
 * a tar that comes to a process which may write something is tar.h's.
 *
 *	struct unpack *u = unpack_open(UNPACK_TAR, UNPACK_PLAIN, more, arg);
 *	while ((status = unpack_next(u, &member, e)) > 0)
 *		n = unpack_read(u, chunk, size, e);
 *	unpack_close(u);
 *
 * Members' names and sizes are what the archive says: check them.
 */
#ifndef LIB_DATA_ARCHIVE_H
#define LIB_DATA_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/data/source.h"

enum unpack_format {
	UNPACK_AR,
	UNPACK_TAR,
	UNPACK_CPIO,	/* what an rpm holds, if no file is beyond 4 GiB */
	UNPACK_STREAM	/* no archive: one member, the whole unpacked stream */
};

enum unpack_filter {
	UNPACK_PLAIN,	/* gzip: inflate.h, which compares its checksum */
	UNPACK_XZ,
	UNPACK_ZSTD,
	UNPACK_BZIP2,
	UNPACK_LZMA
};

enum member_type {
	MEMBER_FILE,
	MEMBER_DIR,
	MEMBER_OTHER	/* a link, a device, a fifo */
};

struct member {
	const char *path;	/* valid until the next call */
	uint64_t size;		/* of a link in a cpio: of its target */
	enum member_type type;
	const char *hard_link;	/* the name that it is one to, or NULL */
	const char *symbolic_link;	/* the same */
};

struct unpack *unpack_open(enum unpack_format format,
    enum unpack_filter filter, unpack_source *source, void *arg);
/* 1 and *m; 0 at the end of the archive; -1. */
int unpack_next(struct unpack *u, struct member *m, struct err *e);
/*
 * Bytes of the archive before the member that was asked for last; where there
 * was none, before the mark of its end. Of an archive that is not packed.
 */
uint64_t unpack_position(const struct unpack *u);
/* Bytes of the member into p, 0 at its end, -1. */
ssize_t unpack_read(struct unpack *u, void *p, size_t n, struct err *e);
void unpack_close(struct unpack *u);	/* accepts NULL */

#endif
