/*
 * Messages to stderr, one a line, "tool: text". Every text may hold bytes
 * from outside: what is not printable is made harmless on the way out.
 * All functions may be called by any thread.
 *
 * Progress of long work: on a terminal one line that redraws and never wraps,
 * elsewhere one line when it is done. Of a pipeline only one process draws:
 * the one that knows how much there is to do. So the reader of a stream of
 * unknown length from a pipe leaves the line to its writer.
 *
 *	log_progress_start("checking packages", total_bytes);
 *	log_progress_add(n);		(as bytes are done)
 *	log_progress_end();
 */
#ifndef LIB_SYS_LOG_H
#define LIB_SYS_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_NOTICE,	/* steps and results; not with -q */
	LOG_DETAIL,	/* -v */
	LOG_TRACE	/* -v -v */
};

/* The name is borrowed. Level: the least urgent one that is printed. */
void log_open(const char *tool, enum log_level level);
void log_say(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_say(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_say(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_say(LOG_NOTICE, __VA_ARGS__)
#define log_detail(...) log_say(LOG_DETAIL, __VA_ARGS__)
#define log_trace(...) log_say(LOG_TRACE, __VA_ARGS__)

/* The label is borrowed. total is in bytes; 0: unknown. */
void log_progress_start(const char *label, uint64_t total);
void log_progress_add(uint64_t n);
void log_progress_end(void);

/*
 * The state of something that takes long and has no bytes to count: on a
 * terminal one line that redraws, elsewhere nothing. "" removes it.
 */
void log_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Appends text. Bytes of control characters (C0, DEL, C1), of marks that turn
 * the direction of the text, and of what is not UTF-8 become \xNN.
 */
void log_harmless(struct buf *out, const char *text);

/*
 * For people: "1.4 MiB", and "45 s", "12 min", "3 h 5 min", "2 d 4 h". The
 * text stands in a buffer of the calling thread, and two in one message are
 * two; the third overwrites the first.
 */
const char *log_bytes(uint64_t n);
const char *log_time(uint64_t seconds);

#endif
