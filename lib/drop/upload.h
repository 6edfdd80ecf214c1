/*
 * A drop that goes to another machine: uploaded as <name>.part by one or more
 * connections, synced, read back and compared, and renamed once it is whole.
 *
 *	struct upload u = {.target = &t, .inbox = "incoming", .name = name,
 *	    .files = files, .n = n};
 *	if (upload_run(&u, e) < 0) ...
 *
 * The name tells the content (upload_unique), so the same content has the same
 * name: what is there already is not sent again, and what was cut off is
 * resumed: what arrived is read and compared, and the rest is sent.
 */
#ifndef LIB_DROP_UPLOAD_H
#define LIB_DROP_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/drop/plan.h"
#include "lib/ssh/remote.h"

struct upload {
	const struct remote_target *target;
	const char *inbox;
	const char *name;
	/* The first one must be its SHA256SUMS, as memory. */
	const struct upload_file *files;
	size_t n;
	bool is_dry_run;	/* connect and look, and send nothing */
	/* What came of it. */
	bool was_there;		/* complete already: nothing was sent */
	uint64_t sent;		/* bytes that had to be sent */
};

/*
 * ERR_AGAIN: the connection was cut, silent or refused for now: the next run
 * resumes. ERR_MISSING: no inbox there. ERR_IO: what is read back is not what
 * was sent, or no space left there; and all that lib/ssh/remote.h and
 * lib/ssh/sftp.h say. Nothing is ever half there under its final name.
 */
int upload_run(struct upload *u, struct err *e);

/* 16 hexadecimal digits that tell the content of a SHA256SUMS. */
#define UPLOAD_UNIQUE 17
void upload_unique(const void *sums, size_t n, char unique[UPLOAD_UNIQUE]);

/*
 * Reads files below the inbox of the target, one after the other, by one
 * connection of their own. ERR_MISSING where one is not there.
 */
struct upload_wanted {
	const char *path;
	size_t max;		/* bytes */
	struct buf *b;		/* to which they are added */
};
int upload_read(const struct remote_target *t, const char *inbox,
    const struct upload_wanted *wanted, size_t n, struct err *e);

#endif
