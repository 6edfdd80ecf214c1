/*
 * What apt and dnf offer of a suite: of each package the newest version.
 */
#ifndef OFFER_H
#define OFFER_H

#include "distribute-packages/suite.h"
#include "lib/base/err.h"

/*
 * ERR_DATA where a new package is one that nobody who has the published ones
 * is offered, or nobody who gets it is offered any later one: its version is
 * not newer than the newest that is published for the same machines, or has
 * another epoch. With may_be_older these are warnings. Sorts the packages.
 */
int offer_check(struct suite *s, bool may_be_older, struct err *e);

/* Says which version of each package clients choose from now on. */
void offer_print(struct suite *s);

#endif
