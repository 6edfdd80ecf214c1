#include "deploy-repo/site.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"
#include "lib/sys/sandbox.h"
#include "lib/tree/tree.h"

/* "www-data" or "www-data:www-data" */
static int
find_owner(struct site *s, struct err *e)
{
	const char *value = conf_get(s->conf, "deploy", "owner");
	char *user, *group;
	struct passwd *pw;
	struct group *gr = NULL;
	int status = 0;

	s->owner = (uid_t)-1;
	s->group = (gid_t)-1;
	if (value == NULL)
		return 0;
	user = mem_dup(value);
	group = strchr(user, ':');
	if (group != NULL)
		*group++ = '\0';
	pw = getpwnam(user);
	if (group != NULL)
		gr = getgrnam(group);
	if (pw == NULL || (group != NULL && gr == NULL))
		status = err_set(e, ERR_CONFIG, "[deploy] owner: no such user "
		    "or group as '%s'", value);
	else {
		s->owner = pw->pw_uid;
		s->group = gr ? gr->gr_gid : pw->pw_gid;
	}
	free(user);
	return status;
}

static int
enter_sandbox(const struct site *s, bool for_writing, struct err *e)
{
	struct strv writable = STRV_INIT;
	int status;

	if (for_writing) {
		strv_add(&writable, s->path);
		strv_take(&writable, conf_path(s->conf, "deploy", "inbox"));
	}
	status = sandbox_enter(&writable, e);
	strv_clear(&writable);
	return status;
}

/* What cannot be removed does not keep us from deploying. */
static void
remove_unfinished(const struct site *s)
{
	struct strv names = STRV_INIT;
	struct err e = ERR_INIT;
	size_t i;

	if (fs_remove_leftovers(s->releases, "", &e) < 0)
		log_warning("'%s/" SITE_RELEASES "': %s", s->path, e.text);
	(void)fs_list(s->releases, &names, &e);
	for (i = 0; i < names.n; i++)
		if (path_starts_with(names.v[i], SITE_NEXT) &&
		    fs_remove_tree(s->releases, names.v[i], &e) < 0)
			log_warning("'%s/" SITE_RELEASES "': %s", s->path,
			    e.text);
	(void)unlinkat(s->releases, "." MARK_NAME ".new", 0);
	if (s->inbox >= 0 && fs_remove_leftovers(s->inbox, "", &e) < 0)
		log_warning("[deploy] inbox: %s", e.text);
	strv_clear(&names);
}

/* Generations may come from archives alone: whoever needs it asks for why. */
static void
open_inbox(struct site *s)
{
	char *path = conf_path(s->conf, "deploy", "inbox");

	s->inbox = fs_open_dir(path, &s->no_inbox);
	if (s->inbox < 0)
		err_wrap(&s->no_inbox, "[deploy] inbox");
	free(path);
}

static int
prepare_writing(struct site *s, struct err *e)
{
	if (find_owner(s, e) < 0)
		return -1;
	if (mkdirat(s->root, SITE_RELEASES, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make directory '" SITE_RELEASES "'");
	s->releases = fs_open_subdir(s->root, SITE_RELEASES, e);
	if (s->releases < 0 || enter_sandbox(s, true, e) < 0)
		return -1;
	s->lock = fs_lock(s->releases, "lock", e);
	if (s->lock < 0)
		return -1;
	remove_unfinished(s);
	return mark_read(s->releases, &s->mark, e);
}

static int
prepare_reading(struct site *s, struct err *e)
{
	int exists = fs_exists(s->root, SITE_RELEASES, e);

	if (exists < 0)
		return -1;
	if (exists > 0) {
		s->releases = fs_open_subdir(s->root, SITE_RELEASES, e);
		if (s->releases < 0)
			return -1;
	}
	return enter_sandbox(s, false, e);
}

/* The serial that the link `current` names. */
static int
find_current(struct site *s, struct err *e)
{
	char target[SERIAL_TEXT];
	int there = s->releases < 0 ? 0 : fs_read_link(s->releases,
	    SITE_CURRENT, target, sizeof(target), e);

	if (there > 0 && !serial_read(target, &s->live))
		s->live = 0;
	return there < 0 ? -1 : 0;
}

int
site_open(struct site *s, const struct conf *conf, bool for_writing,
    struct err *e)
{
	int status;

	s->conf = conf;
	s->path = conf_path(conf, "deploy", "root");
	s->root = fs_open_dir(s->path, e);
	if (s->root < 0)
		return err_wrap(e, "[deploy] root");
	open_inbox(s);
	status = for_writing ? prepare_writing(s, e) : prepare_reading(s, e);
	if (status < 0)
		return err_wrap(e, "'%s'", s->path);
	return find_current(s, e);
}

void
site_close(struct site *s)
{
	const int fds[] = {s->root, s->releases, s->inbox, s->lock};
	size_t i;

	for (i = 0; i < COUNT(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(s->path);
	*s = (struct site)SITE_INIT;
}

/* ------------------------------------------------ what is kept, and how */

static int
newest_first(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x > *y ? -1 : *x < *y;
}

/* Whatever has the name of a generation. */
static int
list_serials(const struct site *s, uint64_t **serials, size_t *n,
    struct err *e)
{
	struct strv names = STRV_INIT;
	int status = 0;
	size_t i;

	*n = 0;
	if (s->releases >= 0)
		status = fs_list(s->releases, &names, e);
	*serials = mem_zero(names.n, sizeof(**serials));
	for (i = 0; i < names.n; i++)
		*n += serial_read(names.v[i], &(*serials)[*n]);
	if (*n > 1)
		qsort(*serials, *n, sizeof(**serials), newest_first);
	strv_clear(&names);
	return status;
}

/*
 * Without the link the first deployment may have been interrupted, which can go
 * on; or the link was lost, and nobody may guess.
 */
static int
admit_first(const struct site *s, uint64_t serial, struct err *e)
{
	uint64_t *serials, newest = 0;
	size_t n, i;
	bool is_kept = false;
	int status = list_serials(s, &serials, &n, e);

	if (status == 0 && n > 0)
		newest = serials[0];
	for (i = 0; i < n; i++)
		is_kept = is_kept || serials[i] == serial;
	free(serials);
	if (status < 0 || newest == 0)
		return status;
	if (s->mark.highest != 0 ? serial == s->mark.highest && is_kept :
	    serial >= newest)
		return 0;
	return err_set(e, ERR_MISSING, "'%s/" SITE_RELEASES "/" SITE_CURRENT
	    "' is missing, though generations are kept: deploy-repo rollback %"
	    PRIu64 " makes one live again", s->path, newest);
}

int
site_admit(const struct site *s, uint64_t serial, bool is_asked,
    bool allow_older, struct err *e)
{
	if (s->live == 0 && admit_first(s, serial, e) < 0)
		return -1;
	if (allow_older)
		return 0;
	if (serial < s->live)
		return err_set(e, ERR_REFUSED, "serial %" PRIu64 " is older "
		    "than the live %" PRIu64 " (use --allow-older if this is "
		    "intended)", serial, s->live);
	if (serial == s->live || is_asked)
		return 0;
	if (serial <= s->mark.withdrawn)
		return err_set(e, ERR_REFUSED, "generation %" PRIu64 " was "
		    "withdrawn by a rollback: deploy-repo deploy %" PRIu64 ", "
		    "of a drop, or --allow-older makes it live again", serial,
		    serial);
	if (serial < s->mark.highest)
		return err_set(e, ERR_REFUSED, "serial %" PRIu64 " is older "
		    "than %" PRIu64 ", which was here already (use "
		    "--allow-older if this is intended)", serial,
		    s->mark.highest);
	return 0;
}

int
site_open_generation(const struct site *s, uint64_t serial, struct err *e)
{
	char name[SERIAL_TEXT];
	int exists;

	snprintf(name, sizeof(name), "%" PRIu64, serial);
	exists = s->releases < 0 ? 0 : fs_exists(s->releases, name, e);
	if (exists < 0)
		return -1;
	if (exists == 0)
		return err_set(e, ERR_MISSING, "generation %s is not kept: see "
		    "deploy-repo list", name);
	return fs_open_subdir(s->releases, name, e);
}

int
kept_read(int dir, struct kept *k, struct err *e)
{
	if (fs_read(dir, MANIFEST_NAME, MANIFEST_LIMIT, &k->text, e) < 0)
		return -1;
	return fs_read(dir, MANIFEST_SIGNATURE, SIGNATURE_LIMIT,
	    &k->signature, e);
}

int
site_load(const struct site *s, uint64_t serial, struct kept *k,
    struct err *e)
{
	int dir = site_open_generation(s, serial, e), status = -1;

	if (dir < 0)
		return -1;
	if (kept_read(dir, k, e) == 0)
		status = manifest_parse(&k->manifest, buf_cstr(&k->text),
		    k->text.n, true, MANIFEST_NAME, e);
	if (status == 0 && k->manifest.serial != serial)
		status = err_set(e, ERR_DATA, MANIFEST_NAME " is that of "
		    "generation %" PRIu64, k->manifest.serial);
	close(dir);
	if (status == 0)
		return 0;
	kept_clear(k);
	return err_wrap(e, "generation %" PRIu64, serial);
}

void
kept_clear(struct kept *k)
{
	manifest_clear(&k->manifest);
	buf_clear(&k->text);
	buf_clear(&k->signature);
	*k = (struct kept)KEPT_INIT;
}

int
site_pass_over(const struct err *why, struct err *e)
{
	if (why->kind != ERR_RESOURCE)
		return cleanup_check(e);
	*e = *why;
	return -1;
}

int
site_load_all(const struct site *s, struct kept **all, size_t *n,
    struct err *e)
{
	struct err unreadable = ERR_INIT;
	uint64_t *serials;
	size_t found, i;
	int status = list_serials(s, &serials, &found, e);

	*n = 0;
	*all = mem_zero(found, sizeof(**all));
	for (i = 0; i < found && status == 0; i++) {
		(*all)[*n] = (struct kept)KEPT_INIT;
		if (site_load(s, serials[i], &(*all)[*n], &unreadable) == 0)
			++*n;
		else if ((status = site_pass_over(&unreadable, e)) == 0)
			log_warning("%s: it is left out", unreadable.text);
	}
	free(serials);
	return status;
}

void
site_free_all(struct kept *all, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		kept_clear(&all[i]);
	free(all);
}

struct pgp *
site_trusted(const struct conf *conf, struct err *e)
{
	char *path;
	struct buf keys = BUF_INIT;
	struct pgp *pgp = NULL;

	if (conf_need(conf, "deploy", "trusted-key", e) == NULL)
		return NULL;
	path = conf_path(conf, "deploy", "trusted-key");
	if (pgp_read_keys(path, &keys, e) == 0)
		pgp = pgp_open(keys.p, keys.n, path, e);
	if (pgp == NULL)
		err_wrap(e, "[deploy] trusted-key");
	buf_clear(&keys);
	free(path);
	return pgp;
}

int
site_verify(const struct site *s, uint64_t serial, struct err *e)
{
	struct kept k = KEPT_INIT;
	struct pgp *pgp = site_trusted(s->conf, e);
	struct tree tree = {.manifest = &k.manifest, .dir = -1};
	int status = -1;

	if (pgp == NULL || site_load(s, serial, &k, e) < 0)
		goto out;
	tree.dir = site_open_generation(s, serial, e);
	if (tree.dir < 0)
		goto out;
	status = pgp_verify(pgp, k.text.p, k.text.n, k.signature.p,
	    k.signature.n, MANIFEST_SIGNATURE, e);
	if (status == 0)
		status = tree_check_hashes(&tree, e);
	if (status == 0)
		status = tree_check(&tree, pgp, (int64_t)time(NULL), e);
	close(tree.dir);
out:
	pgp_close(pgp);
	kept_clear(&k);
	return status < 0 ? err_wrap(e, "generation %" PRIu64, serial) : 0;
}

/* -------------------------------------------------------------- pruning */

static int
remove_release(const struct site *s, const char *name, bool is_dry_run,
    bool may_be_spare, struct err *e)
{
	log_say(is_dry_run ? LOG_NOTICE : LOG_DETAIL, "%s '%s/" SITE_RELEASES
	    "/%s'", is_dry_run ? "dry run: would remove" : "removing", s->path,
	    name);
	if (is_dry_run || (may_be_spare && renameat2(s->releases, name,
	    s->releases, SITE_SPARE, RENAME_NOREPLACE) == 0))
		return 0;
	return fs_remove_tree(s->releases, name, e);
}

/*
 * Sets *oldest to the serial of the oldest generation that stays. Those that
 * cannot be read do not count: `keep` of them are there to go back to.
 */
static int
find_oldest(const struct site *s, uint64_t *oldest, struct err *e)
{
	uint64_t keep = conf_number(s->conf, "deploy", "keep");
	struct kept *all;
	size_t n;
	int status = site_load_all(s, &all, &n, e);

	if (keep == 0)
		keep = 1;
	*oldest = n < keep ? 0 : all[keep - 1].manifest.serial;
	site_free_all(all, n);
	return status;
}

static int
prune_generations(const struct site *s, bool all, bool is_dry_run,
    struct err *e)
{
	uint64_t *serials, oldest;
	char name[SERIAL_TEXT];
	int status;
	size_t n, i;

	if (find_oldest(s, &oldest, e) < 0)
		return -1;
	status = list_serials(s, &serials, &n, e);
	for (i = 0; i < n && status == 0; i++) {
		if (serials[i] >= oldest || serials[i] == s->live)
			continue;
		snprintf(name, sizeof(name), "%" PRIu64, serials[i]);
		status = remove_release(s, name, is_dry_run, !all, e);
	}
	free(serials);
	return status;
}

int
site_prune(const struct site *s, bool all, bool is_dry_run, struct err *e)
{
	struct strv names = STRV_INIT;
	int status = prune_generations(s, all, is_dry_run, e);
	size_t i;

	if (status == 0 && all)
		status = fs_list(s->releases, &names, e);
	for (i = 0; i < names.n && status == 0; i++)
		if (path_starts_with(names.v[i], SITE_REPLACED) ||
		    strcmp(names.v[i], SITE_SPARE) == 0)
			status = remove_release(s, names.v[i], is_dry_run,
			    false, e);
	strv_clear(&names);
	return status;
}
