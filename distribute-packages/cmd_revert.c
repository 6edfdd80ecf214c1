#include <stdlib.h>
#include <string.h>

#include "distribute-packages/cmd.h"
#include "distribute-packages/indexes.h"
#include "distribute-packages/publish.h"
#include "lib/base/text.h"
#include "lib/sys/log.h"

/* The packages of suite s become those it had in the tree of `then`. */
static int
revert_suite(struct suite *s, const struct conf *conf,
    const struct tree *then, struct err *e)
{
	const char *name = s->name;
	struct suite old = {.name = NULL};

	if (suite_open(&old, conf, name, e) < 0 ||
	    indexes_read(&old, then, e) < 0) {
		suite_clear(&old);
		return -1;
	}
	/* Every index is written again: most of them differ. */
	suite_touch_all(&old);
	suite_clear(s);
	*s = old;
	log_notice("suite %s: %zu packages as they were", s->name, s->n);
	return 0;
}

/* A suite that did not exist then stays as it is now. */
static int
open_suites(struct publication *p, const struct manifest *then,
    struct err *e)
{
	struct strv existed = STRV_INIT;
	const char *name;
	int status = 0;
	size_t i;

	suite_names(then, &existed);
	for (i = 0; i < p->published.n && status == 0; i++) {
		name = p->published.v[i];
		if (options.suite != NULL && strcmp(options.suite, name) != 0)
			continue;
		if (!strv_has(&existed, name))
			log_notice("suite %s did not exist then: it is left "
			    "unchanged", name);
		else if (publication_suite(p, name, e) == NULL)
			status = -1;
	}
	strv_clear(&existed);
	if (status == 0 && p->n_suites == 0)
		status = err_set(e, ERR_MISSING, "none of the suites existed "
		    "in that generation");
	return status;
}

static int
revert(struct publication *p, uint64_t serial, struct err *e)
{
	struct generation then = GENERATION_INIT;
	struct tree tree;
	int status = store_load(&p->store, serial, &then, e);
	size_t i;

	if (status == 0)
		status = open_suites(p, &then.manifest, e);
	tree = store_tree(&p->store, &then);
	p->may_be_foreign = true;
	for (i = 0; i < p->n_suites && status == 0; i++)
		status = revert_suite(&p->suites[i], p->conf, &tree, e);
	if (status == 0)
		status = publish(p, then.manifest.release, e);
	generation_clear(&then);
	return status;
}

int
cmd_revert(const struct tool_call *call, struct err *e)
{
	struct publication *p;
	uint64_t serial;
	int status;

	if (!serial_read(call->args[0], &serial))
		return err_set(e, ERR_USAGE, "'%s' is not the serial of a "
		    "generation", call->args[0]);
	p = mem_zero(1, sizeof(*p));
	status = publication_open(p, call, PUBLICATION_MUST_CHANGE, e);
	if (status == 0)
		status = revert(p, serial, e);
	publication_close(p);
	free(p);
	return status;
}
