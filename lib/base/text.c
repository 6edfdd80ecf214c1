#include "lib/base/text.h"

#include <endian.h>
#include <string.h>

#define DECIMAL_DIGITS 18

/* ------------------------------------------------- part of a longer text */

bool
span_is(const struct span *s, const char *text)
{
	return strlen(text) == s->n && memcmp(s->p, text, s->n) == 0;
}

bool
span_same(const struct span *a, const struct span *b)
{
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/* ---------------------------------------------------------------- decimal */

bool
decimal_read(const char *text, size_t n, uint64_t *number)
{
	size_t i;

	if (n == 0 || n > DECIMAL_DIGITS || (text[0] == '0' && n > 1))
		return false;
	*number = 0;
	for (i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t)(text[i] - '0');
	}
	return true;
}

bool
serial_read(const char *text, uint64_t *serial)
{
	return decimal_read(text, strlen(text), serial) && *serial > 0;
}

/* ------------------------------------------------------------ hexadecimal */

void
hex_write(const void *data, size_t n, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i < n; i++) {
		*hex++ = digits[p[i] >> 4];
		*hex++ = digits[p[i] & 15];
	}
	*hex = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
hex_read(const char *hex, void *data, size_t n)
{
	uint8_t *p = data;
	int high, low;
	size_t i;

	for (i = 0; i < n; i++) {
		high = hex_digit(hex[2 * i]);
		low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);
		if (low < 0)
			return false;
		p[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* ------------------------------------------------------------------ UTF-8 */

/* How many bytes a character has that begins with this one; 0: none does. */
static size_t
utf8_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc0 || first >= 0xf8)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t
utf8_read(const char *text, size_t n, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *p = (const uint8_t *)text;
	size_t length = n > 0 ? utf8_length(*p) : 0, i;
	uint32_t c;

	if (length == 0 || length > n)
		return 0;
	c = length == 1 ? *p : *p & (0xffu >> (length + 1));
	for (i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*character = c;
	return length;
}

void
utf8_add(struct buf *text, uint32_t character)
{
	static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
	int more = character < 0x80 ? 0 : character < 0x800 ? 1 :
	    character < 0x10000 ? 2 : 3;
	uint8_t byte = (uint8_t)(first[more] | character >> (6 * more));

	buf_add(text, &byte, 1);
	while (more-- > 0) {
		byte = (uint8_t)(0x80 | (character >> (6 * more) & 0x3f));
		buf_add(text, &byte, 1);
	}
}

/* ----------------------------------------------------------------- base64 */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_add(struct buf *text, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t three;
	char four[4];
	size_t i;

	for (i = 0; i < n; i += 3) {
		three = (uint32_t)p[i] << 16;
		three |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		three |= i + 2 < n ? p[i + 2] : 0;
		four[0] = base64_digits[three >> 18];
		four[1] = base64_digits[three >> 12 & 63];
		four[2] = i + 1 < n ? base64_digits[three >> 6 & 63] : '=';
		four[3] = i + 2 < n ? base64_digits[three & 63] : '=';
		buf_add(text, four, 4);
	}
}

bool
base64_read(const char *text, size_t n, struct buf *data)
{
	size_t i, count = 0, padding = 0;
	uint32_t bits = 0;
	const char *at;
	uint8_t byte;

	for (i = 0; i < n; i++) {
		if (text[i] == '\n' || text[i] == '\r')
			continue;
		if (text[i] == '=' && padding++ < 2)
			continue;
		at = memchr(base64_digits, text[i], sizeof(base64_digits) - 1);
		if (at == NULL || padding > 0)
			return false;
		bits = bits << 6 | (uint32_t)(at - base64_digits);
		if (count++ % 4 == 0)
			continue;
		byte = (uint8_t)(bits >> (2 * (4 - count) % 8));
		buf_add(data, &byte, 1);
	}
	if (count == 0 || (count + padding) % 4 != 0)
		return false;
	return padding == 0 || (bits & (padding == 1 ? 3 : 15)) == 0;
}

/* ------------------------------------------------------------- big-endian */

uint16_t
be16_read(const void *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return be16toh(value);
}

uint32_t
be32_read(const void *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return be32toh(value);
}

void
be32_write(void *bytes, uint32_t value)
{
	value = htobe32(value);
	memcpy(bytes, &value, sizeof(value));
}

void
be32_add(struct buf *b, uint32_t value)
{
	value = htobe32(value);
	buf_add(b, &value, sizeof(value));
}

void
be64_add(struct buf *b, uint64_t value)
{
	value = htobe64(value);
	buf_add(b, &value, sizeof(value));
}
