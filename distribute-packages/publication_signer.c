#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "distribute-packages/publication.h"
#include "lib/base/path.h"
#include "lib/sys/background.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"

#define DEFAULT_KEY "veilid-packages-key.private"

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

int
publication_load_key(const struct conf *conf, struct signer *signer,
    struct err *e)
{
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

	status = signer_load(signer, &o, e);
	free(key_file);
	free(passphrase);
	free(next);
	return status;
}

static int
load_first(void *arg, struct err *e)
{
	struct publication *p = arg;

	return publication_load_key(p->conf, p->signers[0], e);
}

int
publication_start_signer(struct publication *p, struct err *e)
{
	size_t n = conf_get(p->conf, "signing", "key") != NULL ? 1 :
	    COUNT(p->signers);

	/* Key rings fork: now, while there is one thread. */
	for (; p->n_rings < n; p->n_rings++) {
		p->signers[p->n_rings] = signer_new(e);
		if (p->signers[p->n_rings] == NULL)
			return -1;
	}
	p->n_signers = 1;
	p->signer = p->signers[0];
	p->signing = background_start(load_first, p);
	return 0;
}

/*
 * gpg-agent makes one signature at a time, and making them is most of the
 * work: many rpms are worth a second agent, with a key ring of its own.
 */
int
publication_widen(struct publication *p, struct err *e)
{
	for (; p->n_signers < p->n_rings; p->n_signers++)
		if (publication_load_key(p->conf, p->signers[p->n_signers],
		    e) < 0)
			return -1;
	return 0;
}

struct signer *
publication_signer(struct publication *p, size_t i)
{
	return p->signers[i % p->n_signers];
}

static int
close_ring(size_t i, void *arg, struct err *e)
{
	struct publication *p = arg;

	(void)e;
	if (i == COUNT(p->signers)) {
		pgp_close(p->public);
		p->public = NULL;
	} else {
		signer_close(p->signers[i]);
		p->signers[i] = NULL;
	}
	return 0;
}

/* Ending the agents takes as long as making a signature: all at once. */
static int
close_rings(void *arg, struct err *e)
{
	struct publication *p = arg;

	return par_each(COUNT(p->signers) + 1, close_ring, p, e);
}

void
publication_end_signing(struct publication *p)
{
	if (p->closing == NULL)
		p->closing = background_start(close_rings, p);
}

void
publication_close_rings(struct publication *p)
{
	struct err ignored = ERR_INIT;

	(void)background_wait(&p->signing, &ignored);
	publication_end_signing(p);
	(void)background_wait(&p->closing, &ignored);
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
