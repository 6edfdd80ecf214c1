/*
 * From a drop or an archive to a whole generation in its directory: nothing in
 * it but what the signed manifest lists, every file with the hash listed.
 * Those that bring the files (intake_drop.h, intake_tar.h) go through it so:
 *
 *	read SHA256SUMS and its signature into in->next
 *	intake_begin(in, e);
 *	unless in->is_known:
 *		for each file: o = intake_file_open(...); write; and
 *		    intake_file_done(...)
 *		intake_complete(in, e);
 *
 * and their caller, if it is to be kept, calls intake_commit, and in any case
 * intake_clear.
 */
#ifndef INTAKE_H
#define INTAKE_H

#include "deploy-repo/site.h"
#include "lib/data/out.h"

struct intake {
	struct site *site;
	struct pgp *trusted;
	struct kept next;	/* the new generation's manifest */
	struct kept live;	/* and the live one's, if it can be read */
	int dir;		/* .releases/next.PID; -1 until needed */
	char name[64];
	bool *placed;		/* one for each file of the manifest */
	bool *reused;		/* it is in the directory from before */
	bool is_known;		/* it is live or kept already */
	bool replaces;		/* one of this serial that cannot be read */
	uint64_t asked;		/* the serial that the user gave, or 0 */
	bool allow_older;
};
#define INTAKE_INIT {.next = KEPT_INIT, .live = KEPT_INIT, .dir = -1}

/*
 * Trusts the manifest or not, asks site_admit of its serial, and makes the
 * directory. When is_known is set nothing more is to be done: it is all there.
 * ERR_REFUSED: signature. ERR_DATA: anything else wrong.
 */
int intake_begin(struct intake *in, struct err *e);

/*
 * Before a byte of it is taken: has what comes for the listed path the size
 * that is listed, if one is?
 */
int intake_check_size(const struct intake *in, size_t index, uint64_t size,
    struct err *e);
/* ERR_IO where the disk has no room for so many bytes more. */
int intake_check_room(const struct intake *in, uint64_t bytes, struct err *e);
/* True if the live generation has the listed path with this content. */
bool intake_is_live(const struct intake *in, size_t index);

/*
 * Opens the file that the listed path is to become; *at is its directory. A
 * file that the live generation has at this path with this hash is only
 * hashed, and linked later; should the disk have damaged that one, the copy
 * that comes takes its place. May be called by several threads for different
 * files.
 */
struct out *intake_file_open(struct intake *in, size_t index, int *at,
    struct digest *d, struct err *e);
/* Commits it if its hash is the listed one, and closes at. */
int intake_file_done(struct intake *in, size_t index, struct out *o, int at,
    const struct digest *d, struct err *e);
/* Instead of that: what was begun is discarded. */
void intake_file_discard(struct out *o, int at);
/* All that fd has yet, to o; ends early when a signal has come. */
int intake_copy(int fd, const char *path, struct out *o, struct err *e);

/* Links what was not sent from what is kept, and checks as a client would. */
int intake_complete(struct intake *in, struct err *e);

/* Gives the directory its name; the generation is then kept, not live. */
int intake_commit(struct intake *in, struct err *e);
/* Removes what was not committed. Accepts what was never used. */
void intake_clear(struct intake *in);

#endif
