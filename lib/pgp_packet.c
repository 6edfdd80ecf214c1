#include <stdint.h>

#include "lib/pgp.h"

/* RFC 4880 4.3 and 9.4 */
enum { TAG_SIGNATURE = 2 };
enum { HASH_MD5 = 1, HASH_SHA1 = 2, HASH_RIPEMD160 = 3 };

struct packet {
	int tag;
	const uint8_t *body;
	size_t n;
};

static bool
take_bytes(const uint8_t **p, const uint8_t *end, size_t count, size_t *value)
{
	if ((size_t)(end - *p) < count)
		return false;
	*value = 0;
	while (count-- > 0)
		*value = *value << 8 | *(*p)++;
	return true;
}

/* RFC 4880 4.2.1: the old format says how many bytes its length has. */
static bool
take_old_length(const uint8_t **p, const uint8_t *end, int type, size_t *n)
{
	static const size_t bytes[] = {1, 2, 4};

	return type < 3 && take_bytes(p, end, bytes[type], n);
}

/* RFC 4880 4.2.2; partial lengths do not occur in keys. */
static bool
take_new_length(const uint8_t **p, const uint8_t *end, size_t *n)
{
	size_t second;

	if (!take_bytes(p, end, 1, n))
		return false;
	if (*n < 192)
		return true;
	if (*n < 224) {
		if (!take_bytes(p, end, 1, &second))
			return false;
		*n = ((*n - 192) << 8) + second + 192;
		return true;
	}
	return *n == 255 && take_bytes(p, end, 4, n);
}

static bool
take_packet(const uint8_t **p, const uint8_t *end, struct packet *packet)
{
	uint8_t first = *(*p)++;
	bool good;

	if (!(first & 0x80))
		return false;
	if (first & 0x40) {
		packet->tag = first & 0x3f;
		good = take_new_length(p, end, &packet->n);
	} else {
		packet->tag = first >> 2 & 0x0f;
		good = take_old_length(p, end, first & 3, &packet->n);
	}
	if (!good || packet->n > (size_t)(end - *p))
		return false;
	packet->body = *p;
	*p += packet->n;
	return true;
}

const char *
pgp_weak_binding(const void *key, size_t n)
{
	const uint8_t *p = key, *end = p + n;
	struct packet packet;

	while (p < end) {
		if (!take_packet(&p, end, &packet))
			return "damaged";
		if (packet.tag != TAG_SIGNATURE)
			continue;
		if (packet.n < 4)
			return "damaged";
		if (packet.body[0] < 4)
			return "version 3";
		/* version, type, public-key algorithm, digest algorithm */
		switch (packet.body[3]) {
		case HASH_MD5:
			return "MD5";
		case HASH_SHA1:
			return "SHA-1";
		case HASH_RIPEMD160:
			return "RIPEMD-160";
		}
	}
	return NULL;
}
