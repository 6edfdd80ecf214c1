/*
 * HTTP by libcurl: bounded in time and size, no redirects, certificates
 * checked, plain http only as far as the configured URL says so.
 */
#ifndef LIB_HTTP_H
#define LIB_HTTP_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"

/*
 * Appends the body of url to *body, asking caches on the way for a fresh
 * one. ERR_AGAIN: cannot be reached now; ERR_MISSING: 404; ERR_PROTOCOL: any
 * other status than 200, or a body of more than max bytes.
 */
int http_get(const char *url, size_t max, struct buf *body, struct err *e);

#endif
