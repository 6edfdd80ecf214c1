/*
 * What a verb has changed becomes the next generation.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "distribute-packages/publication.h"

/*
 * Makes, signs, checks and commits the generation, removes what is no longer
 * kept, and prints the record. If nothing has changed it only says so and
 * prints the record of the newest one.
 */
int publish(struct publication *p, const char *release, struct err *e);

#endif
