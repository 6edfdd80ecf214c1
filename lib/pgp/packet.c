#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/pgp/pgp.h"

/* RFC 4880 4.3 and 9.4 */
enum {
	TAG_SIGNATURE = 2, TAG_PUBLIC_KEY = 6, TAG_USER_ID = 13,
	TAG_PUBLIC_SUBKEY = 14, TAG_USER_ATTRIBUTE = 17
};
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

enum { SUBPACKET_EXPIRES = 3, SUBPACKET_FINGERPRINT = 33, SIGNATURE_HEAD = 6 };

/* RFC 4880 5.2.3.1: a length as of a packet in the new format, then a type. */
static bool
take_subpacket(const uint8_t **p, const uint8_t *end, struct packet *sub)
{
	if (*p == end || !take_new_length(p, end, &sub->n) || sub->n == 0 ||
	    sub->n > (size_t)(end - *p))
		return false;
	sub->tag = **p & 0x7f;	/* without the critical bit */
	sub->body = *p + 1;
	*p += sub->n;
	sub->n--;
	return true;
}

/* The subpackets that a v4 signature covers lie from *p to *end. */
static bool
find_hashed(const struct packet *packet, const uint8_t **p,
    const uint8_t **end)
{
	size_t n;

	if (packet->tag != TAG_SIGNATURE || packet->n < SIGNATURE_HEAD ||
	    packet->body[0] != 4)
		return false;
	n = be16_read(packet->body + 4);
	*p = packet->body + SIGNATURE_HEAD;
	*end = *p + n;
	return n <= packet->n - SIGNATURE_HEAD;
}

bool
pgp_expires(const void *signatures, size_t n)
{
	const uint8_t *p = signatures, *end = p + n, *q, *hashed;
	struct packet packet, sub;

	while (p < end && take_packet(&p, end, &packet)) {
		if (!find_hashed(&packet, &q, &hashed))
			continue;
		/* RFC 4880 5.2.3.10: seconds; 0 is never */
		while (take_subpacket(&q, hashed, &sub))
			if (sub.tag == SUBPACKET_EXPIRES && sub.n == 4 &&
			    be32_read(sub.body) != 0)
				return true;
	}
	return false;
}

bool
pgp_issuer(const void *signature, size_t n, char fingerprint[PGP_FINGERPRINT])
{
	static const char digits[] = "0123456789ABCDEF";
	const uint8_t *p = signature, *end;
	struct packet packet, sub;
	size_t i;

	if (n == 0 || !take_packet(&p, p + n, &packet) ||
	    !find_hashed(&packet, &p, &end))
		return false;
	while (take_subpacket(&p, end, &sub)) {
		/* key version 4, twenty bytes */
		if (sub.tag != SUBPACKET_FINGERPRINT || sub.n != 21 ||
		    sub.body[0] != 4)
			continue;
		for (i = 0; i < 20; i++) {
			fingerprint[2 * i] = digits[sub.body[1 + i] >> 4];
			fingerprint[2 * i + 1] = digits[sub.body[1 + i] & 15];
		}
		fingerprint[2 * i] = '\0';
		return true;
	}
	return false;
}

int
pgp_count_signatures(const void *packets, size_t n)
{
	const uint8_t *p = packets, *end = p + n;
	struct packet packet;
	int count = 0;

	while (p < end) {
		if (!take_packet(&p, end, &packet) ||
		    packet.tag != TAG_SIGNATURE)
			return -1;
		count++;
	}
	return count;
}

/* ---------------------------------------------------------------- armour */

/* The line at *p without its end; the last one need not have any. */
static bool
take_line(const char **p, const char *end, const char **line, size_t *n)
{
	const char *newline = memchr(*p, '\n', (size_t)(end - *p));

	if (*p == end)
		return false;
	*line = *p;
	*n = (size_t)((newline ? newline : end) - *p);
	*p = newline ? newline + 1 : end;
	if (*n > 0 && (*line)[*n - 1] == '\r')
		--*n;
	return true;
}

static bool
line_is(const char *line, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(line, text, n) == 0;
}

/* RFC 4880 6.2: lines "Version: ...", then an empty one. */
static bool
skip_armour_headers(const char **p, const char *end)
{
	const char *line;
	size_t n;

	while (take_line(p, end, &line, &n)) {
		if (n == 0)
			return true;
		if (memmem(line, n, ": ", 2) == NULL)
			return false;
	}
	return false;
}

/* RFC 4880 6.1 */
static uint32_t
crc24(const void *data, size_t n)
{
	const uint8_t *p = data, *end = p + n;
	uint32_t crc = 0xb704ce;
	int bit;

	for (; p < end; p++) {
		crc ^= (uint32_t)*p << 16;
		for (bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc & 0x800000 ? 0x1864cfb : 0);
	}
	return crc & 0xffffff;
}

static bool
check_crc(const char *line, size_t n, const struct buf *packets, size_t from)
{
	struct buf said = BUF_INIT;
	uint32_t crc = crc24(packets->p + from, packets->n - from);
	const uint8_t wanted[] = {(uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
	    (uint8_t)crc};
	bool is_right = base64_read(line, n, &said) &&
	    said.n == sizeof(wanted) &&
	    memcmp(said.p, wanted, sizeof(wanted)) == 0;

	buf_clear(&said);
	return is_right;
}

bool
pgp_read_armour(const char *text, size_t n, const char *what,
    struct buf *packets)
{
	char mark[64];
	const char *p = text, *end = text + n, *line, *body, *crc = NULL;
	size_t m, from = packets->n;

	snprintf(mark, sizeof(mark), "-----BEGIN PGP %s-----", what);
	if (!take_line(&p, end, &line, &m) || !line_is(line, m, mark) ||
	    !skip_armour_headers(&p, end))
		return false;
	snprintf(mark, sizeof(mark), "-----END PGP %s-----", what);
	for (body = p; take_line(&p, end, &line, &m);) {
		n = (size_t)(line - body);
		if (m == 5 && line[0] == '=') {
			crc = line + 1;
			if (!take_line(&p, end, &line, &m))
				return false;
		}
		if (line_is(line, m, mark))
			return p == end && base64_read(body, n, packets) &&
			    (crc == NULL ||
			    check_crc(crc, 4, packets, from));
	}
	return false;
}

bool
pgp_is_one_key(const void *packets, size_t n)
{
	const uint8_t *p = packets, *end = p + n;
	struct packet packet;
	int count = 0;

	while (p < end) {
		if (!take_packet(&p, end, &packet))
			return false;
		switch (packet.tag) {
		case TAG_PUBLIC_KEY:
			count++;
			break;
		case TAG_SIGNATURE:
		case TAG_USER_ID:
		case TAG_PUBLIC_SUBKEY:
		case TAG_USER_ATTRIBUTE:
			if (count == 1)
				break;
			/* fall through */
		default:
			return false;
		}
	}
	return count == 1;
}
