#include "distribute-packages/compose.h"

#include <stdlib.h>
#include <string.h>

#include "distribute-packages/apt/apt_index.h"
#include "distribute-packages/apt/apt_release.h"
#include "distribute-packages/rpm/rpm_index.h"
#include "lib/base/path.h"
#include "lib/sys/par.h"

static bool
is_opened(const struct publication *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->n_suites; i++)
		if (strcmp(p->suites[i].name, name) == 0)
			return true;
	return false;
}

/* Stores the bytes as an object and lists them at path. */
static int
add_file(struct publication *p, const char *path, const void *data,
    size_t n, struct err *e)
{
	struct digest d;
	struct out *o = out_file(p->store.objects, NULL, 0644, OUT_LATER, &d);

	out_add(o, data, n);
	if (out_commit(o, e) < 0)
		return err_wrap(e, "'%s'", path);
	manifest_add(&p->next.manifest, path, d.sha256);
	return 0;
}

/* Lists a file of the last generation again, unless it has retired. */
static void
keep_file(struct publication *p, const struct manifest_entry *f)
{
	const struct ledger_entry *l = ledger_keeps(f->path) ?
	    ledger_find(&p->last.ledger, f->path) : NULL;

	/* what has retired is retire_files's to decide */
	if (l == NULL || l->state == LEDGER_LIVE)
		manifest_add(&p->next.manifest, f->path, f->sha256);
}

/* ------------------------------------------------------------- indexes */

/* The suites that this run does not touch stay as they are. */
static void
keep_others(struct publication *p)
{
	const struct manifest *last = &p->last.manifest;
	char *suite;
	size_t i;

	for (i = 0; i < last->n; i++) {
		suite = suite_of_path(last->v[i].path);
		if (suite != NULL && !is_opened(p, suite))
			keep_file(p, &last->v[i]);
		free(suite);
	}
}

/* One index to be written, by one of several threads. */
struct index_job {
	struct publication *p;
	const struct suite *suite;
	const char *architecture;	/* of Packages; or else: */
	struct rpm_repository *repository;
	enum rpm_list list;
	struct digest plain;
	struct digest packed;
};

struct index_jobs {
	struct index_job *v;
	size_t n;
};

static struct index_job *
add_job(struct index_jobs *jobs, struct publication *p,
    const struct suite *s)
{
	jobs->v = mem_resize(jobs->v, jobs->n + 1, sizeof(*jobs->v));
	jobs->v[jobs->n] = (struct index_job){.p = p, .suite = s};
	return &jobs->v[jobs->n++];
}

static int
write_index(size_t i, void *arg, struct err *e)
{
	struct index_job *job = &((struct index_jobs *)arg)->v[i];
	int objects = job->p->store.objects;
	struct out *plain, *packed;

	packed = out_gzip(out_file(objects, NULL, 0644, OUT_LATER,
	    &job->packed));
	/* dnf never asks for a list that is not packed */
	plain = job->repository ? out_nowhere(&job->plain) :
	    out_file(objects, NULL, 0644, OUT_LATER, &job->plain);
	plain = out_tee(plain, packed);
	if (job->repository != NULL)
		rpm_index_write(job->suite, job->repository->basearch,
		    job->list, plain);
	else
		apt_index_write(job->suite, job->architecture, plain);
	return out_commit(plain, e) < 0 ? err_wrap(e, "index of %s %s",
	    job->suite->name, job->repository ? job->repository->basearch :
	    job->architecture) : 0;
}

/* ------------------------------------------------------------- Packages */

/* Packages or Packages.gz, under its name and under its hash. */
static void
list_packages(struct publication *p, const struct suite *s,
    const char *architecture, const char *name,
    const uint8_t sha256[HASH_SIZE])
{
	char *path = apt_index_path(s, architecture, name), hex[HASH_HEX];

	manifest_add(&p->next.manifest, path, sha256);
	free(path);
	hash_hex(sha256, hex);
	path = mem_format("apt/dists/%s/main/binary-%s/by-hash/SHA256/%s",
	    s->name, architecture, hex);
	manifest_add(&p->next.manifest, path, sha256);
	free(path);
}

static const struct manifest_entry *
last_packages(const struct publication *p, const struct suite *s,
    const char *architecture, const char *name)
{
	char *path = apt_index_path(s, architecture, name);
	const struct manifest_entry *f = manifest_find(&p->last.manifest,
	    path);

	free(path);
	return f;
}

/* An index in which nothing changed stays; the others are jobs. */
static void
plan_packages(struct publication *p, const struct suite *s,
    const char *architecture, struct index_jobs *jobs)
{
	const struct manifest_entry *plain, *packed;

	plain = last_packages(p, s, architecture, "Packages");
	packed = last_packages(p, s, architecture, "Packages.gz");
	if (plain == NULL || packed == NULL ||
	    strv_has(&s->changed, architecture)) {
		add_job(jobs, p, s)->architecture = architecture;
		return;
	}
	list_packages(p, s, architecture, "Packages", plain->sha256);
	list_packages(p, s, architecture, "Packages.gz", packed->sha256);
}

/* ------------------------------------------------- the lists of rpms */

/* A repository in which nothing changed keeps its signature, too. */
static bool
stays(const struct publication *p, const struct rpm_repository *r)
{
	return !r->is_changed && !p->must_change;
}

static void
keep_metadata(struct publication *p, const struct rpm_repository *r)
{
	const struct manifest *last = &p->last.manifest;
	char *prefix = mem_format("%s/repodata/", r->dir);
	size_t i;

	for (i = 0; i < last->n; i++)
		if (path_starts_with(last->v[i].path, prefix))
			keep_file(p, &last->v[i]);
	free(prefix);
}

static void
list_list(struct publication *p, const struct rpm_repository *r,
    enum rpm_list list)
{
	char *path = rpm_list_path(r, list);

	manifest_add(&p->next.manifest, path, r->packed[list].sha256);
	free(path);
}

static int
plan_lists(struct publication *p, struct suite *s, struct rpm_repository *r,
    struct index_jobs *jobs, struct err *e)
{
	struct tree last = store_tree(&p->store, &p->last);
	struct index_job *job;
	int list;

	if (stays(p, r)) {
		keep_metadata(p, r);
		return 0;
	}
	if (!r->is_changed && rpm_repomd_read(r, &last, e) < 0)
		return -1;
	for (list = 0; list < RPM_LISTS; list++) {
		if (!r->is_changed) {
			list_list(p, r, (enum rpm_list)list);
			continue;
		}
		job = add_job(jobs, p, s);
		job->repository = r;
		job->list = (enum rpm_list)list;
	}
	return 0;
}

/* ------------------------------------------------------------ all indexes */

static int
plan_suite(struct publication *p, struct suite *s, struct index_jobs *jobs,
    struct err *e)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		manifest_add(&p->next.manifest, s->v[i].path, s->v[i].sha256);
	for (i = 0; i < s->architectures.n && s->has_apt; i++)
		plan_packages(p, s, s->architectures.v[i], jobs);
	for (i = 0; i < s->n_repositories; i++)
		if (plan_lists(p, s, &s->repositories[i], jobs, e) < 0)
			return -1;
	return 0;
}

/* Lists what a job has made. */
static void
list_index(const struct index_job *job)
{
	struct rpm_repository *r = job->repository;

	if (r == NULL) {
		list_packages(job->p, job->suite, job->architecture,
		    "Packages", job->plain.sha256);
		list_packages(job->p, job->suite, job->architecture,
		    "Packages.gz", job->packed.sha256);
		return;
	}
	r->packed[job->list] = job->packed;
	r->plain[job->list] = job->plain;
	list_list(job->p, r, job->list);
}

int
compose_indexes(struct publication *p, struct err *e)
{
	struct index_jobs jobs = {NULL, 0};
	int status = 0;
	size_t i;

	keep_others(p);
	for (i = 0; i < p->n_suites && status == 0; i++)
		status = plan_suite(p, &p->suites[i], &jobs, e);
	if (status == 0)
		status = par_each(jobs.n, write_index, &jobs, e);
	for (i = 0; i < jobs.n && status == 0; i++)
		list_index(&jobs.v[i]);
	free(jobs.v);
	manifest_sort(&p->next.manifest);
	return status;
}

/* ------------------------------------------------- what is to be signed */

struct signed_text {
	char *path;
	struct buf text;
};

/* One signature to be made, by one of several threads. */
struct sign_job {
	char *path;
	enum sign_mode mode;
	bool first_only;
	size_t text;	/* of struct signing's */
	struct buf signature;
};

struct signing {
	struct publication *p;
	struct signed_text *texts;
	size_t n_texts;
	struct sign_job *jobs;
	size_t n_jobs;
};

/* A text to be published; path and text are given away. */
static void
add_text(struct signing *t, char *path, struct buf text)
{
	t->texts = mem_resize(t->texts, t->n_texts + 1, sizeof(*t->texts));
	t->texts[t->n_texts++] = (struct signed_text){path, text};
}

/* A signature over the text that was added last; path is given away. */
static void
add_signature(struct signing *t, char *path, enum sign_mode mode,
    bool first_only)
{
	t->jobs = mem_resize(t->jobs, t->n_jobs + 1, sizeof(*t->jobs));
	t->jobs[t->n_jobs++] = (struct sign_job){.path = path, .mode = mode,
	    .first_only = first_only, .text = t->n_texts - 1};
}

static int
add_release(struct signing *t, const struct suite *s, struct err *e)
{
	struct publication *p = t->p;
	struct tree tree = store_tree(&p->store, &p->next);
	struct buf text = BUF_INIT;

	if (apt_release_write(s, p->conf, p->date, &tree, &text, e) < 0) {
		buf_clear(&text);
		return -1;
	}
	add_text(t, apt_release_path(s->name, "Release"), text);
	add_signature(t, apt_release_path(s->name, "InRelease"), SIGN_CLEAR,
	    false);
	add_signature(t, apt_release_path(s->name, "Release.gpg"),
	    SIGN_DETACHED, false);
	return 0;
}

/*
 * One signature only, by the first key: librpm, which checks it for dnf since
 * Fedora 39, refuses a file with two (rpm-sequoia, pgp_prt_params).
 */
static void
add_repomd(struct signing *t, const struct rpm_repository *r)
{
	const struct buf *key = signer_public(t->p->keys.signer);
	struct buf text = BUF_INIT, copy = BUF_INIT;

	rpm_repomd_write(r, t->p->date, &text);
	add_text(t, rpm_repomd_path(r), text);
	add_signature(t, mem_format("%s/repodata/repomd.xml.asc", r->dir),
	    SIGN_DETACHED, true);
	buf_add(&copy, key->p, key->n);
	add_text(t, mem_format("%s/repodata/repomd.xml.key", r->dir), copy);
}

static int
add_suite(struct signing *t, const struct suite *s, struct err *e)
{
	size_t i;

	if (s->has_apt && add_release(t, s, e) < 0)
		return -1;
	for (i = 0; i < s->n_repositories; i++)
		if (!stays(t->p, &s->repositories[i]))
			add_repomd(t, &s->repositories[i]);
	return 0;
}

static int
sign_text(size_t i, void *arg, struct err *e)
{
	struct signing *t = arg;
	struct sign_job *job = &t->jobs[i];
	const struct buf *text = &t->texts[job->text].text;

	return signer_sign(t->p->keys.signer, job->mode, text->p, text->n,
	    job->first_only, &job->signature, e);
}

static int
add_signed(struct publication *p, const struct signing *t, struct err *e)
{
	size_t i;

	for (i = 0; i < t->n_texts; i++)
		if (add_file(p, t->texts[i].path, t->texts[i].text.p,
		    t->texts[i].text.n, e) < 0)
			return -1;
	for (i = 0; i < t->n_jobs; i++)
		if (add_file(p, t->jobs[i].path, t->jobs[i].signature.p,
		    t->jobs[i].signature.n, e) < 0)
			return -1;
	return 0;
}

static void
signing_clear(struct signing *t)
{
	size_t i;

	for (i = 0; i < t->n_texts; i++) {
		free(t->texts[i].path);
		buf_clear(&t->texts[i].text);
	}
	for (i = 0; i < t->n_jobs; i++) {
		free(t->jobs[i].path);
		buf_clear(&t->jobs[i].signature);
	}
	free(t->texts);
	free(t->jobs);
}

/* All texts first: adding files would disturb the sorted manifest. */
int
compose_signed(struct publication *p, struct err *e)
{
	struct signing t = {.p = p};
	int status = 0;
	size_t i;

	for (i = 0; i < p->n_suites && status == 0; i++)
		status = add_suite(&t, &p->suites[i], e);
	if (status == 0)
		status = par_each(t.n_jobs, sign_text, &t, e);
	if (status == 0)
		status = add_signed(p, &t, e);
	signing_clear(&t);
	return status;
}

/* ----------------------------------------------- keys, .sources, .repo */

static int
add_key(struct publication *p, const struct buf *key, const char *suffix,
    struct err *e)
{
	char *path = keys_public_path(p->conf, suffix);
	int status = add_file(p, path, key->p, key->n, e);

	free(path);
	return status;
}

static bool
has_apt(const struct publication *p, const char *suite)
{
	char *path;
	bool found;
	size_t i;

	for (i = 0; i < p->n_suites; i++)
		if (strcmp(p->suites[i].name, suite) == 0)
			return p->suites[i].has_apt;
	path = apt_release_path(suite, "Release");
	found = manifest_find(&p->last.manifest, path) != NULL;
	free(path);
	return found;
}

static int
add_sources(struct publication *p, const char *suite, struct err *e)
{
	char *path = mem_format("apt/%s-%s.sources",
	    conf_get(p->conf, "repository", "prefix"), suite);
	struct buf text = BUF_INIT;
	int status;

	apt_sources_write(p->conf, suite, &text);
	status = add_file(p, path, text.p, text.n, e);
	buf_clear(&text);
	free(path);
	return status;
}

static int
add_repo(struct publication *p, const struct suite *s,
    const struct rpm_repository *r, struct err *e)
{
	char *id = rpm_repo_id(p->conf, s, r);
	char *path = mem_format("%s/%s.repo", r->dir, id);
	struct buf text = BUF_INIT;
	int status;

	rpm_repo_write(p->conf, s, r, &text);
	status = add_file(p, path, text.p, text.n, e);
	buf_clear(&text);
	free(path);
	free(id);
	return status;
}

/* Of a suite that is new or changed. */
static int
add_user_files(struct publication *p, const struct suite *s, struct err *e)
{
	size_t i;

	if (s->has_apt && !strv_has(&p->published, s->name) &&
	    add_sources(p, s->name, e) < 0)
		return -1;
	for (i = 0; i < s->n_repositories; i++)
		if (add_repo(p, s, &s->repositories[i], e) < 0)
			return -1;
	return 0;
}

int
compose_user_files(struct publication *p, struct err *e)
{
	const struct buf *next = signer_public_next(p->keys.signer);
	size_t i;

	if (add_key(p, signer_public(p->keys.signer), "", e) < 0 ||
	    (next != NULL && add_key(p, next, "-next", e) < 0))
		return -1;
	for (i = 0; i < p->published.n; i++)
		if (has_apt(p, p->published.v[i]) &&
		    add_sources(p, p->published.v[i], e) < 0)
			return -1;
	for (i = 0; i < p->n_suites; i++)
		if (add_user_files(p, &p->suites[i], e) < 0)
			return -1;
	return 0;
}
