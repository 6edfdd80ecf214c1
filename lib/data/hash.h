/*
 * SHA-256 by libcrypto, which uses the processor's own instructions.
 *
 *	struct hash *h = hash_open();
 *	hash_add(h, data, n);
 *	hash_close(h, digest);
 *
 * Each struct hash belongs to one thread. Other algorithms, for formats that
 * bring their own: hash_open_as, hash_add, hash_finish.
 */
#ifndef LIB_DATA_HASH_H
#define LIB_DATA_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/hashset.h"	/* HASH_SIZE */

#define HASH_HEX 65	/* 64 hexadecimal digits and a NUL */

/* What a file is known by. */
struct digest {
	uint8_t sha256[HASH_SIZE];
	uint64_t size;	/* bytes */
};

struct hash *hash_open(void);
void hash_add(struct hash *h, const void *data, size_t n);
/* Writes the digest unless it is NULL; frees h. NULL h is accepted. */
void hash_close(struct hash *h, uint8_t digest[HASH_SIZE]);

enum hash_algorithm {
	HASH_MD5, HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512,
	HASH_SHA3_256
};
#define HASH_SIZE_MAX 64

/* NULL where libcrypto will not: FIPS has no MD5. */
struct hash *hash_open_as(enum hash_algorithm algorithm);
/* Writes the digest, frees h, returns the digest's size. */
size_t hash_finish(struct hash *h, uint8_t digest[HASH_SIZE_MAX]);
/* hex is these n bytes, in digits of either case, and nothing more. */
bool hash_is_hex(const char *hex, const uint8_t *digest, size_t n);

void hash_data(const void *data, size_t n, uint8_t digest[HASH_SIZE]);
/* From the descriptor's position to its end. The name is for the message. */
int hash_fd(int fd, const char *name, struct digest *d, struct err *e);

void hash_hex(const uint8_t digest[HASH_SIZE], char hex[HASH_HEX]);
/* Reads exactly 64 lower-case digits at hex; false if it is anything else. */
bool hash_parse(const char *hex, uint8_t digest[HASH_SIZE]);
bool hash_equal(const uint8_t a[HASH_SIZE], const uint8_t b[HASH_SIZE]);

#endif
