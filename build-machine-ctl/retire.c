#include "build-machine-ctl/retire.h"

#include <stdlib.h>

#include "build-machine-ctl/removal.h"
#include "lib/base/mem.h"
#include "lib/sys/clock.h"
#include "lib/sys/tally.h"

/* What GitLab may take before the droplets are deleted, and after. */
#define BEFORE_MS 15000
#define AFTER_MS 30000

static void
add(struct runners *list, const struct runner *r)
{
	struct runner copy = *r;

	copy.token = (struct buf)BUF_INIT;
	list->v = mem_resize(list->v, list->n + 1, sizeof(*list->v));
	list->v[list->n++] = copy;
}

static int
find_doomed(struct gitlab *g, const struct runners *known,
    retire_runner *is_doomed, void *arg, struct runners *doomed,
    struct err *e)
{
	struct runners list = {.v = NULL};
	size_t i;
	int status = runner_list(g, false, &list, e);

	runners_clear(doomed);
	for (i = 0; i < known->n; i++)
		add(doomed, &known->v[i]);
	for (i = 0; i < list.n; i++)
		if (is_doomed(&list.v[i], arg) &&
		    runners_find(doomed, list.v[i].id) == NULL)
			add(doomed, &list.v[i]);
	runners_clear(&list);
	return status;
}

/* Without GitLab they can only be told of. */
static void
tell_of_runners(const struct droplets *doomed, const struct err *why,
    struct tally *failed)
{
	struct err one;
	const char *id;
	size_t i;

	for (i = 0; i < doomed->n; i++) {
		id = droplet_tag(&doomed->v[i], "runner");
		if (id == NULL)
			continue;
		one = *why;
		err_wrap(&one, "%s: runner %s is left, which delete removes",
		    doomed->v[i].build, id);
		tally_add(failed, &one);
	}
}

static int64_t
soon(int64_t ms, int64_t deadline)
{
	int64_t t = clock_ms() + ms;

	return t < deadline ? t : deadline;
}

static void
end_runners(struct gitlab *g, const struct droplets *doomed,
    const struct runners *runners, const struct err *listing,
    struct tally *failed)
{
	struct err one = ERR_INIT;
	size_t before = failed->n;

	if (g->http == NULL) {
		err_set(&one, ERR_CONFIG, "[gitlab] project or its token is "
		    "not set");
		tell_of_runners(doomed, &one, failed);
		return;
	}
	if (listing->kind != ERR_NONE) {
		tell_of_runners(doomed, listing, failed);
		if (failed->n == before)
			tally_add(failed, listing);
	}
	if (runner_delete(g, runners, &one) < 0)
		tally_add(failed, &one);
}

int
retire(struct cloud *c, struct gitlab *g, const struct droplets *doomed,
    const struct runners *known, retire_runner *is_doomed, void *arg,
    bool *gone, struct err *e)
{
	struct tally failed = TALLY_INIT;
	struct runners runners = {.v = NULL};
	struct err one = ERR_INIT, listing = ERR_INIT;

	if (g->http != NULL) {
		g->deadline = soon(BEFORE_MS, c->deadline);
		find_doomed(g, known, is_doomed, arg, &runners, &listing);
		runner_pause(g, &runners);
	}
	if (removal_run(c, doomed, gone, &one) < 0)
		tally_add(&failed, &one);
	g->deadline = clock_ms() + AFTER_MS;
	if (listing.kind != ERR_NONE) {
		listing = (struct err)ERR_INIT;
		find_doomed(g, known, is_doomed, arg, &runners, &listing);
	}
	end_runners(g, doomed, &runners, &listing, &failed);
	runners_clear(&runners);
	return tally_end(&failed, "clean-ups", e);
}
