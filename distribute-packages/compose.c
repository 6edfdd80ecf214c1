#include <stdlib.h>
#include <string.h>

#include "distribute-packages/apt_release.h"
#include "distribute-packages/publication.h"
#include "lib/par.h"
#include "lib/path.h"

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
add_file(struct publication *p, const char *path, const void *data, size_t n,
    struct err *e)
{
	struct digest d;
	struct out *o = out_file(p->store.objects, NULL, 0644, OUT_LATER, &d);

	out_add(o, data, n);
	if (out_commit(o, e) < 0)
		return err_wrap(e, "'%s'", path);
	manifest_add(&p->next.manifest, path, d.sha256);
	return 0;
}

/* ------------------------------------------------------------- indexes */

/* One index to be written, by one of several threads. */
struct index_job {
	struct publication *p;
	const struct suite *suite;
	const char *architecture;
	struct digest plain;
	struct digest packed;
};

struct index_jobs {
	struct index_job *v;
	size_t n;
};

static int
write_index(size_t i, void *arg, struct err *e)
{
	struct index_job *job = &((struct index_jobs *)arg)->v[i];
	int objects = job->p->store.objects;
	struct out *o;

	o = out_tee(
	    out_file(objects, NULL, 0644, OUT_LATER, &job->plain),
	    out_gzip(out_file(objects, NULL, 0644, OUT_LATER, &job->packed)));
	index_write(job->suite, job->architecture, o);
	if (out_commit(o, e) < 0)
		return err_wrap(e, "index of %s %s", job->suite->name,
		    job->architecture);
	return 0;
}

/* Packages or Packages.gz, under its name and under its hash. */
static void
list_index(struct publication *p, const struct suite *s,
    const char *architecture, const char *name,
    const uint8_t sha256[HASH_SIZE])
{
	char *dir = mem_format("apt/dists/%s/main/binary-%s", s->name,
	    architecture);
	char *path = mem_format("%s/%s", dir, name), hex[HASH_HEX];

	manifest_add(&p->next.manifest, path, sha256);
	free(path);
	hash_hex(sha256, hex);
	path = mem_format("%s/by-hash/SHA256/%s", dir, hex);
	manifest_add(&p->next.manifest, path, sha256);
	free(path);
	free(dir);
}

static const struct manifest_entry *
last_index(const struct publication *p, const struct suite *s,
    const char *architecture, const char *name)
{
	char *path = mem_format("apt/dists/%s/main/binary-%s/%s", s->name,
	    architecture, name);
	const struct manifest_entry *f = manifest_find(&p->last.manifest,
	    path);

	free(path);
	return f;
}

/* An index in which nothing changed is taken over; the others are jobs. */
static void
plan_index(struct publication *p, const struct suite *s,
    const char *architecture, struct index_jobs *jobs)
{
	const struct manifest_entry *plain, *packed;

	plain = last_index(p, s, architecture, "Packages");
	packed = last_index(p, s, architecture, "Packages.gz");
	if (plain != NULL && packed != NULL &&
	    !strv_has(&s->changed, architecture)) {
		list_index(p, s, architecture, "Packages", plain->sha256);
		list_index(p, s, architecture, "Packages.gz", packed->sha256);
		return;
	}
	jobs->v = mem_resize(jobs->v, jobs->n + 1, sizeof(*jobs->v));
	jobs->v[jobs->n++] = (struct index_job){.p = p, .suite = s,
	    .architecture = architecture};
}

static void
plan_suite(struct publication *p, const struct suite *s,
    struct index_jobs *jobs)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		manifest_add(&p->next.manifest, s->v[i].path, s->v[i].sha256);
	for (i = 0; i < s->architectures.n; i++)
		plan_index(p, s, s->architectures.v[i], jobs);
}

static bool
is_kept_in_ledger(const char *path)
{
	return path_starts_with(path, "apt/pool/") ||
	    strstr(path, "/by-hash/") != NULL;
}

/* The suites that this run does not touch stay as they are. */
static void
take_over_others(struct publication *p)
{
	const struct manifest *last = &p->last.manifest;
	const struct ledger_entry *l;
	const char *path;
	char *suite;
	size_t i;

	for (i = 0; i < last->n; i++) {
		path = last->v[i].path;
		suite = suite_of_path(path);
		if (suite != NULL && !is_opened(p, suite)) {
			/* what has retired is compose_ledger's to judge */
			l = is_kept_in_ledger(path) ?
			    ledger_find(&p->last.ledger, path) : NULL;
			if (l == NULL || l->state == LEDGER_LIVE)
				manifest_add(&p->next.manifest, path,
				    last->v[i].sha256);
		}
		free(suite);
	}
}

int
compose_indexes(struct publication *p, struct err *e)
{
	struct index_jobs jobs = {NULL, 0};
	struct index_job *job;
	size_t i;
	int status;

	take_over_others(p);
	for (i = 0; i < p->n_suites; i++)
		plan_suite(p, &p->suites[i], &jobs);
	status = par_each(jobs.n, write_index, &jobs, e);
	for (i = 0; i < jobs.n && status == 0; i++) {
		job = &jobs.v[i];
		list_index(p, job->suite, job->architecture, "Packages",
		    job->plain.sha256);
		list_index(p, job->suite, job->architecture, "Packages.gz",
		    job->packed.sha256);
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
	else if (path_starts_with(old->path, "apt/pool/"))
		since = LEDGER_GONE;
	else
		return;
	ledger_add(&p->next.ledger, old->path, old->sha256, since);
}

void
compose_ledger(struct publication *p)
{
	const struct manifest *m = &p->next.manifest;
	struct manifest stays = MANIFEST_INIT;
	const struct ledger_entry *old;
	size_t i;

	for (i = 0; i < m->n; i++)
		if (is_kept_in_ledger(m->v[i].path))
			ledger_add(&p->next.ledger, m->v[i].path,
			    m->v[i].sha256, LEDGER_LIVE);
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
}

/* ------------------------------------------------------------- Release */

/* One file to be signed, by one of several threads. */
struct sign_job {
	struct publication *p;
	const struct buf *text;
	enum sign_mode mode;
	struct buf signature;
};

static int
sign_release(size_t i, void *arg, struct err *e)
{
	struct sign_job *job = &((struct sign_job *)arg)[i];

	return signer_sign(job->p->signer, job->mode, job->text->p,
	    job->text->n, false, &job->signature, e);
}

static int
add_release(struct publication *p, const struct suite *s, const char *name,
    const struct buf *data, struct err *e)
{
	char *path = mem_format("apt/dists/%s/%s", s->name, name);
	int status = add_file(p, path, data->p, data->n, e);

	free(path);
	return status;
}

static int
write_release(struct publication *p, const struct suite *s, struct buf *text,
    struct err *e)
{
	struct tree tree = store_tree(&p->store, &p->next);

	return apt_release_write(s, p->conf, p->date, &tree, text, e);
}

int
compose_releases(struct publication *p, struct err *e)
{
	struct buf texts[PUBLICATION_SUITES] = {BUF_INIT};
	struct sign_job jobs[2 * PUBLICATION_SUITES] = {{.p = NULL}};
	size_t i, n = p->n_suites;
	int status = 0;

	/* All texts first: adding files would disturb the sorted manifest. */
	for (i = 0; i < n && status == 0; i++) {
		status = write_release(p, &p->suites[i], &texts[i], e);
		jobs[2 * i] = (struct sign_job){.p = p, .text = &texts[i],
		    .mode = SIGN_CLEAR};
		jobs[2 * i + 1] = (struct sign_job){.p = p, .text = &texts[i],
		    .mode = SIGN_DETACHED};
	}
	if (status == 0)
		status = par_each(2 * n, sign_release, jobs, e);
	for (i = 0; i < n && status == 0; i++)
		if (add_release(p, &p->suites[i], "Release", &texts[i],
		    e) < 0 || add_release(p, &p->suites[i], "InRelease",
		    &jobs[2 * i].signature, e) < 0 ||
		    add_release(p, &p->suites[i], "Release.gpg",
		    &jobs[2 * i + 1].signature, e) < 0)
			status = -1;
	for (i = 0; i < n; i++) {
		buf_clear(&texts[i]);
		buf_clear(&jobs[2 * i].signature);
		buf_clear(&jobs[2 * i + 1].signature);
	}
	return status;
}

bool
compose_is_unchanged(struct publication *p, const struct suite *s)
{
	struct tree last = store_tree(&p->store, &p->last);
	char *path = mem_format("apt/dists/%s/Release", s->name);
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	struct fs_map map;
	bool same = false;

	if (tree_map(&last, path, &map, &ignored) == 0) {
		same = apt_release_write(s, p->conf, p->date, &last, &text,
		    &ignored) == 0 &&
		    apt_release_same(text.p, text.n, map.p, map.n);
		fs_unmap(&map);
	}
	buf_clear(&text);
	free(path);
	return same;
}

/* ----------------------------------------------------- keys and .sources */

static int
add_key(struct publication *p, const struct buf *key, const char *suffix,
    struct err *e)
{
	char *path = public_key_path(p->conf, suffix);
	int status = add_file(p, path, key->p, key->n, e);

	free(path);
	return status;
}

static void
write_sources(const struct publication *p, const char *suite,
    struct buf *text)
{
	const char *url = conf_get(p->conf, "repository", "url");
	const char *prefix = conf_get(p->conf, "repository", "prefix");
	size_t n = strlen(url);
	struct strv architectures = STRV_INIT;
	char *section = mem_format("suite %s", suite);
	size_t i;

	while (n > 0 && url[n - 1] == '/')
		n--;
	buf_addf(text, "# Save as /etc/apt/sources.list.d/%s-%s.sources; the "
	    "key first:\n# curl -fsS -o /etc/apt/keyrings/%s-packages-key.asc "
	    "%.*s/gpg/%s-packages-key.public\n", prefix, suite, prefix, (int)n,
	    url, prefix);
	buf_addf(text, "Types: deb\nURIs: %.*s/apt\nSuites: %s\n"
	    "Components: main\nArchitectures:", (int)n, url, suite);
	conf_list(p->conf, section, "architectures", &architectures);
	for (i = 0; i < architectures.n; i++)
		buf_addf(text, " %s", architectures.v[i]);
	buf_addf(text, "\nSigned-By: /etc/apt/keyrings/%s-packages-key.asc\n",
	    prefix);
	strv_clear(&architectures);
	free(section);
}

static int
add_sources(struct publication *p, const char *suite, struct err *e)
{
	char *path = mem_format("apt/%s-%s.sources",
	    conf_get(p->conf, "repository", "prefix"), suite);
	struct buf text = BUF_INIT;
	int status;

	write_sources(p, suite, &text);
	status = add_file(p, path, text.p, text.n, e);
	buf_clear(&text);
	free(path);
	return status;
}

int
compose_user_files(struct publication *p, struct err *e)
{
	const struct buf *next = signer_public_next(p->signer);
	size_t i;

	if (add_key(p, signer_public(p->signer), "", e) < 0 ||
	    (next != NULL && add_key(p, next, "-next", e) < 0))
		return -1;
	for (i = 0; i < p->published.n; i++)
		if (add_sources(p, p->published.v[i], e) < 0)
			return -1;
	for (i = 0; i < p->n_suites; i++)
		if (!strv_has(&p->published, p->suites[i].name) &&
		    add_sources(p, p->suites[i].name, e) < 0)
			return -1;
	return 0;
}
