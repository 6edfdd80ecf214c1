#include "lib/data/stream.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/data/archive.h"
#include "lib/data/inflate.h"

#define CHUNK ((size_t)128 << 10)

struct stream {
	unpack_source *source;
	void *arg;
	struct gunzip *gunzip;	/* one of the two, or none: as it is */
	struct unpack *unpack;
	bool has_begun;
	bool is_over;
	char *chunk;
};

static enum unpack_filter
filter_of(enum stream_kind kind)
{
	switch (kind) {
	case STREAM_XZ:
		return UNPACK_XZ;
	case STREAM_ZSTD:
		return UNPACK_ZSTD;
	case STREAM_BZIP2:
		return UNPACK_BZIP2;
	case STREAM_LZMA:
		return UNPACK_LZMA;
	default:
		return UNPACK_PLAIN;
	}
}

struct stream *
stream_open(enum stream_kind kind, unpack_source *source, void *arg)
{
	struct stream *s = mem_zero(1, sizeof(*s));

	s->source = source;
	s->arg = arg;
	if (kind == STREAM_PLAIN)
		return s;
	s->chunk = mem_alloc(CHUNK);
	/* libarchive does not compare the checksum of gzip */
	if (kind == STREAM_GZIP)
		s->gunzip = gunzip_open(source, arg);
	else
		s->unpack = unpack_open(UNPACK_STREAM, filter_of(kind),
		    source, arg);
	return s;
}

static ssize_t
read_unpacked(struct stream *s, struct err *e)
{
	struct member m;
	int status;

	if (!s->has_begun) {
		s->has_begun = true;
		status = unpack_next(s->unpack, &m, e);
		if (status <= 0)
			return status;
	}
	return unpack_read(s->unpack, s->chunk, CHUNK, e);
}

/* What libarchive had no use for, and has not read. */
static int
check_end(struct stream *s, struct err *e)
{
	const void *rest;
	ssize_t n = s->source(s->arg, &rest, e);

	if (n > 0)
		return err_set(e, ERR_DATA, "something follows the compressed "
		    "data");
	return (int)n;
}

ssize_t
stream_read(void *stream, const void **chunk, struct err *e)
{
	struct stream *s = stream;
	ssize_t n;

	if (s->is_over)
		return 0;
	if (s->chunk == NULL)
		return s->source(s->arg, chunk, e);
	n = s->gunzip != NULL ? gunzip_read(s->gunzip, s->chunk, CHUNK, e) :
	    read_unpacked(s, e);
	s->is_over = n <= 0;
	if (n == 0 && check_end(s, e) < 0)
		return -1;
	*chunk = s->chunk;
	return n;
}

void
stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	gunzip_close(s->gunzip);
	unpack_close(s->unpack);
	free(s->chunk);
	free(s);
}
