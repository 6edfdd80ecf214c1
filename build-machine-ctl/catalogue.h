/*
 * What DigitalOcean offers this account: sizes, regions, networks, ssh keys.
 */
#ifndef CATALOGUE_H
#define CATALOGUE_H

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

#endif
