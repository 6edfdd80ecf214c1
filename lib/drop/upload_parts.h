/*
 * What the files of lib/upload share: one drop on its way.
 *
 *	upload.c	a try after the other
 *	upload_drop.c	its directories, and the rename
 *	upload_plan.c	which step is next, and what has been proven
 *	upload_pieces.c	each step as a job
 *	upload_lines.c	the connections that do the pieces
 *	upload_prover.c	a connection that asks for hashes, if it may,
 *	upload_hashes.c	and how
 *
 * A small file is one piece, that is sent, synced and read back in one go. A
 * large one is many: they are sent, the file is synced, and what proves it is
 * its hash, taken on the far side, where the account has a shell, or else
 * that all pieces are read back, beside the sending. On a long line, and where
 * a part of it may be there already, it has a hash for each of its parts.
 */
#ifndef LIB_DROP_UPLOAD_PARTS_H
#define LIB_DROP_UPLOAD_PARTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/drop/upload.h"
#include "lib/ssh/sftp.h"

/* Eight of the chunks that OpenSSH takes: no file ends in a stub of one. */
#define UPLOAD_PIECE ((uint64_t)8 * (255 << 10))
/* Less than this, in large files, needs no connection besides. */
#define UPLOAD_WORTH ((uint64_t)16 << 20)

/* How large files are proven; only the first one changes. */
enum upload_proof {
	PROOF_UNKNOWN,		/* the prover has not said */
	PROOF_HASH,
	PROOF_READ_BACK
};

struct plan_file {
	size_t first_part;
	size_t open_parts;	/* that are not proven */
	uint64_t unsent;	/* pieces that are not there yet */
	bool is_large;
	bool is_synced;
};

/* What one hash proves. */
struct plan_part {
	size_t file;
	uint64_t offset;
	uint64_t n;		/* bytes */
	uint64_t unsent;	/* pieces */
	uint64_t unproven;
	bool is_asked;		/* its hash, of the far side */
	bool asks_first;	/* before anything is sent */
};

struct plan_range {
	size_t file;
	uint64_t offset;
};

struct sending {
	struct upload *u;
	char *part;		/* "incoming/x.part" */
	char *final;
	bool look_first;
	unsigned round_trip;	/* microseconds, at most */
	bool is_far;

	/* ------------------------------------------- of all the threads */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct err error;	/* the first one */
	bool is_over;
	uint64_t sent;		/* bytes */

	enum upload_proof proof;
	int64_t decide_by;	/* when the prover may be given up */

	struct plan_file *files;
	struct plan_part *parts;
	size_t n_parts;
	uint64_t part_size;	/* bytes; the last one of a file has less */
	size_t file;		/* the next piece: of this file, */
	uint64_t offset;	/* from here */
	size_t open_files;	/* that are not proven and synced */
	/* sent, and to be read back unless a hash proves it: from first on */
	struct plan_range *ranges;
	size_t n_ranges, cap_ranges, first_range;
	bool sent_last;		/* of sending and reading back */
	size_t *due;		/* large files that are there, to be synced */
	size_t n_due;
};

/* --------------------------------------------------------- upload_plan.c */

void upload_plan_begin(struct sending *s);
void upload_plan_clear(struct sending *s);
uint64_t upload_plan_large(const struct sending *s);	/* bytes */

/* All of this with the lock. */
struct plan_step {
	enum sftp_duty duty;
	size_t file;
	uint64_t offset;
	uint64_t n;
};
bool upload_plan_has_work(struct sending *s);
/* False where there is none, or one has failed. */
bool upload_plan_take(struct sending *s, struct plan_step *step);
/* It went well; what was sent may be proven by it. */
void upload_plan_note(struct sending *s, const struct plan_step *step,
    bool is_proven);
bool upload_plan_is_done(const struct sending *s);
/* A part is there, as a hash says. */
void upload_plan_proven(struct sending *s, size_t part);

/* Until something has changed, or a signal can be looked for; with the lock. */
void upload_wait_a_slice(struct sending *s);
/* Takes the lock. */
void upload_fail(struct sending *s, const struct err *e);
/* The first word counts, but for falling back to reading. Takes the lock. */
void upload_decide(struct sending *s, enum upload_proof proof);

/* ------------------------------------------------------- upload_pieces.c */

/* For sftp_put; the argument is the sending. */
struct sftp_job *upload_next(void *arg);
void upload_done(struct sftp_job *job, void *arg);
/* n bytes of a file that is opened anew. */
int upload_load(const struct upload_file *f, uint64_t offset, void *to,
    size_t n, struct err *e);

/* -------------------------------------------------------- upload_lines.c */

struct upload_line {
	struct sending *s;
	struct remote *remote;
	struct sftp *sftp;
	pthread_t thread;
	bool is_started;
};

/* Whether the other side is far away. */
bool upload_line_is_long(const struct upload_line *l);
int upload_line_open(struct upload_line *l, struct sending *s, struct err *e);
void upload_line_close(struct upload_line *l);
/* All that is not there yet, by this connection and others. */
int upload_lines_send(struct upload_line *first, struct err *e);

/* ------------------------------------------------------- upload_hashes.c */

/* Whether a shell may get to see that name. */
bool upload_hash_may_name(const char *path);
/* Adds the i-th question, for a whole file, to a command line; */
void upload_hash_ask(struct buf *command, size_t i, const char *tool,
    const char *path);
/* or for count pieces of it. */
void upload_hash_ask_part(struct buf *command, size_t i, const char *tool,
    const char *path, uint64_t piece, uint64_t count);
/* The hash of what is here. */
int upload_hash_here(const struct upload_file *f, uint64_t offset, uint64_t n,
    uint8_t sha256[HASH_SIZE], struct err *e);
/* What was said is not trusted; false where that hash is not in it. */
bool upload_hash_find(const struct buf *said, size_t i,
    uint8_t sha256[HASH_SIZE]);

/* ------------------------------------------------------- upload_prover.c */

struct upload_prover;

/* NULL where none would help: the proof is to read back. */
struct upload_prover *upload_prover_start(struct sending *s);
/* Files that were begun before may be whole: waits for what it says. */
int upload_prover_ask_first(struct upload_prover *p, struct err *e);
void upload_prover_end(struct upload_prover *p);	/* accepts NULL */

/* --------------------------------------------------------- upload_drop.c */

/* 1: the drop is there, complete; 0: it is not. */
int upload_is_there(struct sending *s, struct sftp *sftp, struct err *e);
/* The drop that is there is now the newest. */
int upload_renew(struct sending *s, struct sftp *sftp, struct err *e);
int upload_check_inbox(struct sending *s, struct sftp *sftp, struct err *e);
/* The directories of its files, parents first, are made and added to dirs. */
int upload_make_dirs(struct sending *s, struct sftp *sftp, struct strv *dirs,
    struct err *e);
/* A drop with a file that is not listed is a bad one. */
int upload_remove_strays(struct sending *s, struct sftp *sftp,
    const struct strv *dirs, struct err *e);
/* Another job was faster: what is left of ours is of no use to anybody. */
void upload_remove_part(struct sending *s, struct sftp *sftp,
    const struct strv *dirs);
/* Its name is what makes it count. */
int upload_commit(struct sending *s, struct sftp *sftp,
    const struct strv *dirs, struct err *e);

#endif
