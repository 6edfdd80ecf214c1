/*
 * The making of the next generation. A verb opens a publication, changes the
 * packages of some suites, and publishes it (publish.h):
 *
 *	struct publication p;
 *	if (publication_open(&p, call, flags, e) < 0) ...
 *	s = publication_suite(&p, "stable", e);
 *	... apt_index_add, suite_drop ...
 *	publish(&p, release, e);
 *	publication_close(&p);		(after open failed, too)
 *
 * Until publish commits, nothing that was published has changed.
 */
#ifndef PUBLICATION_H
#define PUBLICATION_H

#include <stdbool.h>

#include "distribute-packages/keys.h"
#include "distribute-packages/rpm/rpm_container.h"
#include "distribute-packages/store.h"
#include "distribute-packages/suite.h"
#include "lib/frame/tool.h"

#define PUBLICATION_SUITES 32	/* most that one tree may have */

struct publication {
	const struct tool_call *call;
	const struct conf *conf;
	struct store store;
	struct generation last;
	struct generation next;
	struct keys keys;		/* after publication_await_key */
	struct rpm_container *container;	/* NULL: rpms are native */
	struct background *syncing;	/* flushes what is written so far */
	struct strv published;	/* names of the suites of `last` */
	struct suite suites[PUBLICATION_SUITES];	/* that were opened */
	size_t n_suites;
	int64_t date;
	bool has_key;
	bool must_change;	/* a new generation even if nothing differs */
	bool may_change_fields;
	bool is_silent;
	bool may_be_foreign;	/* some rpms may be signed by another key */
};

enum publication_flags {
	PUBLICATION_MUST_CHANGE = 1,	/* even if nothing differs */
	PUBLICATION_MAY_CHANGE_FIELDS = 2,
	PUBLICATION_BUILDS = 4,		/* new packages will be signed */
	PUBLICATION_SILENT = 8		/* publish prints no record */
};

/*
 * Opens the state with its lock, enters the sandbox, begins to load the key,
 * loads the newest generation and chooses the date of the next.
 */
int publication_open(struct publication *p, const struct tool_call *call,
    unsigned flags, struct err *e);
/*
 * Waits for the signing key, which is loaded and judged beside other work, or
 * says why it is refused. Call it before anything is built.
 */
int publication_await_key(struct publication *p, struct err *e);
/* Begins to flush what was written so far, beside other work. */
void publication_flush(struct publication *p);

/*
 * Opens a suite for change, with the packages it has now; the same one when
 * asked again. It belongs to the publication. NULL on failure.
 */
struct suite *publication_suite(struct publication *p, const char *name,
    struct err *e);
/* Opens all that are published, or only the one that is named. */
int publication_suites(struct publication *p, const char *only,
    struct err *e);

void publication_close(struct publication *p);

#endif
