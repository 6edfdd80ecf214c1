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

#include "deploy-repo/recycle.h"
#include "deploy-repo/switch.h"
#include "lib/base/path.h"
#include "lib/base/text.h"
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
enter_sandbox(const struct site *s, struct err *e)
{
	char *inbox = conf_path(s->conf, "deploy", "inbox");
	struct strv writable = STRV_INIT;
	int status;

	strv_add(&writable, s->path);
	strv_take(&writable, inbox);
	status = sandbox_enter(&writable, e);
	strv_clear(&writable);
	return status;
}

/* Half-made generations, and links that were never exchanged. */
static int
remove_unfinished(const struct site *s, struct err *e)
{
	struct strv names = STRV_INIT;
	int status = fs_list(s->releases, &names, e);
	size_t i;

	for (i = 0; i < names.n && status == 0; i++)
		if (path_starts_with(names.v[i], "next."))
			status = fs_remove_tree(s->releases, names.v[i], e);
	strv_clear(&names);
	return status;
}

static int
prepare_writing(struct site *s, struct err *e)
{
	if (find_owner(s, e) < 0)
		return -1;
	if (mkdirat(s->root, SITE_RELEASES, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make directory '%s/" SITE_RELEASES "'",
		    s->path);
	s->releases = fs_open_subdir(s->root, SITE_RELEASES, e);
	if (s->releases < 0 || enter_sandbox(s, e) < 0)
		return -1;
	s->lock = fs_lock(s->releases, "lock", e);
	return s->lock < 0 ? -1 : remove_unfinished(s, e);
}

int
site_open(struct site *s, const struct conf *conf, bool for_writing,
    struct err *e)
{
	char target[SERIAL_TEXT];

	s->conf = conf;
	s->path = conf_path(conf, "deploy", "root");
	s->root = fs_open_dir(s->path, e);
	if (s->root < 0)
		return err_wrap(e, "[deploy] root");
	if (for_writing) {
		if (prepare_writing(s, e) < 0)
			return err_wrap(e, "'%s'", s->path);
	} else if (fs_exists(s->root, SITE_RELEASES)) {
		s->releases = fs_open_subdir(s->root, SITE_RELEASES, e);
		if (s->releases < 0)
			return -1;
	}
	if (s->releases >= 0 && fs_read_link(s->releases, SITE_CURRENT,
	    target, sizeof(target)) && !serial_read(target, &s->live))
		s->live = 0;
	return 0;
}

void
site_close(struct site *s)
{
	const int fds[] = {s->root, s->releases, s->lock};
	size_t i;

	for (i = 0; i < COUNT(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(s->path);
	*s = (struct site)SITE_INIT;
}

static int
newest_first(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x > *y ? -1 : *x < *y;
}

int
site_serials(const struct site *s, uint64_t **serials, size_t *n,
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

int
site_open_generation(const struct site *s, uint64_t serial, struct err *e)
{
	char name[SERIAL_TEXT];

	snprintf(name, sizeof(name), "%" PRIu64, serial);
	if (s->releases < 0 || !fs_exists(s->releases, name))
		return err_set(e, ERR_MISSING, "generation %s is not kept: see "
		    "deploy-repo list", name);
	return fs_open_subdir(s->releases, name, e);
}

int
site_load(const struct site *s, uint64_t serial, struct kept *k,
    struct err *e)
{
	int dir = site_open_generation(s, serial, e), status = -1;

	if (dir < 0)
		return -1;
	if (fs_read(dir, MANIFEST_NAME, MANIFEST_LIMIT, &k->text, e) == 0 &&
	    fs_read(dir, MANIFEST_SIGNATURE, SIGNATURE_LIMIT, &k->signature,
	    e) == 0)
		status = manifest_parse(&k->manifest, buf_cstr(&k->text),
		    k->text.n, true, MANIFEST_NAME, e);
	close(dir);
	if (status < 0)
		err_wrap(e, "generation %" PRIu64, serial);
	return status;
}

void
kept_clear(struct kept *k)
{
	manifest_clear(&k->manifest);
	buf_clear(&k->text);
	buf_clear(&k->signature);
	*k = (struct kept)KEPT_INIT;
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

static int
remove_release(const struct site *s, const char *name, bool is_dry_run,
    bool recycle, struct err *e)
{
	log_say(is_dry_run ? LOG_NOTICE : LOG_DETAIL, "%s '%s/" SITE_RELEASES
	    "/%s'", is_dry_run ? "dry run: would remove" : "removing", s->path,
	    name);
	if (is_dry_run)
		return 0;
	return recycle ? recycle_keep(s, name, e) :
	    fs_remove_tree(s->releases, name, e);
}

int
site_prune(const struct site *s, bool all, bool is_dry_run, struct err *e)
{
	uint64_t keep = conf_number(s->conf, "deploy", "keep"), *serials;
	struct strv names = STRV_INIT;
	char name[SERIAL_TEXT];
	int status;
	size_t n, i;

	if (site_serials(s, &serials, &n, e) < 0)
		return -1;
	status = fs_list(s->releases, &names, e);
	for (i = keep > 0 ? (size_t)keep : 1; i < n && status == 0; i++) {
		if (serials[i] == s->live)
			continue;
		snprintf(name, sizeof(name), "%" PRIu64, serials[i]);
		status = remove_release(s, name, is_dry_run, !all, e);
	}
	for (i = 0; all && i < names.n && status == 0; i++)
		if (path_starts_with(names.v[i], SWITCH_REPLACED) ||
		    strcmp(names.v[i], RECYCLE_SPARE) == 0)
			status = remove_release(s, names.v[i], is_dry_run,
			    false, e);
	strv_clear(&names);
	free(serials);
	return status;
}
