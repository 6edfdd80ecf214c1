/*
 * The making of the next generation. A verb opens a publication, changes the
 * packages of some suites, and finishes it:
 *
 *	struct publication p;
 *	if (publication_open(&p, call, options, e) < 0) ...
 *	s = publication_suite(&p, "stable", e);
 *	... suite_add, suite_drop ...
 *	publication_finish(&p, release, e);
 *	publication_close(&p);		(after open failed, too)
 *
 * Until finish commits, nothing that was published has changed.
 */
#ifndef PUBLICATION_H
#define PUBLICATION_H

#include <stdbool.h>

#include "distribute-packages/rpm/rpm_container.h"
#include "distribute-packages/store.h"
#include "distribute-packages/suite.h"
#include "lib/frame/tool.h"
#include "lib/pgp/pgp.h"

#define PUBLICATION_SUITES 32	/* most that one tree may have */
#define PUBLICATION_MANY_RPMS 16	/* are worth a second agent */

struct publication {
	const struct tool_call *call;
	const struct conf *conf;
	struct store store;
	struct generation last;
	struct generation next;
	struct signer *signer;		/* after publication_await_signer */
	struct signer *signers[2];	/* it, and one more for many rpms */
	size_t n_rings;
	size_t n_signers;		/* that are loaded */
	struct rpm_container *container;	/* NULL: rpms are native */
	struct background *signing;	/* until then */
	struct background *closing;	/* ends the key rings */
	struct background *syncing;	/* flushes what is written so far */
	struct pgp *public;		/* what clients will check with */
	struct strv published;	/* names of the suites of `last` */
	struct suite suites[PUBLICATION_SUITES];	/* that were opened */
	size_t n_suites;
	int64_t date;
	bool must_change;	/* a new generation even if nothing differs */
	bool may_change_fields;
	bool is_silent;
	bool may_be_foreign;	/* rpms may be there that another key signed */
};

enum publication_flags {
	PUBLICATION_MUST_CHANGE = 1,	/* even if nothing differs */
	PUBLICATION_MAY_CHANGE_FIELDS = 2,
	PUBLICATION_BUILDS = 4,		/* new packages will be signed */
	PUBLICATION_SILENT = 8		/* finish prints no record */
};

int publication_open(struct publication *p, const struct tool_call *call,
    unsigned flags, struct err *e);

/*
 * Waits for the signing key, which is loaded and judged beside other work,
 * or says why it is refused. Call it before anything is built.
 */
int publication_await_signer(struct publication *p, struct err *e);
/* Loads the second signer, if it is not there yet. One thread only. */
int publication_widen(struct publication *p, struct err *e);
/* The signer for the i-th of many things. */
struct signer *publication_signer(struct publication *p, size_t i);
/* Begins to end all that signs and verifies, beside other work. */
void publication_end_signing(struct publication *p);
/* Begins to flush what was written so far, beside other work. */
void publication_flush(struct publication *p);

/*
 * Opens a suite for change, with the packages it has now; the same one when
 * asked again. Belongs to the publication. NULL on failure.
 */
struct suite *publication_suite(struct publication *p, const char *name,
    struct err *e);
/* All that are published, or only the one that is named. */
int publication_suites(struct publication *p, const char *only,
    struct err *e);

/*
 * Makes, signs, checks and commits the generation, and prints its record;
 * does nothing when nothing has changed.
 */
int publication_finish(struct publication *p, const char *release,
    struct err *e);
void publication_close(struct publication *p);

/* ------------------- publication_signer.c, for publication_open and _close */

int publication_start_signer(struct publication *p, struct err *e);
void publication_close_rings(struct publication *p);

/* ----------------------------------------------------------- small things */

/* Of "apt/dists/<suite>/..." and so on, the suite: yours; else NULL. */
char *suite_of_path(const char *path);
/*
 * The configured key file, else the one that a GitLab secure file becomes;
 * yours. NULL where a key of the caller's own key ring is configured.
 */
char *publication_key_file(const struct conf *conf);
/* Writing only in the state, the caller's key ring and perhaps the inbox. */
int publication_sandbox(const struct conf *conf, const char *state,
    bool with_inbox, struct err *e);
/* Loads and judges the configured key, and the next one. */
int publication_load_key(const struct conf *conf, struct signer *signer,
    struct err *e);
/* "gpg/<prefix>-packages-key.public", yours; suffix "" or "-next". */
char *public_key_path(const struct conf *conf, const char *suffix);

#endif
