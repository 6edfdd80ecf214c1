/*
 * A mark that no other attempt to make something has: "1795330830-9f86d081",
 * the second and 32 random bits. It can stand in a tag.
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#define ATTEMPT_SIZE 32

void attempt_make(char mark[ATTEMPT_SIZE]);
/* False for what is no mark; else when it was made, if made is not NULL. */
bool attempt_parse(const char *mark, int64_t *made);

#endif
