/*
 * DigitalOcean's API, as far as machines need it.
 *
 *	struct cloud c = CLOUD_INIT;
 *	if (cloud_open(&c, conf, ms, e) == 0 && cloud_list(&c, &list, e) == 0)
 *		...
 *	cloud_close(&c);
 */
#ifndef CLOUD_H
#define CLOUD_H

#include <stdint.h>

#include "build-machine-ctl/droplet.h"
#include "lib/frame/conf.h"
#include "lib/http/http.h"

struct cloud {
	const struct conf *conf;
	struct http *http;
	struct strv tags;	/* ours */
	int64_t deadline;	/* clock_ms's, for all that is asked */
};
#define CLOUD_INIT {.conf = NULL}

/* Reads token and tags. The deadline is timeout_ms from now. */
int cloud_open(struct cloud *c, const struct conf *conf, int64_t timeout_ms,
    struct err *e);
void cloud_close(struct cloud *c);

/*
 * Our droplets, those with our name and all our tags, from one listing of the
 * first tag; sorted by build, then by id.
 */
int cloud_list(struct cloud *c, struct droplets *list, struct err *e);

/*
 * Calls visit for each element of the array `key` in all pages of a listing;
 * path may have a query already. An element that is deleted meanwhile moves
 * others to the page before theirs, so all pages are read again until they
 * agree with one another. If they never do, all that was seen is visited, some
 * of it more than once. ERR_AGAIN if even that is fewer than there should be.
 */
int cloud_each(struct cloud *c, const char *path, const char *key,
    int (*visit)(const struct json *element, void *arg, struct err *e),
    void *arg, struct err *e);

/*
 * How often to ask: soon at first, then every few seconds, and seldom when
 * the API's rate limit comes near.
 *
 *	struct cloud_pace pace = CLOUD_PACE_INIT;
 *	while (!done())
 *		if (cloud_wait(c, &pace, e) < 0)
 *			break;
 *
 * cloud_wait waits until it is time to ask again. ERR_AGAIN at the deadline,
 * ERR_SIGNAL after a signal.
 */
struct cloud_pace {
	int64_t interval;	/* ms */
};
#define CLOUD_PACE_INIT {.interval = 250}
int cloud_wait(const struct cloud *c, struct cloud_pace *pace, struct err *e);

/* One GET; path is given away. The answer is yours to json_free, or NULL. */
struct json *cloud_get(struct cloud *c, char *path, struct err *e);

#endif
