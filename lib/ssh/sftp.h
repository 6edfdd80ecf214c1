/*
 * SFTP version 3 (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions
 * (PROTOCOL of OpenSSH, section 4), as far as drops need it, with many
 * requests in flight: a line is as long as the time that one waits on it.
 * The bytes travel on a stream that somebody else provides.
 *
 *	struct sftp *s = sftp_open(&stream, e);
 *	sftp_put(s, next_job, job_done, arg, e);
 *	sftp_rename(s, "x.part", "x", e);
 *	sftp_close(s);
 *
 * Paths are the far side's, relative to where the account begins, or
 * absolute. What the far side answers is checked like anything from outside.
 * Not for two threads at once; each has a connection of its own.
 *
 * Errors: ERR_MISSING no such file, ERR_REFUSED permission, ERR_IO what the
 * far side could not write (a full disk is told apart, where it can say so),
 * ERR_AGAIN the connection is gone or silent, ERR_PROTOCOL nonsense,
 * ERR_SIGNAL. The text names the path.
 */
#ifndef LIB_SSH_SFTP_H
#define LIB_SSH_SFTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

/*
 * libssh exports functions with some of these names, which this must not be
 * taken for, nor take the place of.
 */
#pragma GCC visibility push(hidden)

struct sftp_stream {
	void *arg;
	/*
	 * Up to n bytes, or 0 if none came within ms milliseconds; -1 at the
	 * end of the stream (ERR_AGAIN) and after a signal.
	 */
	ssize_t (*read)(void *arg, void *data, size_t n, int ms,
	    struct err *e);
	/* All n bytes, taking in meanwhile what the other side sends. */
	int (*write)(void *arg, const void *data, size_t n, struct err *e);
};

#define SFTP_IN_FLIGHT 256	/* requests; at most 8 MiB with their data */
#define SFTP_SILENCE_MS 60000	/* nothing comes for so long: ERR_AGAIN */

/* The stream is borrowed. Says hello; asks limits@openssh.com. */
struct sftp *sftp_open(const struct sftp_stream *stream, struct err *e);
/* Frees; says nothing to the other side. Accepts NULL. */
void sftp_close(struct sftp *s);
/* The default is SFTP_SILENCE_MS. */
void sftp_set_silence(struct sftp *s, int ms);

/* ------------------------------------------------------------- sending */

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

/* ------------------------------------------------------- names and the rest */

struct sftp_attributes {
	bool is_directory;
	bool is_file;
	uint64_t size;
	int64_t modified;	/* seconds since the epoch; 0: not told */
};

/* Of the name itself, not of what a link points to. */
int sftp_stat(struct sftp *s, const char *path, struct sftp_attributes *a,
    struct err *e);
/*
 * A whole file, appended; ERR_DATA where it has more than max bytes or is no
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
 * Directories are on the disk with their names, where the far side can do
 * that, all requests in flight.
 */
int sftp_sync_dirs(struct sftp *s, const struct strv *paths, struct err *e);

#pragma GCC visibility pop

#endif
