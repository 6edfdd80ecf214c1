/*
 * Numbers and bytes as text and protocols write them: decimal, hexadecimal,
 * UTF-8, base64, and the big-endian order of rpm, OpenPGP and SSH.
 *
 * What reads takes bytes from outside and says false, or 0, for everything
 * that is not written in the one usual way. What adds appends to a buffer.
 */
#ifndef LIB_BASE_TEXT_H
#define LIB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

/* ------------------------------------------------- part of a longer text */

/* Not a string: no NUL ends it, and the text that it lies in is borrowed. */
struct span {
	const char *p;
	size_t n;
};

bool span_is(const struct span *s, const char *text);
bool span_same(const struct span *a, const struct span *b);

/* ---------------------------------------------------------------- decimal */

/*
 * All of the n bytes are a number: 1 to 18 digits (so it fits in 63 bits, too),
 * without sign or blank, and without a leading 0 unless it is 0 itself.
 */
bool decimal_read(const char *text, size_t n, uint64_t *number);

/* All of a string is the serial of a generation: such a number, but not 0. */
bool serial_read(const char *text, uint64_t *serial);

/* ------------------------------------------------------------ hexadecimal */

/* Writes 2 * n lower-case digits and a NUL. */
void hex_write(const void *data, size_t n, char *hex);

/*
 * Reads exactly 2 * n lower-case digits into n bytes; what follows them is not
 * looked at. Stops at the first byte that is not a digit, a NUL for example.
 */
bool hex_read(const char *hex, void *data, size_t n);

/* ------------------------------------------------------------------ UTF-8 */

/*
 * The length of the character that the n bytes begin with (RFC 3629), 1 to 4;
 * 0 where there is none: cut off, longer than need be, half of a UTF-16 pair,
 * beyond U+10FFFF. NUL is a character of one byte.
 */
size_t utf8_read(const char *text, size_t n, uint32_t *character);

/* Appends one character, at most U+10FFFF. */
void utf8_add(struct buf *text, uint32_t character);

/* ----------------------------------------------------------------- base64 */

/* Appends n bytes of data to text (RFC 4648 4), in one line. */
void base64_add(struct buf *text, const void *data, size_t n);

/*
 * Appends what the text stands for. Newlines are passed over; any other
 * character that is not a digit, padding that is wrong or missing, bits that
 * are left over, and a text without a digit are false.
 */
bool base64_read(const char *text, size_t n, struct buf *data);

/* ------------------------------------------------------------- big-endian */

/* Of 2 or 4 bytes, which need not be aligned. */
uint16_t be16_read(const void *bytes);
uint32_t be32_read(const void *bytes);
void be32_write(void *bytes, uint32_t value);

void be32_add(struct buf *b, uint32_t value);
void be64_add(struct buf *b, uint64_t value);

#endif
