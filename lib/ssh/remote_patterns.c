/*
 * The first word of a line of known_hosts: patterns, or a hashed name.
 */
#include <ctype.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/data/hash.h"
#include "lib/ssh/remote_parts.h"

#define SHA1_SIZE 20
#define SHA1_BLOCK 64

static bool
matches(const char *name, const char *p, const char *end)
{
	const char *star = NULL, *from = NULL;

	while (*name != '\0') {
		if (p < end && *p == '*') {
			star = ++p;
			from = name;
		} else if (p < end && (*p == '?' ||
		    tolower((unsigned char)*p) == *name)) {
			p++;
			name++;
		} else if (star != NULL) {
			p = star;
			name = ++from;
		} else
			return false;
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

/* "a,b*,!bc": what is denied wins. */
static bool
matches_list(const char *name, struct remote_word list)
{
	const char *p = list.p, *end = list.p + list.n, *comma;
	bool found = false, denies;

	for (; p < end; p = comma < end ? comma + 1 : end) {
		comma = memchr(p, ',', (size_t)(end - p));
		if (comma == NULL)
			comma = end;
		denies = *p == '!';
		if (matches(name, denies ? p + 1 : p, comma)) {
			if (denies)
				return false;
			found = true;
		}
	}
	return found;
}

/* RFC 2104, with SHA-1; the key is no longer than a block. */
static bool
hmac_sha1(const struct buf *key, const char *text,
    uint8_t mac[HASH_SIZE_MAX])
{
	uint8_t pad[2][SHA1_BLOCK], inner[HASH_SIZE_MAX];
	struct hash *h;
	size_t i;

	for (i = 0; i < SHA1_BLOCK; i++) {
		pad[0][i] = (i < key->n ? (uint8_t)key->p[i] : 0) ^ 0x36;
		pad[1][i] = pad[0][i] ^ 0x36 ^ 0x5c;
	}
	h = hash_open_as(HASH_SHA1);
	if (h == NULL)
		return false;
	hash_add(h, pad[0], SHA1_BLOCK);
	hash_add(h, text, strlen(text));
	hash_finish(h, inner);
	h = hash_open_as(HASH_SHA1);
	if (h == NULL)
		return false;
	hash_add(h, pad[1], SHA1_BLOCK);
	hash_add(h, inner, SHA1_SIZE);
	hash_finish(h, mac);
	return true;
}

/* "|1|salt|hash" */
static bool
matches_hashed(const char *name, struct remote_word host)
{
	const char *salt = host.p + 3, *end = host.p + host.n, *bar;
	struct buf key = BUF_INIT, wanted = BUF_INIT;
	uint8_t mac[HASH_SIZE_MAX];
	bool same = false;

	bar = memchr(salt, '|', (size_t)(end - salt));
	if (bar != NULL && base64_read(salt, (size_t)(bar - salt), &key) &&
	    base64_read(bar + 1, (size_t)(end - bar - 1), &wanted) &&
	    key.n <= SHA1_BLOCK && wanted.n == SHA1_SIZE &&
	    hmac_sha1(&key, name, mac))
		same = memcmp(mac, wanted.p, SHA1_SIZE) == 0;
	buf_clear(&key);
	buf_clear(&wanted);
	return same;
}

bool
remote_host_matches(const char *name, struct remote_word host)
{
	if (host.n > 3 && memcmp(host.p, "|1|", 3) == 0)
		return matches_hashed(name, host);
	return matches_list(name, host);
}
