#include "lib/base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
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
		four[0] = digits[three >> 18];
		four[1] = digits[three >> 12 & 63];
		four[2] = i + 1 < n ? digits[three >> 6 & 63] : '=';
		four[3] = i + 2 < n ? digits[three & 63] : '=';
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
		at = memchr(digits, text[i], sizeof(digits) - 1);
		if (at == NULL || padding > 0)
			return false;
		bits = bits << 6 | (uint32_t)(at - digits);
		if (count++ % 4 == 0)
			continue;
		byte = (uint8_t)(bits >> (2 * (4 - count) % 8));
		buf_add(data, &byte, 1);
	}
	if (count == 0 || (count + padding) % 4 != 0)
		return false;
	return padding == 0 || (bits & (padding == 1 ? 3 : 15)) == 0;
}
