/*
 * Reading gzip data that come piece by piece (zlib), with their checksums
 * compared. Several streams one after the other are one, as for gzip(1).
 */
#ifndef LIB_DATA_GUNZIP_H
#define LIB_DATA_GUNZIP_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/data/archive.h"

struct gunzip *gunzip_open(unpack_source *source, void *arg);
/* Bytes into p, at most n; 0 at the end, all of the source read; -1. */
ssize_t gunzip_read(struct gunzip *g, void *p, size_t n, struct err *e);
void gunzip_close(struct gunzip *g);	/* accepts NULL */

#endif
