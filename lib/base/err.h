/*
 * Errors are values. A fallible function takes a `struct err *` last and
 * returns 0 or -1 (or a pointer or NULL); on failure it has filled in the
 * kind, which becomes the exit status, and one line of text that says what
 * was being done to which thing. Only main prints it.
 *
 *	struct err e = ERR_INIT;
 *	if (fs_read_file(dir, "x", 4096, &b, &e) < 0)
 *		return err_wrap(&e, "suite '%s'", suite);
 *
 * A struct err is a plain stack value: nothing to free.
 */
#ifndef LIB_BASE_ERR_H
#define LIB_BASE_ERR_H

#include <stdbool.h>
#include <sysexits.h>

enum err_kind {
	ERR_NONE = 0,
	ERR_USAGE = EX_USAGE,
	ERR_DATA = EX_DATAERR,            /* a package, drop or tree is bad */
	ERR_MISSING = EX_NOINPUT,
	ERR_UNAVAILABLE = EX_UNAVAILABLE, /* not reachable, or refused */
	ERR_BUG = EX_SOFTWARE,
	ERR_RESOURCE = EX_OSERR,          /* out of memory, descriptors, ... */
	ERR_CREATE = EX_CANTCREAT,
	ERR_IO = EX_IOERR,
	ERR_AGAIN = EX_TEMPFAIL,          /* the same call may succeed later */
	ERR_PROTOCOL = EX_PROTOCOL,       /* an answer that makes no sense */
	ERR_REFUSED = EX_NOPERM,
	ERR_CONFIG = EX_CONFIG,
	ERR_SIGNAL = 128                  /* unwinding because of a signal */
};

struct err {
	enum err_kind kind;
	char text[1024];
};
#define ERR_INIT {.kind = ERR_NONE, .text = {0}}

/* Sets the error and returns -1. The text has no full stop and no newline. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with the kind and ": reason" taken from errno. */
int err_sys(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the text that is there. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Of two exit statuses the one to return when both happened. 75, try again,
 * gives way to all others: a retry helps only if it helps all failures.
 */
enum err_kind err_worst(enum err_kind a, enum err_kind b);

#endif
