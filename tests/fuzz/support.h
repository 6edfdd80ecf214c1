/*
 * What the fuzz targets share. A target is called with bytes that libFuzzer
 * makes up; it fails by a sanitizer's report, by abort(), or by ending the
 * process. What must hold beyond that is said with must().
 */
#ifndef TESTS_FUZZ_SUPPORT_H
#define TESTS_FUZZ_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define must(claim) do { \
	if (!(claim)) { \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
		    #claim); \
		abort(); \
	} \
} while (0)

/* A failure says why, in one line. */
static inline void
must_have_reason(const struct err *e)
{
	must(e->kind != ERR_NONE);
	must(e->kind != ERR_BUG);
	must(e->text[0] != '\0');
	must(memchr(e->text, '\0', sizeof(e->text)) != NULL);
}

/* The bytes as a string that is the fuzzer's own allocation. */
static inline char *
text_of(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);

	must(text != NULL);
	if (n > 0)
		memcpy(text, data, n);
	text[n] = '\0';
	return text;
}

/* A descriptor at the start of a file of these bytes. */
static inline int
file_of(const uint8_t *data, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0);
	must(write(fd, data, n) == (ssize_t)n);
	must(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

#endif
