/*
 * SHA-256 by libcrypto, which uses the processor's own instructions.
 *
 *	struct hash *h = hash_open();
 *	hash_add(h, data, n);
 *	hash_close(h, digest);
 *
 * Each struct hash belongs to one thread.
 */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define HASH_SIZE 32
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

void hash_data(const void *data, size_t n, uint8_t digest[HASH_SIZE]);
/* From the descriptor's position to its end. The name is for the message. */
int hash_fd(int fd, const char *name, struct digest *d, struct err *e);

void hash_hex(const uint8_t digest[HASH_SIZE], char hex[HASH_HEX]);
/* Reads exactly 64 lower-case digits at hex; false if it is anything else. */
bool hash_parse(const char *hex, uint8_t digest[HASH_SIZE]);
bool hash_equal(const uint8_t a[HASH_SIZE], const uint8_t b[HASH_SIZE]);

#endif
