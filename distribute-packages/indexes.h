/*
 * The published indexes of a suite, of both formats, read back.
 */
#ifndef INDEXES_H
#define INDEXES_H

#include "distribute-packages/suite.h"
#include "lib/tree/tree.h"

/*
 * Adds to s, which is open, the packages that the indexes of the tree list,
 * sorted, each once. s keeps pointing into what it has read.
 */
int indexes_read(struct suite *s, const struct tree *t, struct err *e);

#endif
