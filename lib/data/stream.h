/*
 * A compressed stream, unpacked a chunk at a time, between a source of packed
 * bytes and a reader: bounded memory, whatever it unpacks to.
 *
 *	struct stream *s = stream_open(STREAM_XZ, more, arg);
 *	while ((n = stream_read(s, &chunk, e)) > 0)
 *		...
 *	stream_close(s);
 *
 * stream_read is an unpack_source itself. Its 0 is the stream's own end, its
 * checksum compared and all of the source read; what is cut short, or is
 * followed by something else, is ERR_DATA (of bzip2 and lzma, what follows may
 * be passed over).
 */
#ifndef LIB_DATA_STREAM_H
#define LIB_DATA_STREAM_H

#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/data/source.h"

enum stream_kind {
	STREAM_PLAIN, STREAM_GZIP, STREAM_XZ, STREAM_ZSTD, STREAM_BZIP2,
	STREAM_LZMA
};

struct stream *stream_open(enum stream_kind kind, unpack_source *source,
    void *arg);
/* stream is a struct stream; the chunk is valid until the next call. */
ssize_t stream_read(void *stream, const void **chunk, struct err *e);
void stream_close(struct stream *s);	/* accepts NULL */

#endif
