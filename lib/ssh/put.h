/*
 * Files sent to the server of an SFTP connection, read back and compared.
 * What can go wrong is listed in sftp.h.
 */
#ifndef LIB_SSH_PUT_H
#define LIB_SSH_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/ssh/sftp.h"

#pragma GCC visibility push(hidden)

enum sftp_duty {
	SFTP_ALL,		/* send, sync, read back */
	SFTP_SEND,		/* nothing more: it is proven later */
	SFTP_SYNC,		/* the file; no bytes */
	SFTP_READ_BACK		/* and compare: it was sent before */
};

/*
 * One piece of a file: a whole small one, or a range of a large one. Several
 * connections may work at the ranges of one file at the same time.
 */
struct sftp_job {
	const char *path;
	enum sftp_duty duty;
	const void *data;	/* n bytes that stay as they are; NULL: */
	/* copies n bytes from offset of the file; what it says fails the job */
	int (*load)(const struct sftp_job *job, uint64_t offset, void *to,
	    size_t n, struct err *e);
	size_t n;
	uint64_t offset;	/* where they belong in the file */
	uint64_t size;		/* of the whole file */
	/* something may be there: send what differs, cut what is too much */
	bool look_first;
	/* what came of it */
	uint64_t sent;		/* bytes that had to be sent */
	struct err error;
};

/*
 * Takes jobs from next until it returns NULL, and gives each to done, which
 * may be called in another order; neither may use s. No more are taken than
 * fill the line, so that several connections can share a source.
 *
 * A job opens the file (made with mode 0644 where it is missing, never
 * truncated), with look_first reads and compares what is there, writes what
 * differs, has it synced (fsync@openssh.com), reads all that was written back,
 * compares it with data, and closes; or does that part of it which is its
 * duty. ERR_IO where what is read back is not what was sent. A job that fails
 * does not stop the others; -1 is for the connection or a signal, and jobs that
 * were under way then have that error too.
 */
int sftp_put(struct sftp *s, struct sftp_job *(*next)(void *arg),
    void (*done)(struct sftp_job *job, void *arg), void *arg, struct err *e);

#pragma GCC visibility pop

#endif
