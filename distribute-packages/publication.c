#include "distribute-packages/publication.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/date.h"
#include "lib/base/path.h"
#include "lib/sys/background.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"
#include "lib/sys/sandbox.h"

/*
 * Clients refuse a Date that lies ahead of their clock by 10 s (apt) or at
 * all, so it is written this far in the past.
 */
#define DATE_SLACK 60
#define CLOCK_WAIT 5	/* seconds */

/* --------------------------------------------------------------- opening */

char *
suite_of_path(const char *path)
{
	const char *slash;

	if (path_starts_with(path, "apt/dists/"))
		path += strlen("apt/dists/");
	else if (path_starts_with(path, "apt/pool/"))
		path += strlen("apt/pool/");
	else if (path_starts_with(path, "rpm/"))
		path += strlen("rpm/");
	else
		return NULL;
	slash = strchr(path, '/');
	return slash ? mem_dupn(path, (size_t)(slash - path)) : NULL;
}

static void
find_published(struct publication *p)
{
	const struct manifest *m = &p->last.manifest;
	char *name;
	size_t i;

	for (i = 0; i < m->n; i++) {
		name = suite_of_path(m->v[i].path);
		if (name != NULL && !strv_has(&p->published, name))
			strv_add(&p->published, name);
		free(name);
	}
}

static int
flush(void *arg, struct err *e)
{
	return fs_sync_all(((struct publication *)arg)->store.dir, e);
}

void
publication_flush(struct publication *p)
{
	if (p->syncing == NULL && !p->call->is_dry_run)
		p->syncing = background_start(flush, p);
}

/*
 * Now, or SOURCE_DATE_EPOCH; but always later than the last generation, which
 * clients compare with (apt ignores an older Date without a word).
 */
static int
choose_date(struct publication *p, struct err *e)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int64_t last = p->last.manifest.date, now = (int64_t)time(NULL);
	char text[DATE_SIZE], *end;

	p->date = now - DATE_SLACK;
	if (epoch != NULL && epoch[0] != '\0') {
		errno = 0;
		p->date = strtoll(epoch, &end, 10);
		if (errno != 0 || *end != '\0' || p->date <= 0)
			return err_set(e, ERR_USAGE, "SOURCE_DATE_EPOCH is "
			    "'%s', not seconds since 1970", epoch);
	}
	if (p->date <= last)
		p->date = last + 1;
	/* Many generations in a minute catch up with the clock. */
	for (; p->date > now && p->date - now <= CLOCK_WAIT;
	    now = (int64_t)time(NULL)) {
		sleep(1);
		if (cleanup_check(e) < 0)
			return -1;
	}
	if (p->date > now) {
		date_format(p->date - 1, text);
		return err_set(e, ERR_CONFIG, "the clock is wrong, or "
		    "SOURCE_DATE_EPOCH: the date would be later than now "
		    "(the last generation is of %s)", text);
	}
	return 0;
}

/* These become names of files that users know, and for good. */
static int
check_names(const struct conf *conf, struct err *e)
{
	const char *prefix = conf_get(conf, "repository", "prefix");

	if (!path_is_name(prefix))
		return err_set(e, ERR_CONFIG, "[repository] prefix: '%s' "
		    "cannot be part of a file's name", prefix);
	if (conf_get(conf, "signing", "key") != NULL &&
	    conf_get(conf, "signing", "key-file") != NULL)
		return err_set(e, ERR_CONFIG, "[signing] has both key and "
		    "key-file: take one out");
	return 0;
}

/* Packages are parsed and copied here, and nothing else is written. */
int
publication_sandbox(const struct conf *conf, const char *state,
    bool with_inbox, struct err *e)
{
	const char *home = getenv("GNUPGHOME");
	struct strv writable = STRV_INIT;
	int status;

	strv_add(&writable, state);
	/* drops that have served are removed from it */
	if (with_inbox)
		strv_take(&writable, conf_path(conf, "repository", "inbox"));
	/* gpg keeps its locks and trust database beside the caller's keys */
	if (conf_get(conf, "signing", "key") != NULL)
		strv_take(&writable, home ? mem_dup(home) :
		    fs_expand_home("~/.gnupg"));
	status = sandbox_enter(&writable, e);
	strv_clear(&writable);
	return status;
}

/* The engine's process must be there before the sandbox, and the threads. */
static int
open_container(struct publication *p, const char *state, struct err *e)
{
	if (strcmp(conf_get(p->conf, "rpm", "builder"), "container") != 0 ||
	    p->call->is_dry_run)
		return 0;
	if (conf_get(p->conf, "signing", "key") != NULL)
		return err_set(e, ERR_CONFIG, "[rpm] builder = container needs "
		    "[signing] key-file: a key ring cannot be given away");
	p->container = rpm_container_open(p->conf, state, e);
	return p->container ? 0 : -1;
}

int
publication_open(struct publication *p, const struct tool_call *call,
    unsigned flags, struct err *e)
{
	char *state;
	int status;

	memset(p, 0, sizeof(*p));
	p->call = call;
	p->conf = call->conf;
	p->must_change = flags & PUBLICATION_MUST_CHANGE;
	p->may_change_fields = flags & PUBLICATION_MAY_CHANGE_FIELDS;
	p->is_silent = flags & PUBLICATION_SILENT;
	p->store = (struct store)STORE_INIT;
	/* Users' files name it; an empty one would be published for good. */
	if (conf_need(p->conf, "repository", "url", e) == NULL)
		return -1;
	if (check_names(p->conf, e) < 0)
		return -1;
	state = conf_path(p->conf, "repository", "state");
	status = store_open(&p->store, state, true, e);
	if (status == 0 && (flags & PUBLICATION_BUILDS))
		status = open_container(p, state, e);
	if (status == 0)
		status = publication_sandbox(p->conf, state,
		    flags & PUBLICATION_BUILDS, e);
	free(state);
	if (status < 0)
		return -1;
	/* Key rings fork: now, while there is one thread. */
	p->public = pgp_new(e);
	if (p->public == NULL || publication_start_signer(p, e) < 0)
		return -1;
	if (store_load(&p->store, 0, &p->last, e) < 0 || choose_date(p, e) < 0)
		return -1;
	find_published(p);
	return call->is_dry_run ? 0 : store_begin(&p->store, e);
}

struct suite *
publication_suite(struct publication *p, const char *name, struct err *e)
{
	struct tree last = store_tree(&p->store, &p->last);
	struct suite *s;
	size_t i;

	for (i = 0; i < p->n_suites; i++)
		if (strcmp(p->suites[i].name, name) == 0)
			return &p->suites[i];
	if (p->n_suites == PUBLICATION_SUITES) {
		err_set(e, ERR_CONFIG, "more than %d suites",
		    PUBLICATION_SUITES);
		return NULL;
	}
	s = &p->suites[p->n_suites++];
	if (suite_open(s, p->conf, name, e) < 0 || suite_read(s, &last, e) < 0)
		return NULL;
	return s;
}

int
publication_suites(struct publication *p, const char *only, struct err *e)
{
	size_t i;

	if (only != NULL && !strv_has(&p->published, only))
		return err_set(e, ERR_MISSING, "suite '%s' is not published",
		    only);
	for (i = 0; i < p->published.n; i++)
		if ((only == NULL || strcmp(p->published.v[i], only) == 0) &&
		    publication_suite(p, p->published.v[i], e) == NULL)
			return -1;
	if (p->published.n == 0)
		return err_set(e, ERR_MISSING, "nothing is published yet");
	return 0;
}

void
publication_close(struct publication *p)
{
	struct err ignored = ERR_INIT;
	size_t i;

	(void)background_wait(&p->syncing, &ignored);
	publication_close_rings(p);
	rpm_container_close(p->container);
	for (i = 0; i < p->n_suites; i++)
		suite_clear(&p->suites[i]);
	generation_clear(&p->last);
	generation_clear(&p->next);
	strv_clear(&p->published);
	store_close(&p->store);
}
