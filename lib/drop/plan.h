/*
 * The plan of an upload: which piece of which file is sent, synced or read
 * back next, and what has been proven by now. Several connections, each with a
 * thread of its own, take their steps from one plan; every function may be
 * called by any of them.
 *
 *	struct plan *p = plan_new(files, n);
 *	while ((status = plan_wait(p, 1000, e)) > 0)
 *		while (plan_take(p, &step)) {
 *			...do it...
 *			plan_note(p, &step, sent, is_proven);
 *		}
 *	if (status == 0)
 *		status = plan_result(p, e);
 *	plan_free(p);
 *
 * A small file is one piece, that is sent, synced and read back in one go. A
 * large one is many: each is sent; the file is synced once all are there; and
 * what was sent is read back while more is sent, since a line carries both ways
 * at once.
 */
#ifndef LIB_DROP_PLAN_H
#define LIB_DROP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/ssh/put.h"

struct upload_file {
	const char *path;	/* in the drop, safe in the sense of path.h */
	/* Either a file, opened when its turn comes and closed again... */
	int (*open)(const struct upload_file *file, struct err *e);
	void *arg;		/* of open */
	/* ...or, with open NULL, memory. */
	const void *data;
	uint64_t size;		/* bytes, in either case */
};

/* Eight of the chunks that OpenSSH takes: no file ends in a stub of one. */
#define PLAN_PIECE ((uint64_t)8 * (255 << 10))

struct plan_step {
	enum sftp_duty duty;
	size_t file;
	uint64_t offset;
	uint64_t n;		/* bytes; 0 of SFTP_SYNC */
};

/* The files are borrowed. */
struct plan *plan_new(const struct upload_file *files, size_t n);
void plan_free(struct plan *p);		/* accepts NULL */

/* False where there is nothing to do now, or something has failed. */
bool plan_take(struct plan *p, struct plan_step *step);
/*
 * The step went well, with so many bytes that had to be sent. is_proven: what
 * is there was compared with the file, and need not be read back.
 */
void plan_note(struct plan *p, const struct plan_step *step, uint64_t sent,
    bool is_proven);
/* The first failure is the one that counts. */
void plan_fail(struct plan *p, const struct err *e);

/*
 * Waits until there is a step to take: 1. 0: all is done, or something has
 * failed; 2: neither came within ms milliseconds; -1: ERR_SIGNAL.
 */
int plan_wait(struct plan *p, int ms, struct err *e);
/* 0: all is sent, synced and proven; -1: what plan_fail was told. */
int plan_result(struct plan *p, struct err *e);
uint64_t plan_sent(struct plan *p);	/* bytes */

#endif
