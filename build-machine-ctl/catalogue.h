/*
 * What DigitalOcean offers this account: sizes, regions, networks, ssh keys,
 * and images.
 */
#ifndef CATALOGUE_H
#define CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "build-machine-ctl/cloud.h"

struct offer {
	char *name;		/* slug of a size or region, id of the others */
	char *alias;		/* a key's fingerprint, else NULL */
	struct strv regions;	/* of a size; of a network its only one */
	bool is_available;
	int64_t disk;		/* of a size, GiB */
	double hourly;		/* of a size, USD */
};

struct offers {
	struct offer *v;
	size_t n;
};

struct catalogue {
	struct offers sizes;
	struct offers regions;
	struct offers networks;
	struct offers keys;
};

int catalogue_read(struct cloud *c, struct catalogue *all, struct err *e);
void catalogue_clear(struct catalogue *all);

/* By name or alias; NULL: there is none. */
const struct offer *offers_find(const struct offers *list, const char *name);

/*
 * [machine BUILD] image: an id, the slug of an image that DigitalOcean offers,
 * or the name of a snapshot of ours.
 */
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
