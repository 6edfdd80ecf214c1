/*
 * The payload of an .rpm, as it is packed: for what reads it, and for what has
 * it unpacked beside. Those are two files, since only the second one needs
 * libarchive.
 */
#ifndef LIB_RPM_PAYLOAD_PRIVATE_H
#define LIB_RPM_PAYLOAD_PRIVATE_H

#include "lib/rpm/rpm.h"
#include "lib/sys/reader.h"

/* Its bytes, and where they go: either may be NULL. */
struct payload {
	int fd;
	struct out *copy;
	struct reader *reader;
};

/* Reads all of it: its digest, and what the signature header says of it. */
int payload_check(const struct payload *p, struct rpm *r, struct err *e);

#endif
