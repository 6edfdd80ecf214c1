#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "distribute-packages/compose.h"
#include "lib/base/path.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"

/* -------------------------------------------------------------- the lists */

static char *
list_path(const struct rpm_repository *r, enum rpm_list list)
{
	char hex[HASH_HEX];

	hash_hex(r->packed[list].sha256, hex);
	return mem_format("%s/repodata/%s-%s.xml.gz", r->dir, hex,
	    rpm_list_name(list));
}

static void
add_list(struct publication *p, const struct rpm_repository *r,
    enum rpm_list list)
{
	char *path = list_path(r, list);

	manifest_add(&p->next.manifest, path, r->packed[list].sha256);
	free(path);
}

void
compose_list_rpm(const struct index_job *job)
{
	struct rpm_repository *r = job->repository;

	r->packed[job->list] = job->packed;
	r->plain[job->list] = job->plain;
	add_list(job->p, r, job->list);
}

/* What the published repomd.xml says of a list that stays as it is. */
static int
keep_list(struct publication *p, struct rpm_repository *r,
    enum rpm_list list, const struct repomd *md, struct err *e)
{
	const struct repomd_file *f = repomd_find(md, rpm_list_name(list));

	if (f == NULL || !f->has_open)
		return err_set(e, ERR_DATA, "the published repomd.xml of '%s' "
		    "does not describe %s", r->dir, rpm_list_name(list));
	memcpy(r->packed[list].sha256, f->sha256, HASH_SIZE);
	memcpy(r->plain[list].sha256, f->open_sha256, HASH_SIZE);
	r->packed[list].size = f->size;
	r->plain[list].size = f->open_size;
	add_list(p, r, list);
	return 0;
}

/* For new signatures over the same lists. */
static int
keep_lists(struct publication *p, struct rpm_repository *r, struct err *e)
{
	struct tree last = store_tree(&p->store, &p->last);
	char *path = mem_format("%s/repodata/repomd.xml", r->dir);
	struct repomd md;
	struct fs_map map;
	int list, status = tree_map(&last, path, &map, e);

	free(path);
	if (status < 0)
		return -1;
	status = repomd_parse(map.p, map.n, &md, e);
	for (list = 0; list < RPM_LISTS && status == 0; list++)
		status = keep_list(p, r, (enum rpm_list)list, &md, e);
	fs_unmap(&map);
	return status;
}

/* A repository in which nothing changed keeps its signature, too. */
static bool
stays(const struct publication *p, const struct rpm_repository *r)
{
	return !r->is_changed && !p->must_change;
}

static void
take_over_metadata(struct publication *p, const struct rpm_repository *r)
{
	const struct manifest *last = &p->last.manifest;
	char *prefix = mem_format("%s/repodata/", r->dir);
	size_t i;

	for (i = 0; i < last->n; i++)
		if (path_starts_with(last->v[i].path, prefix))
			compose_take_over(p, &last->v[i]);
	free(prefix);
}

int
compose_plan_rpm(struct publication *p, struct suite *s,
    struct index_jobs *jobs, struct err *e)
{
	struct rpm_repository *r;
	struct index_job *job;
	int list;

	for (r = s->repositories; r < s->repositories + s->n_repositories;
	    r++) {
		if (stays(p, r)) {
			take_over_metadata(p, r);
			continue;
		}
		if (!r->is_changed && keep_lists(p, r, e) < 0)
			return -1;
		for (list = 0; list < RPM_LISTS && r->is_changed; list++) {
			job = compose_add_job(jobs, p, s);
			job->repository = r;
			job->list = (enum rpm_list)list;
		}
	}
	return 0;
}

/* -------------------------------------------------------------- repomd.xml */

static void
add_data(struct buf *text, const struct rpm_repository *r,
    enum rpm_list list, int64_t date)
{
	char packed[HASH_HEX], plain[HASH_HEX];
	const char *name = rpm_list_name(list);

	hash_hex(r->packed[list].sha256, packed);
	hash_hex(r->plain[list].sha256, plain);
	buf_addf(text, "  <data type=\"%s\">\n"
	    "    <checksum type=\"sha256\">%s</checksum>\n"
	    "    <open-checksum type=\"sha256\">%s</open-checksum>\n"
	    "    <location href=\"repodata/%s-%s.xml.gz\"/>\n"
	    "    <timestamp>%" PRId64 "</timestamp>\n"
	    "    <size>%" PRIu64 "</size>\n"
	    "    <open-size>%" PRIu64 "</open-size>\n"
	    "  </data>\n", name, packed, plain, packed, name, date,
	    r->packed[list].size, r->plain[list].size);
}

static struct buf
write_repomd(const struct rpm_repository *r, int64_t date)
{
	struct buf text = BUF_INIT;
	int list;

	buf_addf(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" "
	    "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n"
	    "  <revision>%" PRId64 "</revision>\n", date);
	for (list = 0; list < RPM_LISTS; list++)
		add_data(&text, r, (enum rpm_list)list, date);
	buf_str(&text, "</repomd>\n");
	return text;
}

/*
 * One signature only, by the first key: librpm, which checks it for dnf since
 * Fedora 39, refuses a file with two (rpm-sequoia, pgp_prt_params).
 */
void
compose_repomd(struct publication *p, const struct suite *s,
    struct signing *t)
{
	const struct buf *key = signer_public(p->signer);
	const struct rpm_repository *r, *end;
	struct buf copy;

	end = s->repositories + s->n_repositories;
	for (r = s->repositories; r < end; r++) {
		if (stays(p, r))
			continue;
		compose_add_text(t, mem_format("%s/repodata/repomd.xml",
		    r->dir), write_repomd(r, p->date));
		compose_add_signature(t, mem_format("%s/repodata/repomd.xml"
		    ".asc", r->dir), SIGN_DETACHED, true);
		copy = (struct buf)BUF_INIT;
		buf_add(&copy, key->p, key->n);
		compose_add_text(t, mem_format("%s/repodata/repomd.xml.key",
		    r->dir), copy);
	}
}

/* ------------------------------------------------------------------- .repo */

static void
write_repo(const struct publication *p, const struct suite *s,
    const char *id, const struct rpm_repository *r, struct buf *text)
{
	const char *url = conf_get(p->conf, "repository", "url");
	const char *prefix = conf_get(p->conf, "repository", "prefix");
	const char *description = conf_get(p->conf, s->section,
	    "description");
	int n = (int)strlen(url);

	while (n > 0 && url[n - 1] == '/')
		n--;
	buf_addf(text, "[%s]\n", id);
	if (description != NULL)
		buf_addf(text, "name=%s (%s)\n", description, r->basearch);
	else
		buf_addf(text, "name=%s packages, %s (%s)\n", prefix, s->name,
		    r->basearch);
	/* zypper reads gpgcheck=1 alone as the metadata's check only */
	buf_addf(text, "baseurl=%.*s/%s\nenabled=1\ngpgcheck=1\n"
	    "repo_gpgcheck=1\npkg_gpgcheck=1\n"
	    "gpgkey=%.*s/gpg/%s-packages-key.public\n", n, url, r->dir, n, url,
	    prefix);
}

static int
add_repo(struct publication *p, const struct suite *s,
    const struct rpm_repository *r, struct err *e)
{
	char *id = mem_format("%s-%s-%s-rpm", conf_get(p->conf, "repository",
	    "prefix"), s->name, r->basearch);
	char *path = mem_format("%s/%s.repo", r->dir, id);
	struct buf text = BUF_INIT;
	int status;

	write_repo(p, s, id, r, &text);
	status = compose_file(p, path, text.p, text.n, e);
	buf_clear(&text);
	free(path);
	free(id);
	return status;
}

int
compose_repo_files(struct publication *p, const struct suite *s,
    struct err *e)
{
	size_t i;

	for (i = 0; i < s->n_repositories; i++)
		if (add_repo(p, s, &s->repositories[i], e) < 0)
			return -1;
	return 0;
}

/* ----------------------------------------------------------- another key */

/* A package for all architectures stands in several repositories: one file. */
struct file_again {
	const struct hashset_item *v;	/* the packages whose file it is */
	size_t n;
	struct signed_rpm made;
	bool is_changed;
};

struct sign_again {
	struct publication *p;
	struct hashset packages;	/* by the file's hash */
	struct file_again *files;
	size_t n_files;
};

static void
list_files(struct sign_again *x, const struct suite *s)
{
	struct hashset *all = &x->packages;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->v[i].format == FORMAT_RPM && !s->v[i].is_new)
			hashset_add(all, s->v[i].sha256, &s->v[i]);
	hashset_sort(all);
	x->files = mem_zero(all->n + 1, sizeof(*x->files));
	for (i = 0; i < all->n; i++) {
		if (i == 0 || !hash_equal(all->v[i - 1].sha256,
		    all->v[i].sha256))
			x->files[x->n_files++].v = &all->v[i];
		x->files[x->n_files - 1].n++;
	}
}

static int
sign_again(size_t i, void *arg, struct err *e)
{
	struct sign_again *x = arg;
	struct file_again *f = &x->files[i];
	const struct pkg *first = f->v->of;

	if (rpm_build_again(&x->p->store, publication_signer(x->p, i),
	    first->sha256, x->p->date, &f->made, &f->is_changed, e) < 0)
		return err_wrap(e, "'%s'", first->path);
	return 0;
}

static int
sign_suite(struct publication *p, struct suite *s, struct err *e)
{
	struct sign_again x = {.p = p};
	struct file_again *f;
	const struct pkg *k;
	size_t i, signed_again = 0;
	int status;

	list_files(&x, s);
	status = x.n_files >= PUBLICATION_MANY_RPMS ?
	    publication_widen(p, e) : 0;
	if (status == 0)
		status = par_each(x.n_files, sign_again, &x, e);
	for (f = x.files; f < x.files + x.n_files; f++) {
		for (i = 0; i < f->n && status == 0 && f->is_changed; i++) {
			k = f->v[i].of;
			suite_set_signed(s, &s->v[k - s->v], &f->made);
			signed_again++;
		}
		signed_rpm_clear(&f->made);
	}
	if (signed_again > 0)
		log_notice("suite %s: %zu rpms signed again: another key had "
		    "signed them", s->name, signed_again);
	hashset_clear(&x.packages);
	free(x.files);
	return status;
}

int
compose_sign_rpms(struct publication *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->n_suites; i++)
		if (sign_suite(p, &p->suites[i], e) < 0)
			return -1;
	return 0;
}
