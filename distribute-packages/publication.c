#include "distribute-packages/publication.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "distribute-packages/indexes.h"
#include "lib/base/date.h"
#include "lib/base/path.h"
#include "lib/sys/background.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/log.h"

/*
 * Clients refuse a Date that lies ahead of their clock by 10 s (apt) or at
 * all, so it is written this far in the past.
 */
#define DATE_SLACK 60
#define CLOCK_WAIT 5	/* seconds */

/* --------------------------------------------------------------- opening */

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
		return err_set(e, ERR_CONFIG, "the clock or "
		    "SOURCE_DATE_EPOCH is wrong: the date would be in the "
		    "future (the last generation is of %s)", text);
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
		    "key-file: remove one");
	return 0;
}

/* The engine's process must be there before the sandbox, and the threads. */
static int
open_container(struct publication *p, struct err *e)
{
	if (strcmp(conf_get(p->conf, "rpm", "builder"), "container") != 0 ||
	    p->call->is_dry_run)
		return 0;
	if (conf_get(p->conf, "signing", "key") != NULL)
		return err_set(e, ERR_CONFIG, "[rpm] builder = container needs "
		    "[signing] key-file: a container gets no key ring");
	p->container = rpm_container_open(p->conf, p->store.path, e);
	return p->container ? 0 : -1;
}

int
publication_open(struct publication *p, const struct tool_call *call,
    unsigned flags, struct err *e)
{
	bool builds = flags & PUBLICATION_BUILDS;

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
	if (store_open(&p->store, p->conf, true, e) < 0 ||
	    (builds && open_container(p, e) < 0) ||
	    store_sandbox(&p->store, p->conf, builds, e) < 0 ||
	    keys_open(&p->keys, p->conf, e) < 0)
		return -1;
	if (store_load(&p->store, 0, &p->last, e) < 0 || choose_date(p, e) < 0)
		return -1;
	suite_names(&p->last.manifest, &p->published);
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
		err_set(e, ERR_CONFIG, "the tree has more than %d suites",
		    PUBLICATION_SUITES);
		return NULL;
	}
	s = &p->suites[p->n_suites++];
	if (suite_open(s, p->conf, name, e) < 0 ||
	    indexes_read(s, &last, e) < 0)
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

/* ----------------------------------------------------------------- the key */

/* Another key than the published one: every suite is signed again. */
static int
check_key_change(struct publication *p, struct err *e)
{
	char *path = keys_public_path(p->conf, "");
	const struct manifest_entry *f = manifest_find(&p->last.manifest,
	    path);
	const struct buf *key = signer_public(p->keys.signer);
	uint8_t sha256[HASH_SIZE];
	int status = 0;

	hash_data(key->p, key->n, sha256);
	if (p->published.n > 0 &&
	    (f == NULL || !hash_equal(f->sha256, sha256))) {
		log_notice("the signing key is not the published one: every "
		    "suite is signed again");
		p->must_change = p->may_be_foreign = true;
		status = publication_suites(p, NULL, e);
	}
	free(path);
	return status;
}

static bool
has_rpms(const struct publication *p)
{
	const struct manifest *m = &p->last.manifest;
	struct strv builds = STRV_INIT;
	bool found = false;
	size_t i;

	conf_list(p->conf, "release", "builds", &builds);
	for (i = 0; i < builds.n; i++)
		found |= path_ends_with(builds.v[i], "-rpm");
	for (i = 0; i < m->n && !found; i++)
		found = path_starts_with(m->v[i].path, "rpm/");
	strv_clear(&builds);
	return found;
}

int
publication_await_key(struct publication *p, struct err *e)
{
	if (p->has_key)
		return 0;
	if (keys_await(&p->keys, e) < 0 ||
	    (has_rpms(p) && signer_check_rsa(p->keys.signer, e) < 0))
		return -1;
	p->has_key = true;
	return check_key_change(p, e);
}

void
publication_close(struct publication *p)
{
	struct err ignored = ERR_INIT;
	size_t i;

	(void)background_wait(&p->syncing, &ignored);
	keys_close(&p->keys);
	rpm_container_close(p->container);
	for (i = 0; i < p->n_suites; i++)
		suite_clear(&p->suites[i]);
	generation_clear(&p->last);
	generation_clear(&p->next);
	strv_clear(&p->published);
	store_close(&p->store);
}
