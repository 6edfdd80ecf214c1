#include <stdlib.h>
#include <string.h>

#include "distribute-packages/apt/apt_release.h"
#include "distribute-packages/compose.h"
#include "lib/base/path.h"

/* ------------------------------------------------------------- indexes */

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
	compose_add_job(jobs, p, s)->architecture = architecture;
}

void
compose_plan_apt(struct publication *p, const struct suite *s,
    struct index_jobs *jobs)
{
	size_t i;

	for (i = 0; i < s->architectures.n; i++)
		plan_index(p, s, s->architectures.v[i], jobs);
}

void
compose_list_apt(const struct index_job *job)
{
	list_index(job->p, job->suite, job->architecture, "Packages",
	    job->plain.sha256);
	list_index(job->p, job->suite, job->architecture, "Packages.gz",
	    job->packed.sha256);
}

/* ------------------------------------------------------------- Release */

static char *
release_path(const struct suite *s, const char *name)
{
	return mem_format("apt/dists/%s/%s", s->name, name);
}

int
compose_release(struct publication *p, const struct suite *s,
    struct signing *t, struct err *e)
{
	struct tree tree = store_tree(&p->store, &p->next);
	struct buf text = BUF_INIT;

	if (apt_release_write(s, p->conf, p->date, &tree, &text, e) < 0) {
		buf_clear(&text);
		return -1;
	}
	compose_add_text(t, release_path(s, "Release"), text);
	compose_add_signature(t, release_path(s, "InRelease"), SIGN_CLEAR,
	    false);
	compose_add_signature(t, release_path(s, "Release.gpg"),
	    SIGN_DETACHED, false);
	return 0;
}

bool
compose_is_unchanged(const struct publication *p, const struct suite *s)
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

int
compose_sources(struct publication *p, const char *suite, struct err *e)
{
	char *path = mem_format("apt/%s-%s.sources",
	    conf_get(p->conf, "repository", "prefix"), suite);
	struct buf text = BUF_INIT;
	int status;

	write_sources(p, suite, &text);
	status = compose_file(p, path, text.p, text.n, e);
	buf_clear(&text);
	free(path);
	return status;
}

