/*
 * gzip (zlib): as it comes, in bounded memory, or what is there as a whole.
 *
 *	struct gunzip *g = gunzip_open(more, arg);
 *	while ((n = gunzip_read(g, chunk, size, e)) > 0)
 *		...
 *	gunzip_close(g);
 */
#ifndef LIB_DATA_INFLATE_H
#define LIB_DATA_INFLATE_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/data/source.h"

/*
 * One gzip stream, or several that follow one another, to the end of the
 * source. ERR_DATA where it is damaged or cut short.
 */
struct gunzip *gunzip_open(unpack_source *source, void *arg);
/* Up to n bytes into p, less only at the end; 0 at the end; -1. */
ssize_t gunzip_read(struct gunzip *g, void *p, size_t n, struct err *e);
void gunzip_close(struct gunzip *g);	/* accepts NULL */

/*
 * Unpacks one gzip stream that is in memory, all of it, into sink, which gets
 * the pieces in order and may end it by a negative value. ERR_DATA where it is
 * damaged, cut short, followed by something, or unpacks to more than max bytes.
 */
int gunzip_whole(const void *data, size_t n, size_t max,
    int (*sink)(const void *, size_t, void *), void *arg, struct err *e);

#endif
