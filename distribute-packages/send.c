#include "distribute-packages/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distribute-packages/drops.h"
#include "distribute-packages/keys.h"
#include "distribute-packages/store.h"
#include "lib/drop/upload.h"
#include "lib/frame/report.h"
#include "lib/pgp/pgp.h"
#include "lib/sys/log.h"

#define SECTION "repo-server"
#define LIVE "LIVE/"
#define NAME_SIZE 64

/* One that upload opens when its turn comes. */
struct source {
	const struct tree *tree;
	const struct manifest_entry *entry;
};

struct sending {
	const struct tool_call *call;
	struct remote_target target;
	const char *inbox;
	struct store store;
	struct generation g;
	struct tree tree;		/* of g */
	struct manifest live;		/* serial 0: not known */
	char name[NAME_SIZE];		/* of the drop */
	struct upload_file *files;
	struct source *sources;
	size_t n;
	uint64_t bytes;
};

/* ------------------------------------------------- what the server has */

/* The public keys of our own generation; the next one, where there is one. */
static struct pgp *
open_own_keys(const struct sending *s, struct err *e)
{
	static const char *const suffixes[] = {"", "-next"};
	struct pgp *pgp = pgp_new(e);
	int status = pgp ? 0 : -1;
	struct fs_map map;
	size_t i;
	char *path;

	for (i = 0; i < COUNT(suffixes) && status == 0; i++) {
		path = keys_public_path(s->call->conf, suffixes[i]);
		if (i == 0 || manifest_find(s->tree.manifest, path) != NULL) {
			status = tree_map(&s->tree, path, &map, e);
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
read_pair(const struct sending *s, struct pair *p, struct err *e)
{
	const struct upload_wanted wanted[] = {
		{LIVE MANIFEST_NAME, MANIFEST_LIMIT, &p->text},
		{LIVE MANIFEST_SIGNATURE, SIGNATURE_LIMIT, &p->signature},
	};

	buf_clear(&p->text);
	buf_clear(&p->signature);
	if (upload_read(&s->target, s->inbox, wanted, COUNT(wanted), e) == 0)
		return 1;
	if (e->kind != ERR_MISSING)
		return -1;
	*e = (struct err)ERR_INIT;
	return 0;
}

static int
verify_pair(struct manifest *live, struct pgp *pgp, const struct pair *p,
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
read_live(struct sending *s, struct pgp *pgp, struct err *e)
{
	struct pair p = {BUF_INIT, BUF_INIT};
	struct err why = ERR_INIT;
	int status = 0, tries;

	for (tries = 0; tries < 2; tries++) {
		why = (struct err)ERR_INIT;
		status = read_pair(s, &p, e);
		if (status <= 0 || verify_pair(&s->live, pgp, &p, &why) == 0)
			break;
		manifest_clear(&s->live);
	}
	buf_clear(&p.text);
	buf_clear(&p.signature);
	if (status > 0 && why.kind != ERR_NONE && why.kind != ERR_REFUSED &&
	    why.kind != ERR_DATA) {
		*e = why;
		return err_wrap(e, "verify " LIVE " of the inbox");
	}
	if (status > 0 && why.kind != ERR_NONE)
		log_warning(LIVE " in the inbox is not trusted, so all files "
		    "are sent: %s", why.text);
	else if (status == 0)
		log_detail("no " LIVE " in the inbox: all files are sent");
	return status < 0 ? -1 : 0;
}

static bool
is_live(const struct sending *s)
{
	return s->live.serial == s->g.manifest.serial &&
	    hash_equal(s->live.self, s->g.manifest.self);
}

/*
 * Whoever may write to the inbox can copy the manifest of a drop that waits to
 * LIVE/: it is signed. But a drop that has served is gone. 1, 0, -1.
 */
static int
is_waiting(const struct sending *s, struct err *e)
{
	char *path = mem_format("%s/" MANIFEST_SIGNATURE, s->name);
	struct buf text = BUF_INIT;
	const struct upload_wanted wanted = {path, SIGNATURE_LIMIT, &text};
	int status = 1;

	if (upload_read(&s->target, s->inbox, &wanted, 1, e) < 0) {
		status = e->kind == ERR_MISSING ? 0 : -1;
		if (status == 0)
			*e = (struct err)ERR_INIT;
	}
	buf_clear(&text);
	free(path);
	return status;
}

static int
find_live(struct sending *s, struct err *e)
{
	struct pgp *pgp = open_own_keys(s, e);
	int status = pgp ? read_live(s, pgp, e) : -1;

	pgp_close(pgp);
	if (status < 0 || !is_live(s))
		return status;
	status = is_waiting(s, e);
	if (status > 0) {
		log_warning(LIVE " in the inbox is not believed: it says that "
		    "generation %" PRIu64 " is live, whose drop still waits",
		    s->live.serial);
		manifest_clear(&s->live);
		s->live = (struct manifest)MANIFEST_INIT;
	}
	return status < 0 ? -1 : 0;
}

/* The server must not be ahead of us. */
static int
check_live(const struct sending *s, struct err *e)
{
	uint64_t ours = s->g.manifest.serial, live = s->live.serial;

	if (live > ours)
		return err_set(e, ERR_REFUSED, "generation %" PRIu64 " is "
		    "live, but the newest of the state is %" PRIu64 ": was an "
		    "old state restored? Run distribute-packages pull", live,
		    ours);
	if (live == ours && !is_live(s))
		return err_set(e, ERR_REFUSED, "another generation %" PRIu64
		    " is live: it was not made from this state; move the "
		    "state away and run distribute-packages pull", live);
	return 0;
}

/* ------------------------------------------------------ what it lacks */

static void
add_entries(struct hashset *set, const struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		hashset_add(set, m->v[i].sha256, &m->v[i]);
	hashset_sort(set);
}

static int
open_source(const struct upload_file *file, struct err *e)
{
	const struct source *source = file->arg;

	return tree_open(source->tree, source->entry, e);
}

static void
add_text(struct sending *s, const char *path, const struct buf *text)
{
	s->files[s->n++] = (struct upload_file){.path = path,
	    .data = buf_cstr(text), .size = text->n};
	s->bytes += text->n;
}

static int
add_file(struct sending *s, const struct manifest_entry *f, struct err *e)
{
	struct source *source = &s->sources[s->n];
	uint64_t size;

	if (tree_size(&s->tree, f, &size, e) < 0)
		return -1;
	*source = (struct source){&s->tree, f};
	s->files[s->n++] = (struct upload_file){.path = f->path,
	    .open = open_source, .arg = source, .size = size};
	s->bytes += size;
	return 0;
}

/* The receiver finds by its hash what is live, and what comes twice. */
static int
choose_files(struct sending *s, struct err *e)
{
	const struct manifest *m = &s->g.manifest;
	struct hashset ours = HASHSET_INIT, live = HASHSET_INIT;
	const struct manifest_entry *f;
	int status = 0;
	size_t i;

	add_entries(&ours, m);
	add_entries(&live, &s->live);
	s->files = mem_zero(m->n + 2, sizeof(*s->files));
	s->sources = mem_zero(m->n + 2, sizeof(*s->sources));
	add_text(s, MANIFEST_NAME, &s->g.text);
	add_text(s, MANIFEST_SIGNATURE, &s->g.signature);
	for (i = 0; i < m->n && status == 0; i++) {
		f = &m->v[i];
		if (hashset_find(&ours, f->sha256)->of == f &&
		    hashset_find(&live, f->sha256) == NULL)
			status = add_file(s, f, e);
	}
	hashset_clear(&ours);
	hashset_clear(&live);
	return status;
}

/* ----------------------------------------------------------------- sending */

static int
print_record(const struct sending *s, size_t n, uint64_t bytes,
    struct err *e)
{
	static const struct report_column columns[] = {
		{"serial", REPORT_NUMBER}, {"release", REPORT_TEXT},
		{"files", REPORT_NUMBER}, {"bytes", REPORT_BYTES},
		{"name", REPORT_TEXT},
	};
	struct report *r = report_open(columns, COUNT(columns),
	    s->call->wants_json);
	char serial[24], files[24], size[24];

	snprintf(serial, sizeof(serial), "%" PRIu64, s->g.manifest.serial);
	snprintf(files, sizeof(files), "%zu", n);
	snprintf(size, sizeof(size), "%" PRIu64, bytes);
	report_row(r, serial, s->g.manifest.release, files, size, s->name);
	return report_close(r, e);
}

static int
send_drop(struct sending *s, struct err *e)
{
	bool is_dry_run = s->call->is_dry_run;
	struct upload u = {.target = &s->target, .inbox = s->inbox,
	    .name = s->name, .is_dry_run = is_dry_run};

	if (choose_files(s, e) < 0)
		return -1;
	u.files = s->files;
	u.n = s->n;
	if (upload_run(&u, e) < 0)
		return -1;
	if (u.was_there)
		log_notice("generation %" PRIu64 " waits in the inbox "
		    "already: %s", s->g.manifest.serial, s->name);
	else if (is_dry_run)
		log_notice("dry run: would send generation %" PRIu64 " as %s: "
		    "%zu files, %" PRIu64 " bytes", s->g.manifest.serial,
		    s->name, s->n, s->bytes);
	else
		log_notice("sent generation %" PRIu64 " as %s: %zu of %zu "
		    "files, %s", s->g.manifest.serial, s->name, s->n,
		    s->g.manifest.n + 2, log_bytes(u.sent));
	if (is_dry_run)
		return 0;
	return print_record(s, u.was_there ? 0 : s->n, u.sent, e);
}

/* The chain that is live must be ours, as far as it can be seen. */
static int
tidy_inbox(const struct sending *s, struct err *e)
{
	struct generation then = GENERATION_INIT;
	struct strv served = STRV_INIT;
	struct err why = ERR_INIT;
	int status = 0;

	if (s->live.serial != 0 &&
	    store_load(&s->store, s->live.serial, &then, &why) < 0 &&
	    why.kind != ERR_MISSING)
		log_warning("published drops stay in the inbox: %s", why.text);
	else if (then.manifest.serial != 0 &&
	    hash_equal(then.manifest.self, s->live.self))
		status = store_drops(&s->store, s->live.serial, &served, e);
	if (status == 0)
		drops_tidy(s->call->conf, &served, s->g.manifest.release,
		    s->call->is_dry_run);
	generation_clear(&then);
	strv_clear(&served);
	return status;
}

static int
deliver(struct sending *s, uint64_t coming, struct err *e)
{
	if (check_live(s, e) < 0)
		return -1;
	if (coming != 0) {
		log_notice("dry run: would then send generation %" PRIu64
		    " to %s", coming, s->target.host);
		return 0;
	}
	if (!is_live(s))
		return send_drop(s, e);
	log_notice("generation %" PRIu64 " is live already: nothing to send",
	    s->g.manifest.serial);
	return s->call->is_dry_run ? 0 : print_record(s, 0, 0, e);
}

static int
load(struct sending *s, struct err *e)
{
	const struct conf *conf = s->call->conf;
	char unique[UPLOAD_UNIQUE];

	/* With the lock: no other run removes objects or drops meanwhile. */
	if (store_open(&s->store, conf, true, e) < 0 ||
	    store_sandbox(&s->store, conf, true, e) < 0 ||
	    store_load(&s->store, 0, &s->g, e) < 0)
		return -1;
	s->tree = store_tree(&s->store, &s->g);
	upload_unique(buf_cstr(&s->g.text), s->g.text.n, unique);
	snprintf(s->name, sizeof(s->name), "generation.%" PRIu64 ".%s",
	    s->g.manifest.serial, unique);
	return 0;
}

static int
run(struct sending *s, uint64_t coming, struct err *e)
{
	if (load(s, e) < 0)
		return -1;
	if (s->g.manifest.serial == 0 && coming != 0) {
		log_notice("dry run: would then send generation %" PRIu64
		    " to %s", coming, s->target.host);
		return 0;
	}
	if (s->g.manifest.serial == 0)
		return err_set(e, ERR_MISSING, "no generation yet: run "
		    "distribute-packages build first");
	if (find_live(s, e) < 0 || deliver(s, coming, e) < 0)
		return -1;
	return tidy_inbox(s, e);
}

int
send_check(const struct conf *conf, struct err *e)
{
	struct remote_target t = REMOTE_TARGET_INIT;
	int status = remote_target_read(&t, conf, SECTION, e);

	remote_target_clear(&t);
	return status;
}

int
send_newest(const struct tool_call *call, uint64_t coming, struct err *e)
{
	struct sending s = {.call = call, .target = REMOTE_TARGET_INIT,
	    .store = STORE_INIT, .g = GENERATION_INIT,
	    .live = MANIFEST_INIT};
	int status = remote_target_read(&s.target, call->conf, SECTION, e);

	s.inbox = conf_get(call->conf, SECTION, "inbox");
	if (status == 0)
		status = run(&s, coming, e);
	free(s.files);
	free(s.sources);
	manifest_clear(&s.live);
	generation_clear(&s.g);
	store_close(&s.store);
	remote_target_clear(&s.target);
	return status;
}
