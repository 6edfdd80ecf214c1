/*
 * [machine BUILD] image: an id, the slug of an image that DigitalOcean offers,
 * or the name of a snapshot of ours.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "build-machine-ctl/cloud.h"

struct image {
	int64_t id;		/* what a request names */
	int64_t min_disk;	/* GiB; 0: not told */
	struct strv regions;	/* in which it is; none: not told */
};
#define IMAGE_INIT {.id = 0}
void image_clear(struct image *image);

/*
 * Finds what text names. Of several snapshots of one name that are in the
 * region the newest is taken. ERR_CONFIG, with what there is, where nothing
 * has this id, slug or name.
 */
int image_find(struct cloud *c, const char *text, const char *region,
    struct image *image, struct err *e);

#endif
