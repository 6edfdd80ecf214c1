/*
 * The machines of one create, all at the same time, each a small state
 * machine that one listing of our droplets drives:
 *
 *	WANTED --POST--> MADE --seen, active, sshd, runner--> READY
 *	   ^  \            |
 *	   |   `> UNSURE <-'  (the POST may have worked: it is looked for by
 *	   `-------'           the tag of its attempt, and only if it does not
 *	                       appear is another one sent)
 *
 *	struct fleet f = FLEET_INIT;
 *	if (fleet_open(&f, ...) == 0 && fleet_adopt(&f, e) == 0 &&
 *	    fleet_prepare(&f, e) == 0) {
 *		status = fleet_run(&f, e);
 *		fleet_end(&f, status < 0, keep, e2);
 *	}
 *	fleet_close(&f);
 *
 * Of several droplets of one build the one with the lowest id is the
 * machine. Whoever made another deletes it, so that two runs at the same time
 * agree on one.
 */
#ifndef FLEET_H
#define FLEET_H

#include "build-machine-ctl/cloud.h"
#include "build-machine-ctl/poll.h"
#include "build-machine-ctl/runner.h"
#include "lib/sys/tally.h"

enum wait_level { WAIT_NONE, WAIT_ACTIVE, WAIT_SSH, WAIT_RUNNER };

enum launch_state {
	LAUNCH_WANTED,	/* is to be made */
	LAUNCH_UNSURE,	/* may have been made */
	LAUNCH_MADE,	/* has a droplet */
	LAUNCH_READY,
	LAUNCH_FAILED
};

struct launch {
	const char *build;
	char *name;
	enum launch_state state;
	bool is_adopted;
	bool is_unsure;		/* a POST may have worked: still unknown */
	struct droplet droplet;	/* as it was last seen; id 0: none */
	int64_t image;
	struct buf user_data;	/* from a file; that of enrol is not kept */
	bool enrols;
	struct runner runner;	/* made for it, by this run */
	struct strv attempts;	/* "attempt:MARK" of each POST of this run */
	int64_t action;		/* that makes it; 0: unknown */
	int64_t posted;		/* clock_ms's: when the last POST ended */
	int64_t not_before;	/* clock_ms's: when the next one may be sent */
	int64_t missing;	/* clock_ms's: since when it is in no listing */
	unsigned n_misses;	/* listings in a row without it */
	bool was_listed;	/* since it was made or adopted */
	bool has_ssh;
	bool has_runner;
	bool has_warned;	/* of another droplet of the build */
	int said;		/* how far it was when that was last said */
	struct err error;	/* with LAUNCH_FAILED; with UNSURE: why */
};

struct fleet {
	const struct conf *conf;
	struct cloud *cloud;
	struct gitlab *gitlab;
	enum wait_level wait;
	struct launch *v;
	size_t n;
	size_t turn;		/* whose creation is asked about next */
	unsigned n_garbled;	/* listings in a row that could not be read */
	int64_t started;
	struct droplets listed;	/* what the last listing said */
	struct droplets extra;	/* made by this run, and not needed */
};
#define FLEET_INIT {.conf = NULL}

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
 * Deletes the droplets and runners that this run has made and that are not
 * needed; after a failure all of them, but with `keep`. What is left, or may
 * be, is named in the error.
 */
int fleet_end(struct fleet *f, bool has_failed, bool keep, struct err *e);

/* ----------------------------------------------------- shared by its files */

#define ATTEMPT_TAG "attempt:"

/* For how long a POST without an answer is looked for (listings lag). */
#define UNSURE_MS 10000
#define UNSURE_LISTINGS 3

/* Sends the POSTs of all that are wanted and due, at once. */
void fleet_post(struct fleet *f);
/* What the last listing means for one of them. */
void launch_look(struct fleet *f, struct launch *l);
/*
 * Asks about one machine that is late: is it gone, has its creation failed?
 * One at a time, so that the requests do not grow with the machines.
 */
void fleet_inquire(struct fleet *f);
/* Looks at sshd and runners of those that are active. */
void fleet_probe(struct fleet *f);

/* What it still lacks, for people; NULL: it is as was asked for. */
const char *launch_lacks(const struct fleet *f, const struct launch *l);
int launch_fail(struct launch *l, const struct err *e);	/* -1 */
/* Of a droplet of its build that this run has not made. */
void launch_warn_of_others(const struct fleet *f, struct launch *l);
bool launch_owns(const struct launch *l, const struct droplet *d);

#endif
