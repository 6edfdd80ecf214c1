/*
 * The machines of one create, all at the same time: one listing after the
 * other drives all of them, and what is asked for several is asked at once.
 *
 *	struct fleet f = FLEET_INIT;
 *	if (fleet_open(&f, ...) == 0 && fleet_adopt(&f, e) == 0 &&
 *	    fleet_prepare(&f, e) == 0) {
 *		status = fleet_run(&f, e);
 *		fleet_end(&f, status < 0, keep, e2);
 *	}
 *	fleet_close(&f);
 */
#ifndef FLEET_H
#define FLEET_H

#include "build-machine-ctl/launch.h"

struct fleet {
	struct order order;
	struct launch *v;
	size_t n;
	size_t turn;		/* whose creation is asked about next */
	unsigned n_garbled;	/* listings in a row that could not be read */
	struct droplets listed;	/* what the last listing said */
};
#define FLEET_INIT {.v = NULL}

/*
 * Reads what each build needs. The builds are borrowed. ERR_CONFIG for what a
 * machine cannot be made with.
 */
int fleet_open(struct fleet *f, const struct conf *conf, struct cloud *cloud,
    struct gitlab *gitlab, enum wait_level wait, const struct strv *builds,
    struct err *e);
void fleet_close(struct fleet *f);	/* accepts what was never opened */

/* Lists, and adopts what is there already. */
int fleet_adopt(struct fleet *f, struct err *e);

/*
 * Finds images and makes runners and machines of those that are still wanted,
 * and waits for all. -1: one failed, and so all did.
 */
int fleet_prepare(struct fleet *f, struct err *e);
int fleet_run(struct fleet *f, struct err *e);

/*
 * Ends the droplets and runners that this run has made and that are not
 * needed; after a failure all of them, unless `keep`. What is left, or may be,
 * is named in the error.
 */
int fleet_end(struct fleet *f, bool has_failed, bool keep, struct err *e);

#endif
