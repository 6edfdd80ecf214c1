/*
 * Where bytes come from, for those that take them apart as they come.
 */
#ifndef LIB_DATA_SOURCE_H
#define LIB_DATA_SOURCE_H

#include <sys/types.h>

#include "lib/base/err.h"

/*
 * Returns the number of bytes at *chunk (valid until the next call), 0 at
 * the end, -1 with *e set.
 */
typedef ssize_t unpack_source(void *arg, const void **chunk, struct err *e);

#endif
