#include "distribute-packages/publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "distribute-packages/apt/apt_release.h"
#include "distribute-packages/compose.h"
#include "distribute-packages/retire.h"
#include "distribute-packages/rpm/rpm_resign.h"
#include "lib/sys/background.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"

/* Does the published Release of s say what a new one would? */
static bool
is_same_release(const struct publication *p, const struct suite *s)
{
	struct tree last = store_tree(&p->store, &p->last);
	char *path = apt_release_path(s->name, "Release");
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	struct fs_map map;
	bool same = false;

	if (tree_map(&last, path, &map, &ignored) == 0) {
		same = apt_release_write(s, p->conf, p->date, &last, &text,
		    &ignored) == 0 &&
		    apt_release_same(text.p, text.n, map.p, map.n);
		fs_unmap(&map);
	}
	buf_clear(&text);
	free(path);
	return same;
}

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
		    (s->has_apt && !is_same_release(p, s)))
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
		path = apt_release_path(p->suites[i].name, "Release");
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

	if (signer_sign(p->keys.signer, SIGN_DETACHED, text, n, false,
	    &p->next.signature, e) < 0)
		return -1;
	return pgp_verify(p->keys.public, text, n, p->next.signature.p,
	    p->next.signature.n, MANIFEST_SIGNATURE, e);
}

/* With the public key alone, as a client that has never been here. */
static int
look_as_client(struct publication *p, struct err *e)
{
	struct tree tree = store_tree(&p->store, &p->next);

	tree.known = &p->last.manifest;
	return tree_check(&tree, p->keys.public, (int64_t)time(NULL), e);
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
	const struct buf *key = signer_public(p->keys.signer);

	if (i == 1)
		return pgp_trust(p->keys.public, key->p, key->n, "public key",
		    e);
	if (compose_indexes(p, e) < 0)
		return -1;
	retire_files(p);
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

static int
resign(struct publication *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->n_suites && p->may_be_foreign; i++)
		if (rpm_resign(&p->suites[i], &p->store, &p->keys, p->date,
		    e) < 0)
			return -1;
	return 0;
}

/* gpg is other processes: it works beside us wherever it can. */
static int
make_generation(struct publication *p, struct err *e)
{
	if (resign(p, e) < 0)
		return -1;
	if (par_each(2, compose_or_trust, p, e) < 0)
		return -1;
	publication_flush(p);
	if (compose_signed(p, e) < 0 || compose_user_files(p, e) < 0)
		return -1;
	manifest_sort(&p->next.manifest);
	if (store_measure(&p->store, &p->next.manifest, e) < 0)
		return -1;
	manifest_write(&p->next.manifest, &p->next.text);
	if (par_each(2, sign_or_look, p, e) < 0)
		return err_wrap(e, "the new generation");
	keys_end(&p->keys);
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

static int
print_record(const struct publication *p, const struct manifest *m,
    struct err *e)
{
	return p->is_silent ? 0 : manifest_report(m, p->call->wants_json, e);
}

int
publish(struct publication *p, const char *release, struct err *e)
{
	uint64_t keep = conf_number(p->conf, "repository", "keep");

	if (publication_await_key(p, e) < 0 || check_fields(p, e) < 0)
		return -1;
	if (is_unchanged(p)) {
		log_notice("nothing to do: generation %" PRIu64 " is up to "
		    "date", p->last.manifest.serial);
		if (!p->call->is_dry_run &&
		    store_collect(&p->store, keep, e) < 0)
			return -1;
		return print_record(p, &p->last.manifest, e);
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
		return err_wrap(e, "the generation is complete, but what is "
		    "no longer kept could not be removed");
	return print_record(p, &p->next.manifest, e);
}
