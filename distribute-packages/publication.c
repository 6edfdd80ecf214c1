#include "distribute-packages/publication.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "distribute-packages/apt_release.h"
#include "distribute-packages/compose.h"
#include "lib/background.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/par.h"
#include "lib/path.h"
#include "lib/sandbox.h"

/*
 * Clients refuse a Date that lies ahead of their clock by 10 s (apt) or at
 * all, so it is written this far in the past.
 */
#define DATE_SLACK 60
#define CLOCK_WAIT 5	/* seconds */
#define DEFAULT_KEY "veilid-packages-key.private"

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

char *
publication_key_file(const struct conf *conf)
{
	char *path = conf_path(conf, "signing", "key-file");

	if (path != NULL || conf_get(conf, "signing", "key") != NULL)
		return path;
	if (access(DEFAULT_KEY, F_OK) == 0)
		return mem_dup(DEFAULT_KEY);
	return fs_expand_home("~/" DEFAULT_KEY);
}

static int
load_signer(void *arg, struct err *e)
{
	struct publication *p = arg;
	const struct conf *conf = p->conf;
	char *key_file = publication_key_file(conf);
	char *passphrase = conf_path(conf, "signing", "passphrase-file");
	char *next = conf_path(conf, "signing", "next-key-file");
	struct signer_options o = {
		.key_file = key_file,
		.key = conf_get(conf, "signing", "key"),
		.passphrase_file = passphrase,
		.next_key_file = next,
		.min_days = (unsigned)conf_number(conf, "signing", "min-days"),
	};
	int status;

	status = signer_load(p->signer, &o, e);
	free(key_file);
	free(passphrase);
	free(next);
	return status;
}

char *
public_key_path(const struct conf *conf, const char *suffix)
{
	return mem_format("gpg/%s-packages-key%s.public",
	    conf_get(conf, "repository", "prefix"), suffix);
}

/* Another key than the published one: every suite is signed again. */
static int
check_key_change(struct publication *p, struct err *e)
{
	char *path = public_key_path(p->conf, "");
	const struct manifest_entry *f = manifest_find(&p->last.manifest,
	    path);
	const struct buf *key = signer_public(p->signer);
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
publication_await_signer(struct publication *p, struct err *e)
{
	if (p->signing == NULL)
		return 0;
	if (background_wait(&p->signing, e) < 0 ||
	    (has_rpms(p) && signer_check_rsa(p->signer, e) < 0))
		return -1;
	return check_key_change(p, e);
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
	char text[DATE_TEXT], *end;

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
		manifest_format_date(p->date - 1, text);
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
static int
enter_sandbox(const struct conf *conf, const char *state, struct err *e)
{
	const char *home = getenv("GNUPGHOME");
	struct strv writable = STRV_INIT;
	int status;

	strv_add(&writable, state);
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
		status = enter_sandbox(p->conf, state, e);
	free(state);
	if (status < 0)
		return -1;
	/* Both key rings now: there is one thread, and they fork. */
	p->signer = signer_new(e);
	p->public = p->signer ? pgp_new(e) : NULL;
	if (p->public == NULL)
		return -1;
	p->signing = background_start(load_signer, p);
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

static int
close_public(void *arg, struct err *e)
{
	(void)e;
	pgp_close(((struct publication *)arg)->public);
	return 0;
}

void
publication_close(struct publication *p)
{
	struct err ignored = ERR_INIT;
	struct background *closing;
	size_t i;

	(void)background_wait(&p->signing, &ignored);
	(void)background_wait(&p->syncing, &ignored);
	closing = background_start(close_public, p);
	signer_close(p->signer);
	rpm_container_close(p->container);
	(void)background_wait(&closing, &ignored);
	for (i = 0; i < p->n_suites; i++)
		suite_clear(&p->suites[i]);
	generation_clear(&p->last);
	generation_clear(&p->next);
	strv_clear(&p->published);
	store_close(&p->store);
}

/* ------------------------------------------------------------- finishing */

static bool
is_unchanged(struct publication *p)
{
	const struct suite *s;
	size_t i;

	if (p->must_change || p->last.manifest.serial == 0)
		return false;
	for (s = p->suites; s < p->suites + p->n_suites; s++) {
		for (i = 0; i < s->n_repositories; i++)
			if (s->repositories[i].is_changed)
				return false;
		if (s->changed.n > 0 ||
		    (s->has_apt && !compose_is_unchanged(p, s)))
			return false;
	}
	return true;
}

static int
check_fields(struct publication *p, struct err *e)
{
	struct tree last = store_tree(&p->store, &p->last);
	struct fs_map map;
	char *path;
	bool found;
	size_t i;
	int status = 0;

	for (i = 0; i < p->n_suites && status == 0; i++) {
		if (!strv_has(&p->published, p->suites[i].name) ||
		    p->may_change_fields)
			continue;
		path = mem_format("apt/dists/%s/Release", p->suites[i].name);
		found = manifest_find(last.manifest, path) != NULL;
		status = found ? tree_map(&last, path, &map, e) : 0;
		free(path);
		if (status < 0)
			break;
		if (!found)
			continue;	/* it has no apt side yet */
		status = apt_release_check_fields(&p->suites[i], p->conf,
		    map.p, map.n, e);
		fs_unmap(&map);
	}
	return status;
}

/* ---------------------------------------- the parts of a new generation */

static int
sign_manifest(struct publication *p, struct err *e)
{
	const char *text = p->next.text.p;
	size_t n = p->next.text.n;

	if (signer_sign(p->signer, SIGN_DETACHED, text, n, false,
	    &p->next.signature, e) < 0)
		return -1;
	return pgp_verify(p->public, text, n, p->next.signature.p,
	    p->next.signature.n, MANIFEST_SIGNATURE, e);
}

/* With the public key alone, as a client that has never been here. */
static int
look_as_client(struct publication *p, struct err *e)
{
	struct tree tree = store_tree(&p->store, &p->next);

	tree.known = &p->last.manifest;
	return tree_check(&tree, p->public, (int64_t)time(NULL), e);
}

static int
sign_or_look(size_t i, void *arg, struct err *e)
{
	return i == 0 ? look_as_client(arg, e) : sign_manifest(arg, e);
}

static int
compose_or_trust(size_t i, void *arg, struct err *e)
{
	struct publication *p = arg;
	const struct buf *key = signer_public(p->signer);

	if (i == 1)
		return pgp_trust(p->public, key->p, key->n, "public key", e);
	if (compose_indexes(p, e) < 0)
		return -1;
	compose_ledger(p);
	return 0;
}

static void
name_generation(struct publication *p, const char *release)
{
	struct manifest *m = &p->next.manifest;

	m->serial = p->last.manifest.serial + 1;
	m->date = p->date;
	snprintf(m->release, sizeof(m->release), "%s", release);
	m->has_previous = p->last.manifest.serial != 0;
	memcpy(m->previous, p->last.manifest.self, HASH_SIZE);
}

/* gpg is other processes: it works beside us wherever it can. */
static int
make_generation(struct publication *p, struct err *e)
{
	if (p->may_be_foreign && compose_sign_rpms(p, e) < 0)
		return -1;
	if (par_each(2, compose_or_trust, p, e) < 0)
		return -1;
	publication_flush(p);
	if (compose_signed(p, e) < 0 || compose_user_files(p, e) < 0)
		return -1;
	manifest_sort(&p->next.manifest);
	manifest_write(&p->next.manifest, &p->next.text);
	if (par_each(2, sign_or_look, p, e) < 0)
		return err_wrap(e, "the new generation");
	if (background_wait(&p->syncing, e) < 0)
		return -1;
	return store_commit(&p->store, &p->next, e);
}

/* A suite with a Valid-Until gets a later one with every generation. */
static int
renew_expiring(struct publication *p, struct err *e)
{
	char *section;
	bool expires;
	size_t i;

	for (i = 0; i < p->published.n; i++) {
		section = mem_format("suite %s", p->published.v[i]);
		expires = conf_duration(p->conf, section, "valid-for") > 0;
		free(section);
		if (expires &&
		    publication_suite(p, p->published.v[i], e) == NULL)
			return -1;
	}
	return 0;
}

int
publication_finish(struct publication *p, const char *release,
    struct err *e)
{
	uint64_t keep = conf_number(p->conf, "repository", "keep");

	if (publication_await_signer(p, e) < 0 || check_fields(p, e) < 0)
		return -1;
	if (is_unchanged(p)) {
		log_notice("nothing to do: generation %" PRIu64 " has all of "
		    "it", p->last.manifest.serial);
		if (!p->call->is_dry_run &&
		    store_collect(&p->store, keep, e) < 0)
			return -1;
		return manifest_report(&p->last.manifest,
		    p->call->wants_json, e);
	}
	if (renew_expiring(p, e) < 0)
		return -1;
	name_generation(p, release);
	if (p->call->is_dry_run) {
		log_notice("dry run: would publish this as generation %" PRIu64,
		    p->next.manifest.serial);
		return 0;
	}
	if (make_generation(p, e) < 0)
		return -1;
	log_notice("generation %" PRIu64 " is complete: %s, %zu files",
	    p->next.manifest.serial, p->next.manifest.release,
	    p->next.manifest.n);
	if (store_collect(&p->store, keep, e) < 0)
		return err_wrap(e, "the generation is made, but clearing up "
		    "failed");
	return manifest_report(&p->next.manifest, p->call->wants_json, e);
}
