/*
 * A generation that falls off the end is not deleted but set aside, as
 * <root>/.releases/spare, and becomes the next one: most of its files are the
 * next one's too, and a name that is there already need not be made again.
 */
#ifndef RECYCLE_H
#define RECYCLE_H

#include "deploy-repo/intake.h"

#define RECYCLE_SPARE "spare"

/* Sets a generation aside, or deletes it where a spare one is there. */
int recycle_keep(const struct site *s, const char *name, struct err *e);

/*
 * Makes the spare one the directory of the new generation: the files that it
 * shares with the live one, and that the new one needs, stay and are marked
 * in in->reused; all else in it is removed. Without a spare one the directory
 * is empty.
 */
int recycle_open(struct intake *in, struct err *e);

#endif
