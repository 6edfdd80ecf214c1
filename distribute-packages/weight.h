/*
 * What one package may add to the lists that every client of a repository
 * downloads, unpacks and parses, for whichever package it is.
 */
#ifndef WEIGHT_H
#define WEIGHT_H

#include "distribute-packages/rpm/rpm_build.h"
#include "lib/base/err.h"
#include "lib/deb/deb.h"

/*
 * The longest stanza among the 60,000 of Debian 12 has 75 KiB (2,000 names in
 * its Provides), the usual one has one.
 */
#define WEIGHT_STANZA ((size_t)256 << 10)
/*
 * primary and other are read for every package at every refresh: a kernel with
 * its thousands of Provides has less than half of this. The XML is measured and
 * not the header: "&" has five bytes in it. filelists is fetched for few
 * questions, and has 100,000 files of usual names in so much.
 */
#define WEIGHT_ELEMENT ((size_t)1 << 20)
#define WEIGHT_FILES ((size_t)16 << 20)

/* ERR_DATA where it is too much; says which part, and what is usual. */
int weight_check_deb(const struct deb *d, struct err *e);
int weight_check_rpm(const struct signed_rpm *r, struct err *e);

#endif
