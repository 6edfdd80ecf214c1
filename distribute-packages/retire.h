/*
 * What the last generation has and the indexes of the next one do not need:
 * clients that hold older indexes still ask for it, so it stays for a time.
 */
#ifndef RETIRE_H
#define RETIRE_H

#include "distribute-packages/publication.h"

/*
 * next's manifest has what its indexes need. Adds the files that stay for
 * their suite's grace, sorts it, and fills next's ledger.
 */
void retire_files(struct publication *p);

#endif
