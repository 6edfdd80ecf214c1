/*
 * Between collect.c, which finds the files, and collect_read.c, which opens
 * one of them.
 */
#ifndef COLLECT_READ_H
#define COLLECT_READ_H

#include "distribute-packages/collect.h"
#include "lib/tree/build.h"
#include "lib/tree/manifest.h"

/* A directory that packages lie in. */
struct place {
	char *label;		/* for messages */
	int dir;
	bool is_drop;
	struct build build;	/* of a drop */
	struct manifest manifest;	/* of a drop */
};

/* Reads, judges and stores the file `name` of the place, one of many. */
int collect_read(const struct collect_options *o, const struct strv *allowed,
    const struct place *place, const char *name, size_t number,
    struct item *item, struct err *e);

#endif
