/*
 * The connections that carry a drop: one for questions, and more beside it
 * while files are sent.
 *
 *	struct line first = LINE_INIT;
 *	if (line_open(&first, target, e) == 0)
 *		status = lines_send(&first, &load, &sent, e);
 *	line_close(&first);
 */
#ifndef LIB_DROP_LINES_H
#define LIB_DROP_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/drop/plan.h"
#include "lib/ssh/remote.h"
#include "lib/ssh/sftp.h"

struct line {
	struct remote *remote;
	struct sftp *sftp;
};
#define LINE_INIT {.remote = NULL}

/* On failure there is nothing to close, and line_close does no harm. */
int line_open(struct line *l, const struct remote_target *target,
    struct err *e);
void line_close(struct line *l);

struct line_load {
	const struct remote_target *target;	/* for more connections */
	const struct upload_file *files;
	size_t n;
	const char *dir;	/* there, with all its directories in it */
	/* something may be there: send what differs, cut what is too much */
	bool look_first;
	/* microseconds that an answer took; 0: not known */
	unsigned round_trip;
};

/*
 * Sends the files into dir, each synced, read back and compared, and adds to
 * *sent the bytes that had to be sent, on failure too. As many connections as
 * the line is worth; those that cannot be opened are done without.
 */
int lines_send(struct line *first, const struct line_load *load,
    uint64_t *sent, struct err *e);

#endif
