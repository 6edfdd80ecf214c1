/*
 * Base64 (RFC 4648 4): in rpm's headers, and inside of OpenPGP's armour.
 */
#ifndef LIB_BASE_BASE64_H
#define LIB_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

/* Appends n bytes of data to text, in one line. */
void base64_add(struct buf *text, const void *data, size_t n);

/*
 * Appends what the text stands for. Newlines are passed over; any other
 * character that is no digit, padding that is wrong or missing, bits that are
 * left over, and a text without a digit are false.
 */
bool base64_read(const char *text, size_t n, struct buf *data);

#endif
