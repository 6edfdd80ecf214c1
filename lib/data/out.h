/*
 * Output as a chain: write freely with out_add, then out_commit once. The
 * first failure sticks, later writes do nothing, and commit reports it and
 * undoes what was written (of two files one may stay). Commit and discard free
 * the whole chain.
 *
 *	struct digest plain, packed;
 *	struct out *o = out_tee(out_file(dir, NULL, 0644, OUT_LATER, &plain),
 *	    out_gzip(out_file(dir, NULL, 0644, OUT_LATER, &packed)));
 *	out_add(o, line, n);
 *	if (out_commit(o, e) < 0) ...
 */
#ifndef LIB_DATA_OUT_H
#define LIB_DATA_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/data/hash.h"

enum out_sync {
	OUT_NOW,	/* on the disk, with its name, when commit returns */
	OUT_LATER	/* the caller flushes the file system, once for many */
};

/*
 * A file in dir (borrowed until commit), under a temporary name ".outN.tmp"
 * until then. A NULL name means that the file is named by its SHA-256. The
 * digest (NULL: not wanted) is filled in by commit.
 */
struct out *out_file(int dir, const char *name, mode_t mode,
    enum out_sync sync, struct digest *d);
/*
 * The same for a file that is named by its SHA-256 and whose bytes the caller
 * hashes anyway: *d must be filled in before commit. Of mode 0644 less the
 * umask; not flushed.
 */
struct out *out_object(int dir, const struct digest *d);
/* A descriptor of the caller's, for example a pipe; name for messages. */
struct out *out_fd(int fd, const char *name);
struct out *out_buf(struct buf *b);
/* gzip without name and time, so that same bytes in give same bytes out. */
struct out *out_gzip(struct out *next);
struct out *out_tee(struct out *a, struct out *b);
/* Counts and hashes only: for a dry run. */
struct out *out_nowhere(struct digest *d);

void out_add(struct out *o, const void *data, size_t n);
void out_str(struct out *o, const char *s);
/* True once a write has failed, and all that follows is for nothing. */
bool out_has_failed(const struct out *o);
int out_commit(struct out *o, struct err *e);
/* Accepts NULL. */
void out_discard(struct out *o);

#endif
