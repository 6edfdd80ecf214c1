/*
 * tar archives, read and written by code that is ours: no format but ustar
 * (POSIX.1, pax), with the extensions of pax and GNU tar for what is long or
 * large.
 *
 *	struct untar *u = untar_open(more, arg);
 *	while ((status = untar_next(u, &member, e)) > 0)
 *		while ((n = untar_read(u, &chunk, e)) > 0)
 *			...
 *	untar_close(u);
 *
 * Hostile archives are read in bounded memory. All that is no regular file and
 * no directory, and every header that can be understood in two ways, is
 * ERR_DATA. Members' names are what the archive says: check them.
 */
#ifndef LIB_DATA_TAR_H
#define LIB_DATA_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/data/out.h"
#include "lib/data/source.h"

struct tar_member {
	const char *path;	/* 1 to PATH_LIMIT bytes; until the next call */
	uint64_t size;		/* bytes, below 2^63; of a directory 0 */
	bool is_dir;
};

struct untar *untar_open(unpack_source *source, void *arg);
/*
 * 1 and *m; 0 at the end of the archive; -1. What was not read of the member
 * before is passed over. The end is two blocks of zeros, behind which there
 * may be more zeros; then the source, too, is read to its end.
 */
int untar_next(struct untar *u, struct tar_member *m, struct err *e);
/* Bytes of the member at *chunk (until the next call), 0 at its end, -1. */
ssize_t untar_read(struct untar *u, const void **chunk, struct err *e);
void untar_close(struct untar *u);	/* accepts NULL */

/*
 * An archive into an output chain, which is given away: tar_commit commits
 * and tar_discard discards it too. Owner 0, mode 0644, all times `date`
 * (seconds since 1970). Of each member just as many bytes must be added as
 * its header says: tar_commit fails otherwise.
 */
struct tar *tar_open(struct out *next, int64_t date);
void tar_add_header(struct tar *t, const char *path, uint64_t size);
void tar_add_data(struct tar *t, const void *data, size_t n);
int tar_commit(struct tar *t, struct err *e);
void tar_discard(struct tar *t);	/* accepts NULL */

#endif
