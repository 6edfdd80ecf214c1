#include "lib/data/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/sys/io.h"

#define READ_SIZE ((size_t)256 << 10)

/* Fetched once: EVP_sha256() looks the algorithm up at every init. */
static EVP_MD *algorithm;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
free_algorithm(void)
{
	EVP_MD_free(algorithm);
}

static void
fetch_algorithm(void)
{
	algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (algorithm == NULL)
		abort();
	atexit(free_algorithm);
}

struct hash *
hash_open(void)
{
	EVP_MD_CTX *ctx;

	pthread_once(&once, fetch_algorithm);
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL || !EVP_DigestInit_ex2(ctx, algorithm, NULL))
		abort();
	return (struct hash *)ctx;
}

void
hash_add(struct hash *h, const void *data, size_t n)
{
	if (!EVP_DigestUpdate((EVP_MD_CTX *)h, data, n))
		abort();
}

void
hash_close(struct hash *h, uint8_t digest[HASH_SIZE])
{
	if (h == NULL)
		return;
	if (digest != NULL &&
	    !EVP_DigestFinal_ex((EVP_MD_CTX *)h, digest, NULL))
		abort();
	EVP_MD_CTX_free((EVP_MD_CTX *)h);
}

struct hash *
hash_open_as(enum hash_algorithm wanted)
{
	static const char *const names[] = {
		[HASH_MD5] = "MD5", [HASH_SHA1] = "SHA1",
		[HASH_SHA256] = "SHA256", [HASH_SHA384] = "SHA384",
		[HASH_SHA512] = "SHA512", [HASH_SHA3_256] = "SHA3-256",
	};
	EVP_MD *md = EVP_MD_fetch(NULL, names[wanted], NULL);
	EVP_MD_CTX *ctx;

	if (md == NULL)
		return NULL;
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL || !EVP_DigestInit_ex2(ctx, md, NULL))
		abort();
	EVP_MD_free(md);	/* the context has its own reference */
	return (struct hash *)ctx;
}

size_t
hash_finish(struct hash *h, uint8_t digest[HASH_SIZE_MAX])
{
	unsigned n = 0;

	if (!EVP_DigestFinal_ex((EVP_MD_CTX *)h, digest, &n))
		abort();
	EVP_MD_CTX_free((EVP_MD_CTX *)h);
	return n;
}

void
hash_data(const void *data, size_t n, uint8_t digest[HASH_SIZE])
{
	struct hash *h = hash_open();

	hash_add(h, data, n);
	hash_close(h, digest);
}

int
hash_fd(int fd, const char *name, struct digest *d, struct err *e)
{
	char *chunk = mem_alloc(READ_SIZE);
	struct hash *h = hash_open();
	ssize_t n;

	d->size = 0;
	while ((n = io_read(fd, chunk, READ_SIZE, name, e)) > 0) {
		hash_add(h, chunk, (size_t)n);
		d->size += (uint64_t)n;
	}
	hash_close(h, n == 0 ? d->sha256 : NULL);
	free(chunk);
	return (int)n;
}

void
hash_hex(const uint8_t digest[HASH_SIZE], char hex[HASH_HEX])
{
	hex_write(digest, HASH_SIZE, hex);
}

bool
hash_parse(const char *hex, uint8_t digest[HASH_SIZE])
{
	return hex_read(hex, digest, HASH_SIZE);
}

bool
hash_is_hex(const char *hex, const uint8_t *digest, size_t n)
{
	char text[2 * HASH_SIZE_MAX + 1];

	hex_write(digest, n, text);
	return strcasecmp(hex, text) == 0;
}

bool
hash_equal(const uint8_t a[HASH_SIZE], const uint8_t b[HASH_SIZE])
{
	return memcmp(a, b, HASH_SIZE) == 0;
}
