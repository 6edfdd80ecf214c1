/*
 * The end of machines: their runners take no new jobs, the droplets are
 * deleted, proven, and then the runners are deleted, too.
 *
 * DigitalOcean answers 204 long before a droplet is gone, refuses (422) while
 * an event of it is pending, and forgets a DELETE that comes too early. A
 * droplet is gone when the API answers 404 for it.
 */
#ifndef END_H
#define END_H

#include "build-machine-ctl/cloud.h"
#include "build-machine-ctl/runner.h"
#include "lib/frame/tool.h"

/* Which of our runners go, too. */
typedef bool end_runner(const struct runner *r, void *arg);

/*
 * Ends them all at once, until the cloud's deadline. A failure or silence
 * of GitLab does not keep a droplet alive. `known`, if not NULL, are runners
 * that go even if GitLab does not list them. gone[i], if gone is not NULL, is
 * set where doomed->v[i] is proven to be gone. The error names all that is
 * left.
 */
int end_machines(struct cloud *c, struct gitlab *g,
    const struct droplets *doomed, const struct runners *known,
    end_runner *is_doomed, void *arg, bool *gone, struct err *e);

/* What a verb ends. */
struct end_choice {
	bool (*droplet)(const struct droplet *d, void *arg);
	/*
	 * Asked of each runner of ours; `living` are all our droplets that are
	 * not chosen.
	 */
	bool (*runner)(const struct runner *r, const struct droplets *chosen,
	    const struct droplets *living, void *arg);
	void *arg;
};

/*
 * Opens both services, chooses among our droplets and runners, ends those (or
 * says so, in a dry run), and prints the droplets with what they have cost.
 */
int end_chosen(const struct tool_call *call, const struct end_choice *choice,
    struct err *e);

#endif
