#include "deploy-repo/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/http/http.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"

#define LIVE "LIVE"
#define LOOK_TRIES 3
#define LOOK_LIMIT ((size_t)16 << 20)

/* What was done to the root, so that it can be undone. */
struct undo {
	struct strv made;	/* links that were not there before */
	struct strv exchanged;	/* names whose former self is in `replaced` */
	int replaced;		/* directory, -1 until needed */
	char replaced_name[NAME_MAX];
};

/* ---------------------------------------------------- names in the root */

/* The first components of the paths, and the manifest's own two files. */
static void
top_names(const struct manifest *m, struct strv *names)
{
	char *name;
	size_t i;

	strv_add(names, MANIFEST_NAME);
	strv_add(names, MANIFEST_SIGNATURE);
	for (i = 0; i < m->n; i++) {
		name = mem_dupn(m->v[i].path, strcspn(m->v[i].path, "/"));
		if (strv_has(names, name))
			free(name);
		else
			strv_take(names, name);
	}
}

/* 1, 0, or -1. */
static int
is_our_link(const struct site *s, const char *name, struct err *e)
{
	char target[PATH_MAX];
	int status = fs_read_link(s->root, name, target, sizeof(target), e);

	if (status <= 0)
		return status;
	return path_starts_with(target, SITE_PREFIX) &&
	    strcmp(target + strlen(SITE_PREFIX), name) == 0;
}

static int
open_replaced(const struct site *s, struct undo *undo, struct err *e)
{
	int i;

	if (undo->replaced >= 0)
		return 0;
	for (i = 1; i < 1000; i++) {
		snprintf(undo->replaced_name, sizeof(undo->replaced_name),
		    SITE_REPLACED "%d", i);
		if (mkdirat(s->releases, undo->replaced_name, 0755) == 0) {
			undo->replaced = fs_open_subdir(s->releases,
			    undo->replaced_name, e);
			return undo->replaced < 0 ? -1 : 0;
		}
		if (errno != EEXIST)
			break;
	}
	return err_sys(e, "make directory '" SITE_RELEASES "/%s'",
	    undo->replaced_name);
}

/*
 * Puts the link in the place of what stands there, and that into `replaced`,
 * in one step (renameat2(2), RENAME_EXCHANGE).
 */
static int
exchange(const struct site *s, const char *name, const char *target,
    struct undo *undo, struct err *e)
{
	if (open_replaced(s, undo, e) < 0)
		return -1;
	if (symlinkat(target, undo->replaced, name) < 0)
		return err_sys(e, "make link '%s'", name);
	if (renameat2(undo->replaced, name, s->root, name,
	    RENAME_EXCHANGE) < 0) {
		err_sys(e, "exchange '%s/%s' for a link", s->path, name);
		unlinkat(undo->replaced, name, 0);
		return -1;
	}
	strv_add(&undo->exchanged, name);
	log_notice("'%s/%s' is now a link; what it replaced is in '"
	    SITE_RELEASES "/%s' until deploy-repo prune", s->path, name,
	    undo->replaced_name);
	return 0;
}

static int
place_link(const struct site *s, const char *name, struct undo *undo,
    struct err *e)
{
	char *target = mem_format(SITE_PREFIX "%s", name);
	int status = is_our_link(s, name, e), exists = 0;

	if (status == 0)
		exists = fs_exists(s->root, name, e);
	if (status != 0 || exists < 0) {
		status = status > 0 ? 0 : -1;
	} else if (exists > 0) {
		status = exchange(s, name, target, undo, e);
	} else {
		/* before: its failure may come after the link is there */
		strv_add(&undo->made, name);
		status = fs_swap_link(s->root, name, target, e);
	}
	free(target);
	return status;
}

/* A link of ours to a name that the generation no longer has. */
static int
remove_old_links(const struct site *s, const struct strv *names,
    struct err *e)
{
	struct strv present = STRV_INIT;
	int status = fs_list(s->root, &present, e), ours;
	size_t i;

	for (i = 0; i < present.n && status == 0; i++) {
		if (strv_has(names, present.v[i]))
			continue;
		ours = is_our_link(s, present.v[i], e);
		if (ours < 0)
			status = -1;
		else if (ours > 0 && unlinkat(s->root, present.v[i], 0) < 0)
			status = err_sys(e, "remove link '%s'", present.v[i]);
	}
	strv_clear(&present);
	return status;
}

static int
place_links(const struct site *s, const struct strv *names,
    struct undo *undo, struct err *e)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (place_link(s, names->v[i], undo, e) < 0)
			return -1;
	return fs_sync_dir(s->root, e);
}

static void
undo_links(const struct site *s, struct undo *undo)
{
	size_t i;

	for (i = 0; i < undo->exchanged.n; i++) {
		const char *name = undo->exchanged.v[i];

		if (renameat2(undo->replaced, name, s->root, name,
		    RENAME_EXCHANGE) < 0)
			log_error("cannot put '%s' back: it is in '%s/"
			    SITE_RELEASES "/%s'", name, s->path,
			    undo->replaced_name);
		else
			unlinkat(undo->replaced, name, 0);
	}
	for (i = 0; i < undo->made.n; i++)
		unlinkat(s->root, undo->made.v[i], 0);
	unlinkat(s->releases, undo->replaced_name, AT_REMOVEDIR);
}

static void
undo_clear(struct undo *undo)
{
	strv_clear(&undo->made);
	strv_clear(&undo->exchanged);
	if (undo->replaced >= 0)
		close(undo->replaced);
}

/* ------------------------------------------------------------- the look */

static int
look_once(const char *url, const struct buf *wanted, struct err *e)
{
	struct buf body = BUF_INIT;
	int status = http_get(url, LOOK_LIMIT, &body, e);

	if (status == 0 && (body.n != wanted->n ||
	    memcmp(buf_cstr(&body), buf_cstr(wanted), body.n) != 0))
		status = err_set(e, ERR_PROTOCOL, "'%s' is not what was "
		    "deployed: does the web server serve this root?", url);
	else if (status < 0 && e->kind == ERR_MISSING)
		e->kind = ERR_PROTOCOL;
	buf_clear(&body);
	return status;
}

/* A cache on the way may need a moment. */
static int
look_at(const char *base, int dir, const char *path, struct err *e)
{
	char *url = mem_format("%s%s%s", base,
	    path_ends_with(base, "/") ? "" : "/", path);
	struct buf wanted = BUF_INIT;
	struct timespec second = {.tv_sec = 1};
	int status = fs_read(dir, path, LOOK_LIMIT, &wanted, e), tries;

	for (tries = 1; status == 0; tries++) {
		status = look_once(url, &wanted, e);
		if (status == 0 || tries == LOOK_TRIES ||
		    e->kind == ERR_SIGNAL)
			break;
		log_detail("%s; trying again", e->text);
		nanosleep(&second, NULL);
		status = cleanup_check(e);
	}
	buf_clear(&wanted);
	free(url);
	return status;
}

static int
look(const struct site *s, const struct manifest *m, struct err *e)
{
	const char *url = conf_get(s->conf, "deploy", "url");
	int dir, status = 0;
	size_t i;

	if (url == NULL)
		return 0;
	dir = site_open_generation(s, m->serial, e);
	if (dir < 0)
		return -1;
	for (i = 0; i < m->n && status == 0; i++)
		if (path_ends_with(m->v[i].path, "/InRelease") ||
		    path_ends_with(m->v[i].path, "/repomd.xml"))
			status = look_at(url, dir, m->v[i].path, e);
	close(dir);
	return status;
}

/* ---------------------------------------------------------------- LIVE/ */

static int
replace_live(int inbox, const struct kept *k, struct err *e)
{
	static const char next[] = LIVE ".part";
	int dir, status;

	if (fs_remove_tree(inbox, next, e) < 0)
		return -1;
	if (mkdirat(inbox, next, 0755) < 0)
		return err_sys(e, "make directory '%s'", next);
	dir = fs_open_subdir(inbox, next, e);
	if (dir < 0)
		return -1;
	status = fs_write(dir, MANIFEST_NAME, k->text.p, k->text.n, 0644, e);
	if (status == 0)
		status = fs_write(dir, MANIFEST_SIGNATURE, k->signature.p,
		    k->signature.n, 0644, e);
	close(dir);
	if (status < 0)
		return -1;
	/* both files change at once */
	if (renameat2(inbox, next, inbox, LIVE, RENAME_EXCHANGE) < 0 &&
	    renameat(inbox, next, inbox, LIVE) < 0)
		return err_sys(e, "rename '%s' to '" LIVE "'", next);
	return fs_remove_tree(inbox, next, e);
}

static void
tell_senders(const struct site *s, const struct kept *k)
{
	struct err e = ERR_INIT;

	if (s->inbox >= 0 && replace_live(s->inbox, k, &e) < 0)
		log_warning("[deploy] inbox: %s", e.text);
}

/* ------------------------------------------------------------ the switch */

static int
set_current(const struct site *s, uint64_t serial, struct err *e)
{
	char target[SERIAL_TEXT];

	snprintf(target, sizeof(target), "%" PRIu64, serial);
	return fs_swap_link(s->releases, SITE_CURRENT, target, e);
}

/* Whether it names that generation now: only the sync may have failed. */
static bool
is_current(const struct site *s, uint64_t serial)
{
	char target[SERIAL_TEXT];
	struct err ignored = ERR_INIT;
	uint64_t current;

	return fs_read_link(s->releases, SITE_CURRENT, target, sizeof(target),
	    &ignored) > 0 && serial_read(target, &current) &&
	    current == serial;
}

static int
set_mark(struct site *s, struct mark m, struct err *e)
{
	if (m.highest != s->mark.highest || m.withdrawn != s->mark.withdrawn) {
		if (mark_write(s->releases, &m, e) < 0)
			return -1;
		s->mark = m;
	}
	return 0;
}

/* Where clients may have seen the next one, it stays the highest. */
static void
go_back(struct site *s, uint64_t before, struct mark mark, struct undo *undo)
{
	struct kept k = KEPT_INIT;
	struct err e = ERR_INIT;

	undo_links(s, undo);
	if (before == 0)
		(void)unlinkat(s->releases, SITE_CURRENT, 0);
	else if (set_current(s, before, &e) < 0 && is_current(s, before))
		log_warning("'%s/" SITE_RELEASES "': %s", s->path, e.text);
	else if (!is_current(s, before))
		log_error("cannot go back to generation %" PRIu64 ": %s",
		    before, e.text);
	s->live = before;
	if (before != 0)
		mark.highest = s->mark.highest;
	if (set_mark(s, mark, &e) < 0)
		log_error("%s", e.text);
	if (before != 0 && site_load(s, before, &k, &e) == 0)
		tell_senders(s, &k);
	kept_clear(&k);
}

/* It is public: what fails now is only worth a warning. */
static void
settle(const struct site *s, const struct kept *k, const struct strv *names)
{
	struct err e = ERR_INIT;

	if (remove_old_links(s, names, &e) < 0)
		log_warning("'%s': %s", s->path, e.text);
	tell_senders(s, k);
}

int
switch_to(struct site *s, const struct kept *k, struct err *e)
{
	struct undo undo = {.replaced = -1};
	struct strv names = STRV_INIT;
	uint64_t before = s->live, serial = k->manifest.serial;
	struct mark mark = s->mark;
	int status;

	/* the last moment at which a signal stops it */
	if (cleanup_check(e) < 0)
		return -1;
	top_names(&k->manifest, &names);
	if (serial < before)
		tell_senders(s, k);
	/* before: after a kill it must not be lower than what was live */
	status = set_mark(s, mark_after(mark, before, serial), e);
	if (status == 0)
		status = set_current(s, serial, e);
	if (status == 0) {
		s->live = serial;
		status = place_links(s, &names, &undo, e);
	}
	if (status == 0)
		status = look(s, &k->manifest, e);
	if (status < 0 && e->kind != ERR_SIGNAL) {
		go_back(s, before, mark, &undo);
		if (serial != before)
			err_wrap(e, "swapped back");
		else
			err_wrap(e, "generation %" PRIu64 " stays live",
			    serial);
	} else {
		settle(s, k, &names);
	}
	if (status < 0 && e->kind == ERR_SIGNAL)
		err_wrap(e, "generation %" PRIu64 " is live, but the check "
		    "through HTTP was not completed", serial);
	undo_clear(&undo);
	strv_clear(&names);
	return status;
}
