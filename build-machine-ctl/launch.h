/*
 * One machine of a create, as a small state machine:
 *
 *	WANTED --POST--> MADE --seen, active, sshd, runner--> READY
 *	   ^  \            |
 *	   |   `> UNSURE <-'  (the POST may have worked: the droplet is looked
 *	   `-------'           for by the tag of its attempt, and only if it
 *	                       does not appear is another POST sent)
 *
 * It neither waits nor lists: fleet.h does that for all of them at once, and
 * has each one look at what came of it.
 *
 * Of several droplets of one build the one with the lowest id is the
 * machine. Whoever made another deletes it, so that two runs at the same time
 * agree on one.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "build-machine-ctl/cloud.h"
#include "build-machine-ctl/runner.h"

enum wait_level { WAIT_NONE, WAIT_ACTIVE, WAIT_SSH, WAIT_RUNNER };

/* What all machines of a create have in common. */
struct order {
	const struct conf *conf;
	struct cloud *cloud;
	struct gitlab *gitlab;
	enum wait_level wait;
	int64_t started;	/* clock_ms's */
};

enum launch_state {
	LAUNCH_WANTED,	/* is to be made */
	LAUNCH_UNSURE,	/* may have been made */
	LAUNCH_MADE,	/* has a droplet */
	LAUNCH_READY,
	LAUNCH_FAILED
};

struct launch {
	const struct order *order;
	const char *build;
	char *name;
	enum launch_state state;
	bool is_adopted;
	bool is_unsure;		/* a POST may have worked: still unknown */
	struct droplet droplet;	/* as it was last seen; id 0: none */
	struct droplets extra;	/* made for it by this run, and not needed */
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
	int told;		/* how far it was when that was last told */
	struct err error;	/* with LAUNCH_FAILED; with UNSURE: why */
};

/* For how long a POST without an answer is looked for (listings lag). */
#define UNSURE_MS 10000
#define UNSURE_LISTINGS 3

/*
 * Reads what the machine of a build needs. The build and the order are
 * borrowed. ERR_CONFIG for what it cannot be made with.
 */
int launch_open(struct launch *l, const struct order *order,
    const char *build, struct err *e);
void launch_clear(struct launch *l);

/* It has failed, for this reason. Returns -1. */
int launch_fail(struct launch *l, const struct err *why);
/* It is given up, unless it is ready: the error says how far it came. */
void launch_stop(struct launch *l, const struct err *why);

/* True if a POST is due. It has failed instead after too many of them. */
bool launch_is_due(struct launch *l);
/* That POST; to be cleared in any case. Its tags have a new attempt. */
int launch_write_request(struct launch *l, struct http_request *r,
    struct err *e);
void launch_read_answer(struct launch *l, struct http_request *r);

/* What a listing of our droplets means for it. */
void launch_look(struct launch *l, const struct droplets *listed);

/*
 * It takes longer than it should. launch_inquire asks, with one request or
 * two, whether it is gone or its creation has failed.
 */
bool launch_is_late(const struct launch *l);
void launch_inquire(struct launch *l);

/* sshd at its private address is to be looked at. */
bool launch_wants_probe(const struct launch *l);
/* The runner that it has or should have; 0: none of its own. */
int64_t launch_runner(const struct launch *l);
/* It is READY if it lacks nothing; tells of each step, once. */
void launch_check(struct launch *l, const struct droplets *listed);

/* Several POSTs, or one without an answer: there may be more than one. */
bool launch_is_in_doubt(const struct launch *l);
/*
 * Adds to what is known of it every droplet that its POSTs have made. True if
 * that of the last POST is among them.
 */
bool launch_find_attempts(struct launch *l, const struct droplets *listed);

#endif
