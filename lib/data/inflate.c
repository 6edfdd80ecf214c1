#include "lib/data/inflate.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/mem.h"

#define CHUNK ((size_t)128 << 10)
#define GZIP_WINDOW (MAX_WBITS + 16)	/* zlib.h: +16 is gzip framing */

/* zlib allocates its window at the first byte: the data are not to blame. */
static int
no_memory(struct err *e)
{
	return err_set(e, ERR_RESOURCE, "unpack gzip data: %s",
	    strerror(ENOMEM));
}

/* --------------------------------------------------- gzip, as it comes */

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
	if (status == Z_MEM_ERROR)
		return no_memory(e);
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

/* ------------------------------------------------- gzip, all there */

int
gunzip_whole(const void *data, size_t n, size_t max,
    int (*sink)(const void *, size_t, void *), void *arg, struct err *e)
{
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)data,
	    .avail_in = (uInt)n};
	bool is_too_much = false, is_stopped = false;
	unsigned char *chunk;
	size_t got, total = 0;
	int status = Z_OK;

	if (n > UINT32_MAX)
		return err_set(e, ERR_DATA, "not a gzip file of usual size");
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return no_memory(e);
	chunk = mem_alloc(CHUNK);
	while (status == Z_OK && !is_too_much && !is_stopped) {
		z.next_out = chunk;
		z.avail_out = CHUNK;
		status = inflate(&z, Z_NO_FLUSH);
		got = CHUNK - z.avail_out;
		is_too_much = got > max - total;
		total += got;
		if (!is_too_much && (status == Z_OK || status == Z_STREAM_END))
			is_stopped = sink(chunk, got, arg) < 0;
	}
	inflateEnd(&z);
	free(chunk);
	if (is_too_much)
		return err_set(e, ERR_DATA, "unpacks to more than %zu bytes",
		    max);
	if (status == Z_MEM_ERROR)
		return no_memory(e);
	/* something may follow the stream */
	if (is_stopped || status != Z_STREAM_END || z.avail_in > 0)
		return err_set(e, ERR_DATA, "damaged gzip data");
	return 0;
}
