/*
 * What the files of lib/sftp share: the connection and its table of requests
 * in flight.
 *
 *	while (!sftp_has_room(s)) sftp_wait(s, e);
 *	struct sftp_request *r = sftp_begin(s, PACKET_REMOVE);
 *	packet_string(&s->out, path);
 *	r->answered = answered, r->arg = arg;
 *	sftp_send(s, r, NULL, 0, e);
 *	... more of them ...
 *	sftp_wait(s, e);	(calls answered for each answer)
 *
 * Where sftp_wait fails, nobody's `answered` is called any more, and what
 * still comes is thrown away. After a signal the connection is good for what
 * tidies up; after all else every call fails.
 */
#ifndef LIB_SSH_SFTP_REQUEST_H
#define LIB_SSH_SFTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ssh/sftp.h"
#include "lib/ssh/sftp_packet.h"

#pragma GCC visibility push(hidden)

#define SFTP_DATA_IN_FLIGHT ((size_t)4 << 20)	/* each way */
#define SFTP_IN_SIZE (2 * (PACKET_LIMIT + sizeof(uint32_t)))

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

struct sftp {
	const struct sftp_stream *stream;
	int silence;
	struct err broken;	/* why it cannot be used any more */

	size_t chunk;		/* data of one READ or WRITE */
	size_t handles;		/* that may be open at once */
	bool has_fsync;
	bool has_limits;
	bool has_statvfs;

	struct sftp_request requests[SFTP_IN_FLIGHT];
	uint32_t serial;
	uint32_t free[SFTP_IN_FLIGHT];
	size_t n_free;
	size_t reading;		/* the sums of the table's */
	size_t writing;

	struct buf out;		/* packets not yet sent */
	size_t begun;		/* where the last one begins */
	unsigned char *in;	/* SFTP_IN_SIZE; what came and was not taken */
	size_t in_n;

	struct buf kept;	/* the answer of sftp_call */
	struct packet answer;
	bool is_answered;

	unsigned char *loaded;	/* a chunk of a job's data; NULL: none yet */
};

bool sftp_has_room(const struct sftp *s);
/* Whether n bytes more may be in flight that way; one request always may. */
bool sftp_may_read(const struct sftp *s, size_t n);
bool sftp_may_write(const struct sftp *s, size_t n);

/* There must be room. The id is written; the fields go into s->out. */
struct sftp_request *sftp_begin(struct sftp *s, enum packet_type type);
/* n bytes more belong to the packet. */
int sftp_send(struct sftp *s, struct sftp_request *r, const void *data,
    size_t n, struct err *e);
/* At least one answer, and all that are here. */
int sftp_wait(struct sftp *s, struct err *e);

/* Ends the connection for what *e says, as sftp_wait does; returns -1. */
int sftp_break(struct sftp *s, struct err *e);

/* Beneath that: all of out; more into in; the first n bytes of in are done. */
int sftp_flush(struct sftp *s, struct err *e);
int sftp_fill(struct sftp *s, struct err *e);
void sftp_drop(struct sftp *s, size_t n);

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

/* ------------------------------------------------- fields and answers */

void sftp_add_handle(struct sftp *s, const struct sftp_handle *h);
/* Missing files are made with mode 0644 by PACKET_CREATING. */
void sftp_add_open(struct sftp *s, const char *path, uint32_t flags);
int sftp_get_handle(struct packet *a, struct sftp_handle *h, struct err *e);
/* DATA of 1 to max bytes. */
const unsigned char *sftp_get_data(struct packet *a, size_t max, size_t *n,
    struct err *e);

#pragma GCC visibility pop

#endif
