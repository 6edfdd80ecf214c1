/*
 * Bytes from outside are taken apart in a process that can do nothing else: a
 * reader has one socket, and no file, network, key or other process (it ends
 * in sandbox_seal). What it does is a function of ours, its work, which gets
 * the bytes and says what is in them.
 *
 *	reader_start(e);		first of all: no key, no thread yet
 *	r = reader_open(unpack_deb, is_whole, e);
 *	while ((n = io_read(fd, chunk, ...)) > 0 &&
 *	    reader_feed(r, chunk, n, e) == 0)
 *		...
 *	status = reader_answer(r, "x.deb", limit, &answer, e);
 *	reader_close(r);
 *	reader_stop();
 *
 * So whoever reads the file, hashes and copies it, and the reader sees the same
 * bytes. What it answers is hostile: it may be in the hands of the one who made
 * the package. A reader serves one package after the other of one origin, and
 * none of another, so that nobody can have it lie about what others have made.
 *
 * Processes: reader_start forks one that has nothing and knows nothing; from it
 * come the readers, as children of the tool's own, which waits for them. They
 * end with the tool, however it ends.
 */
#ifndef LIB_SYS_READER_H
#define LIB_SYS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct reader;

/*
 * What a reader does, in its process: 0, or -1 and an error, which becomes the
 * tool's. The argument is the one that reader_open had.
 */
typedef int reader_work(uint32_t argument, struct err *e);

/* For the work: the bytes, as an unpack_source (lib/data/source.h). */
ssize_t reader_source(void *unused, const void **chunk, struct err *e);
/* For the work: adds to the answer. */
void reader_say(const void *data, size_t n);

/* Call it before a key is read or a thread begins. May be called again. */
int reader_start(struct err *e);
/* Ends all readers. Accepts what was never started. */
void reader_stop(void);

/*
 * What this thread reads from here on was made by this origin: a number, 0 at
 * first.
 */
void reader_set_origin(unsigned origin);

/* NULL: none could be made. */
struct reader *reader_open(reader_work *work, uint32_t argument,
    struct err *e);
/*
 * Gives it some more. -1 after a signal. Where the reader has ended, that is
 * for reader_answer to tell.
 */
int reader_feed(struct reader *r, const void *data, size_t n, struct err *e);
/*
 * That was all: waits for the answer, which is appended. name is for the
 * message where the reader dies. ERR_DATA: it has died, was ended since it took
 * too long, or says more than limit bytes; ERR_RESOURCE: it had no memory.
 */
int reader_answer(struct reader *r, const char *name, size_t limit,
    struct buf *answer, struct err *e);
/* Accepts NULL. A reader that has not answered well is ended. */
void reader_close(struct reader *r);

/* ------------------------------------------------------- what it answers */

/* A frame: its kind, the length of the rest, in big-endian, and the rest. */
#define READER_HEAD 5			/* bytes, of kind and length */
#define READER_FRAME ((size_t)64 << 10)	/* most bytes of the rest */

enum reader_kind {
	READER_DATA = 'd',	/* a part of the answer */
	READER_ERROR = 'e',	/* a byte, the enum err_kind, and a text */
	READER_END = 'f'	/* all is said, and all is well */
};

struct reader_frame {
	enum reader_kind kind;
	const char *p;
	size_t n;
};

/*
 * Takes the first frame off n bytes. Returns how many bytes it has, 0 where
 * more must come, or -1 where that is no frame.
 */
ssize_t reader_decode(const char *p, size_t n, struct reader_frame *f);
/* The error that such a frame tells of: ERR_DATA, ERR_IO or ERR_RESOURCE. */
void reader_decode_error(const struct reader_frame *f, struct err *e);

#endif
