/*
 * A connection that speaks SFTP version 3 (draft-ietf-secsh-filexfer-02) with
 * OpenSSH's extensions (PROTOCOL of OpenSSH, section 4). The bytes travel on a
 * stream that somebody else provides.
 *
 *	struct sftp *s = sftp_open(&stream, e);
 *	...what files.h and put.h have...
 *	sftp_close(s);
 *
 * Below that are the requests of which those two are made. Many are in flight
 * at once, for a line is as long as the time that one waits on it:
 *
 *	while (!sftp_has_room(s)) sftp_wait(s, e);
 *	struct sftp_request *r = sftp_begin(s, PACKET_REMOVE);
 *	packet_string(sftp_out(s), path);
 *	r->answered = answered, r->arg = arg;
 *	sftp_send(s, r, NULL, 0, e);
 *	... more of them ...
 *	sftp_wait(s, e);	(calls answered for each answer)
 *
 * Where sftp_wait fails, nobody's `answered` is called any more, and what
 * still comes is thrown away. After a signal the connection is good for what
 * tidies up; after all else every call fails.
 *
 * Paths are the server's, relative to where the account begins, or
 * absolute. What the server answers is checked like anything from outside.
 * Not for two threads at once; each has a connection of its own.
 *
 * Errors: ERR_MISSING no such file, ERR_REFUSED permission, ERR_IO what the
 * server could not write (a full disk is told apart, where it can say so),
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
#include "lib/ssh/packet.h"

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
	/* All n bytes, taking in meanwhile what the server sends. */
	int (*write)(void *arg, const void *data, size_t n, struct err *e);
};

#define SFTP_IN_FLIGHT 256	/* requests; at most 8 MiB with their data */
#define SFTP_SILENCE_MS 60000	/* nothing comes for so long: ERR_AGAIN */

/* The stream is borrowed. Says hello; asks limits@openssh.com. */
struct sftp *sftp_open(const struct sftp_stream *stream, struct err *e);
/* Frees; says nothing to the server. Accepts NULL. */
void sftp_close(struct sftp *s);
/* The default is SFTP_SILENCE_MS. */
void sftp_set_silence(struct sftp *s, int ms);

/* What the server can do. */
struct sftp_peer {
	size_t chunk;		/* bytes of data in one READ or WRITE */
	size_t handles;		/* that may be open at once */
	bool has_fsync;
	bool has_statvfs;
};
const struct sftp_peer *sftp_peer(const struct sftp *s);
/* It had promised fsync@openssh.com, and refuses it. */
void sftp_lacks_fsync(struct sftp *s);

/* ------------------------------------------------- requests in flight */

#define SFTP_DATA_IN_FLIGHT ((size_t)4 << 20)	/* bytes each way */

struct sftp_request;

/*
 * The answer has no id in front any more; it is gone after the call. -1:
 * nonsense, which ends the connection.
 */
typedef int sftp_answered(struct sftp *s, const struct sftp_request *r,
    struct packet *answer, struct err *e);

struct sftp_request {
	uint32_t id;
	bool is_used;
	size_t reading;		/* data that is asked for */
	size_t writing;		/* data that is sent */
	sftp_answered *answered;
	void *arg;
	size_t i;		/* which of arg's many */
};

struct sftp_handle {
	size_t n;		/* 0: none */
	unsigned char bytes[PACKET_HANDLE_LIMIT];
};

bool sftp_has_room(const struct sftp *s);
/* Whether n bytes more may be in flight that way; one request always may. */
bool sftp_may_read(const struct sftp *s, size_t n);
bool sftp_may_write(const struct sftp *s, size_t n);

/* There must be room. The id is written; the fields go into sftp_out(s). */
struct sftp_request *sftp_begin(struct sftp *s, enum packet_type type);
struct buf *sftp_out(struct sftp *s);
void sftp_add_handle(struct sftp *s, const struct sftp_handle *h);
/* Missing files are made with mode 0644 by PACKET_CREATING. */
void sftp_add_open(struct sftp *s, const char *path, uint32_t flags);
/* n bytes more belong to the packet. */
int sftp_send(struct sftp *s, struct sftp_request *r, const void *data,
    size_t n, struct err *e);
/* At least one answer, and all that are here. */
int sftp_wait(struct sftp *s, struct err *e);

/* Ends the connection for what *e says, as sftp_wait does; returns -1. */
int sftp_break(struct sftp *s, struct err *e);

/* --------------------------------------------------- one after another */

/* Waits for room. */
struct sftp_request *sftp_call_begin(struct sftp *s, enum packet_type type,
    struct err *e);
/* The answer, which belongs to s until the next call; NULL with the error. */
struct packet *sftp_call(struct sftp *s, struct sftp_request *r,
    struct err *e);
/* For requests that get nothing but a status. */
int sftp_call_status(struct sftp *s, struct sftp_request *r,
    struct packet_status *status, struct err *e);
/* 1 and the attributes, 0 and the status that there was instead, or -1. */
int sftp_call_attributes(struct sftp *s, struct sftp_request *r,
    struct sftp_attributes *a, struct packet_status *status, struct err *e);
/* For OPEN and OPENDIR. */
int sftp_call_open(struct sftp *s, struct sftp_request *r, const char *path,
    struct sftp_handle *h, struct err *e);
int sftp_open_to_read(struct sftp *s, const char *path,
    struct sftp_handle *h, struct err *e);
/*
 * Closes, after what was done with the handle succeeded (0) or failed (-1);
 * the first error is the one that is told.
 */
int sftp_close_after(struct sftp *s, const struct sftp_handle *h, int done,
    struct err *e);

/* ------------------------------------------------- parts of answers */

int sftp_get_handle(struct packet *a, struct sftp_handle *h, struct err *e);
/* DATA of 1 to max bytes. */
const unsigned char *sftp_get_data(struct packet *a, size_t max, size_t *n,
    struct err *e);

#pragma GCC visibility pop

#endif
