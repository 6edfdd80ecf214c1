/*
 * One job of sftp_put under way: a machine whose steps are sent as soon as
 * they may be, not when the one before was answered. The far side does what
 * concerns one handle in the order in which it was asked (the draft, section
 * 6), so that a read sees what was written ahead of it.
 */
#ifndef LIB_SSH_SFTP_WORK_H
#define LIB_SSH_SFTP_WORK_H

#include "lib/ssh/sftp_request.h"

#pragma GCC visibility push(hidden)

enum sftp_step {
	STEP_OPENING,		/* nothing can be sent without a handle */
	STEP_LOOK,		/* what is there already? */
	STEP_WRITE,
	STEP_CUT,
	STEP_SYNC,
	STEP_READ_BACK,
	STEP_CLOSE,
	STEP_END
};

enum sftp_piece {		/* a chunk of the job */
	PIECE_ASKED,
	PIECE_SAME,
	PIECE_DIFFERS,
	PIECE_WRITTEN
};

struct sftp_work {
	struct sftp_job *job;
	struct sftp_handle handle;
	enum sftp_step step;	/* what is to be sent next, */
	size_t next;		/* and of which piece */
	size_t in_flight;
	size_t left;		/* bytes that are not known to be there */
	bool has_asked_size;
	bool knows_size;
	uint64_t size;		/* of what is there */
	size_t wants_room;	/* bytes; a write failed: is the disk full? */
	unsigned char *pieces;	/* enum sftp_piece */
	size_t n_pieces;
	size_t cap_pieces;	/* kept for the next job */
};

/* Sends the OPEN; there must be room. */
int sftp_work_begin(struct sftp *s, struct sftp_work *w, struct sftp_job *job,
    struct err *e);
/* Sends what may be sent now. -1: the connection. */
int sftp_work_push(struct sftp *s, struct sftp_work *w, struct err *e);
bool sftp_work_is_done(const struct sftp_work *w);
/* The job's error has been set: all that is left to do is to close. */
void sftp_work_fail(struct sftp_work *w);

/* What there is to do once the file is open. */
enum sftp_step sftp_work_first_step(const struct sftp_job *job);

/* Piece i of the job. */
size_t sftp_piece_length(const struct sftp *s, const struct sftp_work *w,
    size_t i);
/* Good until the next call; NULL where it cannot be had: the job has failed. */
const void *sftp_piece_data(struct sftp *s, struct sftp_work *w, size_t i);
uint64_t sftp_piece_offset(const struct sftp *s, const struct sftp_work *w,
    size_t i);

/* What comes of each request. */
sftp_answered sftp_work_opened;
sftp_answered sftp_work_measured;
sftp_answered sftp_work_looked;
sftp_answered sftp_work_written;
sftp_answered sftp_work_was_cut;
sftp_answered sftp_work_synced;
sftp_answered sftp_work_was_read_back;
sftp_answered sftp_work_closed;
sftp_answered sftp_work_room_told;

#pragma GCC visibility pop

#endif
