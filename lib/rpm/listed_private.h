/*
 * The files that a header lists, against those of its payload, as rpm
 * compares them when it installs (lib/rpmfi.c, rpmfnFindFN and
 * iterReadArchiveNext).
 */
#ifndef LIB_RPM_LISTED_PRIVATE_H
#define LIB_RPM_LISTED_PRIVATE_H

#include "lib/data/archive.h"
#include "lib/rpm/header.h"

struct listed_file;

struct listed {
	struct listed_file *v;	/* by path */
	size_t n;
	uint64_t algorithm;	/* of their digests, by RFC 9580 9.5 */
};
#define LISTED_INIT {.v = NULL}

/*
 * After rpm_check_counts. ERR_DATA for files that rpm cannot make. To be
 * cleared after a failure, too. Strings of h are borrowed.
 */
int listed_read(const struct rpm_header *h, struct listed *l, struct err *e);
void listed_clear(struct listed *l);

/*
 * A member of the payload: listed, under its name with or without "./" or
 * "/", with the size and the digest that are listed. arg: struct listed.
 */
int listed_member(void *arg, const struct member *m, struct unpack *u,
    struct err *e);
/* After the last one: was each there that had to be? */
int listed_end(const struct listed *l, struct err *e);

#endif
