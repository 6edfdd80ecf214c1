#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "distribute-packages/cmd.h"
#include "distribute-packages/keys.h"
#include "distribute-packages/store.h"
#include "lib/sys/log.h"

/*
 * The keys to trust: [deploy] trusted-key where it is set, else the tree's
 * own public key, which proves that the tree is whole, not whose it is.
 */
static int
read_trusted(const struct conf *conf, const struct tree *t, struct buf *keys,
    struct err *e)
{
	char *path = conf_path(conf, "deploy", "trusted-key");
	struct fs_map map;
	int status = 0;

	if (path == NULL) {
		path = keys_public_path(conf, "");
		status = tree_map_most(t, path, PGP_KEY_LIMIT, &map, e);
		if (status == 0) {
			log_notice("[deploy] trusted-key is not set: checking "
			    "with the tree's own %s", path);
			buf_add(keys, map.p, map.n);
			fs_unmap(&map);
		}
	} else {
		status = pgp_read_keys(path, keys, e);
	}
	free(path);
	return status;
}

static int
verify(const struct conf *conf, const struct tree *t, const struct buf *text,
    const struct buf *signature, struct err *e)
{
	struct buf keys = BUF_INIT;
	struct pgp *pgp = NULL;
	int status = read_trusted(conf, t, &keys, e);

	if (status == 0) {
		pgp = pgp_open(keys.p, keys.n, "trusted key", e);
		status = pgp ? 0 : -1;
	}
	if (status == 0)
		status = pgp_verify(pgp, buf_cstr(text), text->n,
		    buf_cstr(signature), signature->n, MANIFEST_SIGNATURE, e);
	if (status == 0)
		status = tree_check_hashes(t, e);
	if (status == 0)
		status = tree_check(t, pgp, (int64_t)time(NULL), e);
	if (status == 0)
		log_notice("good: generation %" PRIu64 ", %s, %zu files",
		    t->manifest->serial, t->manifest->release,
		    t->manifest->n);
	pgp_close(pgp);
	buf_clear(&keys);
	return status;
}

/* A web root leads to its live generation, everything else is a tree. */
static int
open_tree(const char *path, struct err *e)
{
	char *live = mem_format("%s/.releases/current", path);
	int dir = fs_open_dir(access(live, F_OK) == 0 ? live : path, e);

	free(live);
	return dir;
}

static int
verify_directory(const struct conf *conf, const char *path, struct err *e)
{
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT, signature = BUF_INIT;
	struct tree t = {.manifest = &m, .is_store = false};
	int status = -1;

	t.dir = open_tree(path, e);
	if (t.dir >= 0 &&
	    fs_read(t.dir, MANIFEST_NAME, MANIFEST_LIMIT, &text, e) == 0 &&
	    fs_read(t.dir, MANIFEST_SIGNATURE, SIGNATURE_LIMIT, &signature,
	    e) == 0 && manifest_parse(&m, buf_cstr(&text), text.n, true,
	    MANIFEST_NAME, e) == 0)
		status = verify(conf, &t, &text, &signature, e);
	if (status < 0)
		err_wrap(e, "%s", path);
	if (t.dir >= 0)
		close(t.dir);
	manifest_clear(&m);
	buf_clear(&text);
	buf_clear(&signature);
	return status;
}

static int
verify_state(const struct conf *conf, struct err *e)
{
	struct generation g = GENERATION_INIT;
	struct store store = STORE_INIT;
	struct tree t;
	int status = store_open(&store, conf, false, e);

	if (status == 0)
		status = store_load(&store, 0, &g, e);
	if (status == 0 && g.manifest.serial == 0)
		status = err_set(e, ERR_MISSING, "no generation yet in '%s'",
		    store.path);
	t = store_tree(&store, &g);
	if (status == 0)
		status = verify(conf, &t, &g.text, &g.signature, e);
	generation_clear(&g);
	store_close(&store);
	return status;
}

int
cmd_verify(const struct tool_call *call, struct err *e)
{
	return call->n_args > 0 ?
	    verify_directory(call->conf, call->args[0], e) :
	    verify_state(call->conf, e);
}
