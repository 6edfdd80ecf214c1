#include <stdlib.h>
#include <string.h>

#include "distribute-packages/compose.h"
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

int
compose_file(struct publication *p, const char *path, const void *data,
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

void
compose_take_over(struct publication *p, const struct manifest_entry *f)
{
	const struct ledger_entry *l = ledger_keeps(f->path) ?
	    ledger_find(&p->last.ledger, f->path) : NULL;

	/* what has retired is compose_ledger's to judge */
	if (l == NULL || l->state == LEDGER_LIVE)
		manifest_add(&p->next.manifest, f->path, f->sha256);
}

/* ------------------------------------------------------------- indexes */

/* The suites that this run does not touch stay as they are. */
static void
take_over_others(struct publication *p)
{
	const struct manifest *last = &p->last.manifest;
	char *suite;
	size_t i;

	for (i = 0; i < last->n; i++) {
		suite = suite_of_path(last->v[i].path);
		if (suite != NULL && !is_opened(p, suite))
			compose_take_over(p, &last->v[i]);
		free(suite);
	}
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

struct index_job *
compose_add_job(struct index_jobs *jobs, struct publication *p,
    const struct suite *s)
{
	jobs->v = mem_resize(jobs->v, jobs->n + 1, sizeof(*jobs->v));
	jobs->v[jobs->n] = (struct index_job){.p = p, .suite = s};
	return &jobs->v[jobs->n++];
}

int
compose_indexes(struct publication *p, struct err *e)
{
	struct index_jobs jobs = {NULL, 0};
	struct suite *s;
	size_t i;
	int status = 0;

	take_over_others(p);
	for (s = p->suites; s < p->suites + p->n_suites && status == 0; s++) {
		for (i = 0; i < s->n; i++)
			manifest_add(&p->next.manifest, s->v[i].path,
			    s->v[i].sha256);
		if (s->has_apt)
			compose_plan_apt(p, s, &jobs);
		status = compose_plan_rpm(p, s, &jobs, e);
	}
	if (status == 0)
		status = par_each(jobs.n, write_index, &jobs, e);
	for (i = 0; i < jobs.n && status == 0; i++) {
		if (jobs.v[i].repository != NULL)
			compose_list_rpm(&jobs.v[i]);
		else
			compose_list_apt(&jobs.v[i]);
	}
	free(jobs.v);
	manifest_sort(&p->next.manifest);
	return status;
}

/* -------------------------------------------------------------- ledger */

static int64_t
grace_of(const struct publication *p, const char *path)
{
	char *suite = suite_of_path(path);
	char *section = mem_format("suite %s", suite ? suite : "-");
	int64_t grace = conf_duration(p->conf, section, "grace");

	free(section);
	free(suite);
	return grace;
}

/* A file of the last generation that the new indexes do not need. */
static void
retire(struct publication *p, const struct ledger_entry *old,
    struct manifest *stays)
{
	int64_t since = old->state == LEDGER_LIVE ? p->date : old->state;

	if (old->state != LEDGER_GONE &&
	    since + grace_of(p, old->path) > p->date)
		manifest_add(stays, old->path, old->sha256);
	else if (ledger_is_package(old->path))
		since = LEDGER_GONE;
	else
		return;
	ledger_add(&p->next.ledger, old->path, old->sha256, old->content,
	    since);
}

/* What the names of new packages stand for, sorted by path. */
static void
find_contents(const struct publication *p, struct manifest *contents)
{
	const struct suite *s;
	size_t i;

	for (s = p->suites; s < p->suites + p->n_suites; s++)
		for (i = 0; i < s->n; i++)
			if (s->v[i].is_new)
				manifest_add(contents, s->v[i].path,
				    s->v[i].content);
	manifest_sort(contents);
}

static void
add_live(struct publication *p, const struct manifest_entry *f,
    const struct manifest *contents)
{
	const struct ledger_entry *old = ledger_find(&p->last.ledger, f->path);
	const struct manifest_entry *new = manifest_find(contents, f->path);
	const uint8_t *content = NULL;

	if (old != NULL)
		content = old->content;
	else if (new != NULL)
		content = new->sha256;
	ledger_add(&p->next.ledger, f->path, f->sha256, content,
	    LEDGER_LIVE);
}

void
compose_ledger(struct publication *p)
{
	const struct manifest *m = &p->next.manifest;
	struct manifest stays = MANIFEST_INIT, contents = MANIFEST_INIT;
	const struct ledger_entry *old;
	size_t i;

	find_contents(p, &contents);
	for (i = 0; i < m->n; i++)
		if (ledger_keeps(m->v[i].path))
			add_live(p, &m->v[i], &contents);
	for (i = 0; i < p->last.ledger.n; i++) {
		old = &p->last.ledger.v[i];
		if (manifest_find(m, old->path) == NULL)
			retire(p, old, &stays);
	}
	ledger_sort(&p->next.ledger);
	for (i = 0; i < stays.n; i++)
		manifest_add(&p->next.manifest, stays.v[i].path,
		    stays.v[i].sha256);
	manifest_sort(&p->next.manifest);
	manifest_clear(&stays);
	manifest_clear(&contents);
}

/* ------------------------------------------------- what is to be signed */

void
compose_add_text(struct signing *t, char *path, struct buf text)
{
	t->texts = mem_resize(t->texts, t->n_texts + 1, sizeof(*t->texts));
	t->texts[t->n_texts++] = (struct signed_text){path, text};
}

void
compose_add_signature(struct signing *t, char *path, enum sign_mode mode,
    bool first_only)
{
	t->jobs = mem_resize(t->jobs, t->n_jobs + 1, sizeof(*t->jobs));
	t->jobs[t->n_jobs++] = (struct sign_job){.path = path, .mode = mode,
	    .first_only = first_only, .text = t->n_texts - 1};
}

static int
sign_text(size_t i, void *arg, struct err *e)
{
	struct signing *t = arg;
	struct sign_job *job = &t->jobs[i];
	const struct buf *text = &t->texts[job->text].text;

	return signer_sign(t->p->signer, job->mode, text->p, text->n,
	    job->first_only, &job->signature, e);
}

static int
add_signed(struct publication *p, const struct signing *t, struct err *e)
{
	size_t i;

	for (i = 0; i < t->n_texts; i++)
		if (compose_file(p, t->texts[i].path, t->texts[i].text.p,
		    t->texts[i].text.n, e) < 0)
			return -1;
	for (i = 0; i < t->n_jobs; i++)
		if (compose_file(p, t->jobs[i].path, t->jobs[i].signature.p,
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
	struct suite *s;
	int status = 0;

	for (s = p->suites; s < p->suites + p->n_suites && status == 0; s++) {
		if (s->has_apt)
			status = compose_release(p, s, &t, e);
		compose_repomd(p, s, &t);
	}
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
	char *path = public_key_path(p->conf, suffix);
	int status = compose_file(p, path, key->p, key->n, e);

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
	path = mem_format("apt/dists/%s/Release", suite);
	found = manifest_find(&p->last.manifest, path) != NULL;
	free(path);
	return found;
}

int
compose_user_files(struct publication *p, struct err *e)
{
	const struct buf *next = signer_public_next(p->signer);
	struct suite *s;
	size_t i;

	if (add_key(p, signer_public(p->signer), "", e) < 0 ||
	    (next != NULL && add_key(p, next, "-next", e) < 0))
		return -1;
	for (i = 0; i < p->published.n; i++)
		if (has_apt(p, p->published.v[i]) &&
		    compose_sources(p, p->published.v[i], e) < 0)
			return -1;
	for (s = p->suites; s < p->suites + p->n_suites; s++)
		if ((s->has_apt && !strv_has(&p->published, s->name) &&
		    compose_sources(p, s->name, e) < 0) ||
		    compose_repo_files(p, s, e) < 0)
			return -1;
	return 0;
}
