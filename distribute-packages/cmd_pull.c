#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "distribute-packages/cmd.h"
#include "distribute-packages/keys.h"
#include "distribute-packages/pull.h"
#include "lib/http/http.h"
#include "lib/sys/log.h"

struct pulling {
	const struct tool_call *call;
	const char *url;
	struct store store;
	struct pgp *trusted;
	struct generation last;		/* of the state; serial 0: none */
	uint64_t newest;		/* in the state, readable or not */
	struct generation next;		/* what is public */
};

/* ---------------------------------------------------- the public manifest */

static int
trust(struct pgp *pgp, const struct conf *conf, struct signer *signer,
    struct err *e)
{
	const struct buf *key;

	if (keys_load(conf, signer, e) < 0)
		return -1;
	key = signer_public(signer);
	if (pgp_trust(pgp, key->p, key->n, "public key", e) < 0)
		return -1;
	key = signer_public_next(signer);
	return key == NULL ? 0 :
	    pgp_trust(pgp, key->p, key->n, "next public key", e);
}

/* The secret halves are gone before a byte from the network is looked at. */
static struct pgp *
open_trusted(const struct conf *conf, struct err *e)
{
	struct pgp *pgp = pgp_new(e);
	struct signer *signer = pgp ? signer_new(e) : NULL;
	int status = signer ? trust(pgp, conf, signer, e) : -1;

	signer_close(signer);
	if (status == 0)
		return pgp;
	pgp_close(pgp);
	return NULL;
}

static int
get(const char *base, const char *name, size_t max, struct buf *b,
    struct err *e)
{
	size_t n = strlen(base);
	char *url;
	int status;

	while (n > 0 && base[n - 1] == '/')
		n--;
	url = mem_format("%.*s/%s", (int)n, base, name);
	buf_clear(b);
	status = http_get(url, max, b, e);
	free(url);
	return status;
}

static int
get_signed(struct pulling *p, struct err *e)
{
	struct generation *g = &p->next;

	if (get(p->url, MANIFEST_NAME, MANIFEST_LIMIT, &g->text, e) < 0 ||
	    get(p->url, MANIFEST_SIGNATURE, SIGNATURE_LIMIT, &g->signature,
	    e) < 0)
		return -1;
	return pgp_verify(p->trusted, buf_cstr(&g->text), g->text.n,
	    buf_cstr(&g->signature), g->signature.n, MANIFEST_SIGNATURE, e);
}

/* A deployment between the two requests would make a pair that differs. */
static int
get_manifest(struct pulling *p, struct err *e)
{
	struct generation *g = &p->next;
	struct err first = ERR_INIT;
	int status = get_signed(p, &first);

	if (status < 0 && first.kind == ERR_REFUSED)
		status = get_signed(p, e);
	else
		*e = first;
	if (status == 0)
		status = manifest_parse(&g->manifest, buf_cstr(&g->text),
		    g->text.n, true, MANIFEST_NAME, e);
	return status < 0 ? err_wrap(e, "%s", p->url) : 0;
}

/* The public generation must be a later one, or the one that we have. */
static int
check_public(const struct pulling *p, struct err *e)
{
	const struct manifest *last = &p->last.manifest;
	const struct manifest *next = &p->next.manifest;

	if (p->newest > next->serial && p->newest != last->serial)
		return err_set(e, ERR_REFUSED, "generation %" PRIu64 " of the "
		    "state cannot be read, and the public one is %" PRIu64
		    ": if it was never sent, remove '%s/generations/%" PRIu64
		    "'", p->newest, next->serial, p->store.path, p->newest);
	if (last->serial > next->serial)
		return err_set(e, ERR_REFUSED, "the state has generation %"
		    PRIu64 ", but the public one is %" PRIu64 ": the state "
		    "is newer", last->serial, next->serial);
	if (last->serial == next->serial &&
	    !hash_equal(last->self, next->self))
		return err_set(e, ERR_REFUSED, "generation %" PRIu64 " of the "
		    "state differs from the public one: move the "
		    "state away and pull again", last->serial);
	return pull_check_suites(p->call->conf, next, e);
}

/* ------------------------------------------------------------------ pulling */

static int
commit(struct pulling *p, struct err *e)
{
	uint64_t keep = conf_number(p->call->conf, "repository", "keep");
	const struct manifest *m = &p->next.manifest;

	if (p->last.manifest.serial == m->serial)
		log_notice("the state has generation %" PRIu64 " already",
		    m->serial);
	else if (pull_ledger(p->call->conf, &p->store, &p->last.ledger,
	    &p->next, e) < 0 || store_commit(&p->store, &p->next, e) < 0)
		return -1;
	else
		log_notice("pulled generation %" PRIu64 ": %s, %zu files",
		    m->serial, m->release, m->n);
	return store_collect(&p->store, keep, e);
}

/*
 * A file that is not what was listed may be one of the next generation, which
 * was deployed meanwhile: then there is nothing wrong with the tree.
 */
static int
explain(struct pulling *p, struct err *e)
{
	struct pulling now = *p;
	struct err ignored = ERR_INIT;

	now.next = (struct generation)GENERATION_INIT;
	if ((e->kind == ERR_DATA || e->kind == ERR_MISSING) &&
	    get_manifest(&now, &ignored) == 0 &&
	    now.next.manifest.serial > p->next.manifest.serial)
		err_set(e, ERR_AGAIN, "generation %" PRIu64 " was deployed "
		    "while %" PRIu64 " was fetched: pull again",
		    now.next.manifest.serial, p->next.manifest.serial);
	generation_clear(&now.next);
	return -1;
}

static int
pull(struct pulling *p, struct err *e)
{
	bool is_dry_run = p->call->is_dry_run;
	struct pull_tally tally = {0, 0};

	if (store_load_readable(&p->store, &p->last, &p->newest, e) < 0 ||
	    get_manifest(p, e) < 0 || check_public(p, e) < 0 ||
	    (!is_dry_run && store_begin(&p->store, e) < 0))
		return -1;
	if (pull_files(&p->store, &p->next.manifest, p->url, is_dry_run,
	    &tally, e) < 0)
		return explain(p, e);
	if (is_dry_run) {
		log_notice("dry run: would pull generation %" PRIu64 ", and "
		    "fetch %zu files for it", p->next.manifest.serial,
		    tally.n);
		return 0;
	}
	if (commit(p, e) < 0)
		return -1;
	return manifest_report(&p->next.manifest, p->call->wants_json, e);
}

static int
enter(struct pulling *p, struct err *e)
{
	const struct conf *conf = p->call->conf;

	if (store_open(&p->store, conf, true, e) < 0 ||
	    store_sandbox(&p->store, conf, false, e) < 0)
		return -1;
	p->trusted = open_trusted(conf, e);
	return p->trusted ? 0 : -1;
}

int
cmd_pull(const struct tool_call *call, struct err *e)
{
	struct pulling p = {.call = call, .store = STORE_INIT,
	    .last = GENERATION_INIT, .next = GENERATION_INIT};
	int status = -1;

	p.url = conf_need(call->conf, "repository", "url", e);
	if (p.url != NULL && enter(&p, e) == 0)
		status = pull(&p, e);
	pgp_close(p.trusted);
	generation_clear(&p.last);
	generation_clear(&p.next);
	store_close(&p.store);
	return status;
}
