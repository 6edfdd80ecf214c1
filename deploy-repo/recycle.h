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
 * Makes the spare one the directory of the new generation: what the two do
 * not share by path and hash is removed, the rest is marked in in->reused.
 * Without a spare one, or with one that is damaged, the directory is empty.
 */
int recycle_open(struct intake *in, struct err *e);

#endif
