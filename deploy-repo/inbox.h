/*
 * The directory in which drops arrive, and in which the manifest of what is
 * live is left for the sender: <inbox>/LIVE/SHA256SUMS and SHA256SUMS.asc.
 */
#ifndef INBOX_H
#define INBOX_H

#include "deploy-repo/site.h"

/* [deploy] inbox, or -1, without an error, where there is none. */
int inbox_open(const struct conf *conf);

/* Replaces LIVE; both files change at once. */
int inbox_leave_manifest(int inbox, const struct kept *k, struct err *e);

#endif
