/*
 * The files of the next generation, in the order in which they are made. What
 * they say is apt's and rpm's own (apt/, rpm/); here it is decided which files
 * there are, which of the last generation stay, and what is signed.
 */
#ifndef COMPOSE_H
#define COMPOSE_H

#include "distribute-packages/publication.h"

/*
 * Writes the indexes that have changed, and lists in next's manifest, sorted,
 * all of them and the packages in them.
 */
int compose_indexes(struct publication *p, struct err *e);
/* Adds Release and repomd.xml of the opened suites, and their signatures. */
int compose_signed(struct publication *p, struct err *e);
/* Adds the keys and the files that users copy: .sources, .repo. */
int compose_user_files(struct publication *p, struct err *e);

#endif
