#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/mem.h"
#include "lib/data/gunzip.h"
#include "lib/data/out_chain.h"

#define CHUNK ((size_t)64 << 10)
#define GZIP_WINDOW (MAX_WBITS + 16)	/* zlib.h: +16 is gzip framing */
#define LEVEL 6

struct out_to_gzip {
	struct out base;
	struct out *next;
	z_stream z;
	unsigned char chunk[CHUNK];
};

static int
deflate_into_next(struct out_to_gzip *o, int flush, struct err *e)
{
	int status;

	do {
		o->z.next_out = o->chunk;
		o->z.avail_out = CHUNK;
		status = deflate(&o->z, flush);
		if (status == Z_STREAM_ERROR)
			return err_set(e, ERR_BUG, "deflate failed");
		out_add(o->next, o->chunk, CHUNK - o->z.avail_out);
	} while (o->z.avail_out == 0 || (flush == Z_FINISH &&
	    status != Z_STREAM_END));
	return 0;
}

static int
gzip_write(struct out *base, const void *data, size_t n, struct err *e)
{
	struct out_to_gzip *o = (struct out_to_gzip *)base;
	const unsigned char *p = data;
	size_t step;

	while (n > 0) {
		step = n > (size_t)1 << 30 ? (size_t)1 << 30 : n;
		o->z.next_in = (unsigned char *)(uintptr_t)p;
		o->z.avail_in = (uInt)step;
		if (deflate_into_next(o, Z_NO_FLUSH, e) < 0)
			return -1;
		p += step;
		n -= step;
	}
	return 0;
}

static void
gzip_free(struct out_to_gzip *o)
{
	deflateEnd(&o->z);
	free(o);
}

static int
gzip_commit(struct out *base, struct err *e)
{
	struct out_to_gzip *o = (struct out_to_gzip *)base;
	int status;

	o->z.next_in = NULL;
	o->z.avail_in = 0;
	status = deflate_into_next(o, Z_FINISH, e);
	if (status == 0)
		status = out_commit(o->next, e);
	else
		out_discard(o->next);
	gzip_free(o);
	return status;
}

static void
gzip_discard(struct out *base)
{
	struct out_to_gzip *o = (struct out_to_gzip *)base;

	out_discard(o->next);
	gzip_free(o);
}

static const struct out_type gzip_type = {
	gzip_write, gzip_commit, gzip_discard,
};

struct out *
out_gzip(struct out *next)
{
	struct out_to_gzip *o = mem_zero(1, sizeof(*o));
	/* RFC 1952: no name, no time; 3 is Unix, whatever zlib was built on */
	static gz_header header = {.os = 3};

	o->base.type = &gzip_type;
	o->next = next;
	if (deflateInit2(&o->z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflateSetHeader(&o->z, &header) != Z_OK)
		abort();
	return &o->base;
}

int
out_gunzip(const void *data, size_t n, size_t max,
    int (*sink)(const void *, size_t, void *), void *arg, struct err *e)
{
	unsigned char *chunk = mem_alloc(CHUNK);
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)data,
	    .avail_in = (uInt)n};
	size_t got, total = 0;
	int status = Z_DATA_ERROR;

	if (n > UINT32_MAX || inflateInit2(&z, GZIP_WINDOW) != Z_OK) {
		free(chunk);
		return err_set(e, ERR_DATA, "not a gzip file of usual size");
	}
	do {
		z.next_out = chunk;
		z.avail_out = CHUNK;
		status = inflate(&z, Z_NO_FLUSH);
		if (status != Z_OK && status != Z_STREAM_END)
			break;
		got = CHUNK - z.avail_out;
		if (got > max - total) {
			status = Z_MEM_ERROR;
			break;
		}
		total += got;
		if (sink(chunk, got, arg) < 0) {
			status = Z_ERRNO;
			break;
		}
	} while (status != Z_STREAM_END);
	if (status == Z_STREAM_END && z.avail_in > 0)
		status = Z_DATA_ERROR;	/* something follows the stream */
	inflateEnd(&z);
	free(chunk);
	if (status == Z_MEM_ERROR)
		return err_set(e, ERR_DATA, "unpacks to more than %zu bytes",
		    max);
	if (status != Z_STREAM_END)
		return err_set(e, ERR_DATA, "damaged gzip data");
	return 0;
}

/* ---------------------------------------------------------- piece by piece */

struct gunzip {
	unpack_source *source;
	void *arg;
	z_stream z;
	bool is_within;		/* a stream that has begun, and has no end */
};

struct gunzip *
gunzip_open(unpack_source *source, void *arg)
{
	struct gunzip *g = mem_zero(1, sizeof(*g));

	g->source = source;
	g->arg = arg;
	g->is_within = true;	/* nothing at all is no gzip */
	if (inflateInit2(&g->z, GZIP_WINDOW) != Z_OK)
		abort();
	return g;
}

/* 1: there is input; 0: no more. */
static int
gunzip_fill(struct gunzip *g, struct err *e)
{
	const void *chunk;
	ssize_t n;

	if (g->z.avail_in > 0)
		return 1;
	n = g->source(g->arg, &chunk, e);
	if (n <= 0)
		return (int)n;
	g->z.next_in = (unsigned char *)(uintptr_t)chunk;
	g->z.avail_in = (uInt)n;
	return 1;
}

/* 1: go on; 0: the end. */
static int
gunzip_step(struct gunzip *g, struct err *e)
{
	int more = gunzip_fill(g, e), status;

	if (more < 0)
		return -1;
	if (more == 0)
		return !g->is_within ? 0 : err_set(e, ERR_DATA, "gzip data "
		    "that end too early");
	if (!g->is_within && inflateReset(&g->z) != Z_OK)
		abort();
	g->is_within = true;
	status = inflate(&g->z, Z_NO_FLUSH);
	if (status != Z_OK && status != Z_STREAM_END)
		return err_set(e, ERR_DATA, "damaged gzip data");
	g->is_within = status != Z_STREAM_END;
	return 1;
}

ssize_t
gunzip_read(struct gunzip *g, void *p, size_t n, struct err *e)
{
	int status = 1;

	g->z.next_out = p;
	g->z.avail_out = (uInt)n;
	while (status > 0 && g->z.avail_out > 0)
		status = gunzip_step(g, e);
	return status < 0 ? -1 : (ssize_t)(n - g->z.avail_out);
}

void
gunzip_close(struct gunzip *g)
{
	if (g == NULL)
		return;
	inflateEnd(&g->z);
	free(g);
}
