#include "distribute-packages/keys.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/sys/background.h"
#include "lib/sys/fs.h"
#include "lib/sys/par.h"

#define DEFAULT_KEY "veilid-packages-key.private"

char *
keys_file(const struct conf *conf)
{
	char *path = conf_path(conf, "signing", "key-file");

	if (path != NULL || conf_get(conf, "signing", "key") != NULL)
		return path;
	if (access(DEFAULT_KEY, F_OK) == 0)
		return mem_dup(DEFAULT_KEY);
	return fs_expand_home("~/" DEFAULT_KEY);
}

char *
keys_public_path(const struct conf *conf, const char *suffix)
{
	return mem_format("gpg/%s-packages-key%s.public",
	    conf_get(conf, "repository", "prefix"), suffix);
}

int
keys_load(const struct conf *conf, struct signer *signer, struct err *e)
{
	char *key_file = keys_file(conf);
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
	struct keys *k = arg;

	return keys_load(k->conf, k->signer, e);
}

int
keys_open(struct keys *k, const struct conf *conf, struct err *e)
{
	size_t n = conf_get(conf, "signing", "key") != NULL ? 1 :
	    COUNT(k->signers);

	k->conf = conf;
	k->public = pgp_new(e);
	if (k->public == NULL)
		return -1;
	for (; k->n_rings < n; k->n_rings++) {
		k->signers[k->n_rings] = signer_new(e);
		if (k->signers[k->n_rings] == NULL)
			return -1;
	}
	k->n_loaded = 1;
	k->signer = k->signers[0];
	k->loading = background_start(load_first, k);
	return 0;
}

int
keys_await(struct keys *k, struct err *e)
{
	return background_wait(&k->loading, e);
}

/*
 * gpg-agent makes one signature at a time, and making them is most of the
 * work: many rpms are worth a second agent, with a key ring of its own.
 */
int
keys_widen(struct keys *k, struct err *e)
{
	for (; k->n_loaded < k->n_rings; k->n_loaded++)
		if (keys_load(k->conf, k->signers[k->n_loaded], e) < 0)
			return -1;
	return 0;
}

struct signer *
keys_signer(struct keys *k, size_t i)
{
	return k->signers[i % k->n_loaded];
}

static int
close_ring(size_t i, void *arg, struct err *e)
{
	struct keys *k = arg;

	(void)e;
	if (i == COUNT(k->signers)) {
		pgp_close(k->public);
		k->public = NULL;
	} else {
		signer_close(k->signers[i]);
		k->signers[i] = NULL;
	}
	return 0;
}

/* Ending the agents takes as long as making a signature: all at once. */
static int
close_rings(void *arg, struct err *e)
{
	struct keys *k = arg;

	return par_each(COUNT(k->signers) + 1, close_ring, k, e);
}

void
keys_end(struct keys *k)
{
	if (k->closing == NULL)
		k->closing = background_start(close_rings, k);
}

void
keys_close(struct keys *k)
{
	struct err ignored = ERR_INIT;

	(void)background_wait(&k->loading, &ignored);
	keys_end(k);
	(void)background_wait(&k->closing, &ignored);
}
