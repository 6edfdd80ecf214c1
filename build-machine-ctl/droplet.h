/*
 * A droplet as the API describes it.
 */
#ifndef DROPLET_H
#define DROPLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "build-machine-ctl/machine.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/http/json.h"

#define ADDRESS_SIZE 64

struct droplet {
	int64_t id;
	char *name;
	char *status;			/* new, active, off, archive */
	struct strv tags;
	char build[BUILD_SIZE];		/* "": its name is of no build */
	char private_ip[ADDRESS_SIZE];	/* "": none yet */
	char public_ip[ADDRESS_SIZE];
	int64_t created;		/* seconds since the epoch */
	double hourly;			/* USD; below 0: not told */
};

/*
 * Reads one element of an answer. ERR_PROTOCOL where the id, the name or the
 * status is missing; what else is missing is empty. To be cleared either way.
 */
int droplet_read(struct droplet *d, const struct json *j, struct err *e);
void droplet_copy(struct droplet *to, const struct droplet *from);
void droplet_clear(struct droplet *d);

/* "123" for the tag "runner:123" and the key "runner"; NULL: no such tag. */
const char *droplet_tag(const struct droplet *d, const char *key);
bool droplet_has_tag(const struct droplet *d, const char *tag);

/* The epoch of its tag "expires:EPOCH"; 0 where it has none. */
int64_t droplet_expires(const struct droplet *d);

/* In seconds, never below 0. */
int64_t droplet_age(const struct droplet *d, int64_t now);

/*
 * What it has cost so far, in USD, as text: "0.12", or "" where the price is
 * not told. By seconds, at least 60 of them and one cent, or by every hour
 * that has begun.
 */
#define COST_SIZE 32
void droplet_cost(const struct droplet *d, int64_t now, bool by_hour,
    char text[COST_SIZE]);

struct droplets {
	struct droplet *v;
	size_t n;
	size_t cap;
};

/* Adds a droplet, which is then the list's, and is emptied. */
void droplets_take(struct droplets *list, struct droplet *d);
void droplets_add(struct droplets *list, const struct droplet *d);
/* NULL where no droplet has this id. */
struct droplet *droplets_find(const struct droplets *list, int64_t id);
/* By build, then by id: the oldest of each build first. */
void droplets_sort(struct droplets *list);
void droplets_clear(struct droplets *list);

#endif
