#include "distribute-packages/send_live.h"

#include <stdlib.h>
#include <string.h>

#include "distribute-packages/publication.h"
#include "lib/drop/upload.h"
#include "lib/pgp/pgp.h"
#include "lib/sys/log.h"

#define LIVE "LIVE/"

/* The public keys of our own generation; the next one, where there is one. */
static struct pgp *
open_own_keys(const struct live_query *q, struct err *e)
{
	static const char *const suffixes[] = {"", "-next"};
	struct pgp *pgp = pgp_new(e);
	int status = pgp ? 0 : -1;
	struct fs_map map;
	size_t i;
	char *path;

	for (i = 0; i < COUNT(suffixes) && status == 0; i++) {
		path = public_key_path(q->conf, suffixes[i]);
		if (i == 0 || manifest_find(q->tree->manifest, path) != NULL) {
			status = tree_map(q->tree, path, &map, e);
			if (status == 0)
				status = pgp_trust(pgp, map.p, map.n, path, e);
			fs_unmap(&map);
		}
		free(path);
	}
	if (status == 0)
		return pgp;
	pgp_close(pgp);
	return NULL;
}

struct pair {
	struct buf text;
	struct buf signature;
};

/* 1: both are there; 0: one is not. */
static int
read_pair(const struct live_query *q, struct pair *p, struct err *e)
{
	const struct upload_wanted wanted[] = {
		{LIVE MANIFEST_NAME, MANIFEST_LIMIT, &p->text},
		{LIVE MANIFEST_SIGNATURE, SIGNATURE_LIMIT, &p->signature},
	};

	buf_clear(&p->text);
	buf_clear(&p->signature);
	if (upload_read(q->target, q->inbox, wanted, COUNT(wanted), e) == 0)
		return 1;
	if (e->kind != ERR_MISSING)
		return -1;
	*e = (struct err)ERR_INIT;
	return 0;
}

static int
judge_pair(struct manifest *live, struct pgp *pgp, const struct pair *p,
    struct err *e)
{
	if (pgp_verify(pgp, buf_cstr(&p->text), p->text.n,
	    buf_cstr(&p->signature), p->signature.n,
	    MANIFEST_SIGNATURE, e) < 0)
		return -1;
	return manifest_parse(live, buf_cstr(&p->text), p->text.n, true,
	    MANIFEST_NAME, e);
}

/*
 * What the inbox says is live is believed only where we have signed it. A
 * deployment between the two files makes a pair that differs, so once more.
 */
static int
look(const struct live_query *q, struct pgp *pgp, struct manifest *live,
    struct err *e)
{
	struct pair p = {BUF_INIT, BUF_INIT};
	struct err why = ERR_INIT;
	int status = 0, tries;

	for (tries = 0; tries < 2; tries++) {
		why = (struct err)ERR_INIT;
		status = read_pair(q, &p, e);
		if (status <= 0 || judge_pair(live, pgp, &p, &why) == 0)
			break;
		manifest_clear(live);
	}
	buf_clear(&p.text);
	buf_clear(&p.signature);
	if (status > 0 && why.kind != ERR_NONE)
		log_warning(LIVE " in the inbox is not believed, so all files "
		    "are sent: %s", why.text);
	else if (status == 0)
		log_detail("no " LIVE " in the inbox: all files are sent");
	return status < 0 ? -1 : 0;
}

int
live_find(const struct live_query *q, struct manifest *live, struct err *e)
{
	struct pgp *pgp = open_own_keys(q, e);
	int status = pgp ? look(q, pgp, live, e) : -1;

	pgp_close(pgp);
	return status;
}
