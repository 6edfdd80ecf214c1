#include "distribute-packages/rpm/rpm_index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/data/inflate.h"

#define LIST_LIMIT ((size_t)1 << 30)	/* of a list, unpacked, bytes */

const char *
rpm_list_name(enum rpm_list list)
{
	static const char *const names[RPM_LISTS] = {
		"primary", "filelists", "other",
	};

	return names[list];
}

char *
rpm_path(const struct suite *s, const char *basearch, const char *file)
{
	return mem_format("rpm/%s/%s/%s", s->name, basearch, file);
}

char *
rpm_list_path(const struct rpm_repository *r, enum rpm_list list)
{
	char hex[HASH_HEX];

	hash_hex(r->packed[list].sha256, hex);
	return mem_format("%s/repodata/%s-%s.xml.gz", r->dir, hex,
	    rpm_list_name(list));
}

char *
rpm_repomd_path(const struct rpm_repository *r)
{
	return mem_format("%s/repodata/repomd.xml", r->dir);
}

/* --------------------------------------------------------------- reading */

static int
add_to_buf(const void *data, size_t n, void *arg)
{
	buf_add(arg, data, n);
	return 0;
}

/* Unpacks a list of the repository; the text belongs to the suite. */
static int
read_list(struct suite *s, const struct tree *t, const char *dir,
    const struct repomd *md, enum rpm_list list, struct span *text,
    struct err *e)
{
	const struct repomd_file *f = repomd_find(md, rpm_list_name(list));
	struct buf *b;
	struct fs_map map;
	char *path;
	int status;

	if (f == NULL)
		return err_set(e, ERR_DATA, "'%s/repodata/repomd.xml' does "
		    "not list %s", dir, rpm_list_name(list));
	s->texts = mem_resize(s->texts, s->n_texts + 1, sizeof(*s->texts));
	b = &s->texts[s->n_texts++];
	*b = (struct buf)BUF_INIT;
	path = mem_format("%s/%.*s", dir, (int)f->href.n, f->href.p);
	status = tree_map(t, path, &map, e);
	if (status == 0) {
		status = gunzip_whole(map.p, map.n, LIST_LIMIT, add_to_buf, b,
		    e);
		fs_unmap(&map);
		if (status < 0)
			err_wrap(e, "'%s'", path);
	}
	free(path);
	*text = (struct span){buf_cstr(b), b->n};
	return status;
}

static void
fill_in(struct suite *s, struct pkg *p, const struct repodata_package *x,
    const struct rpm_repository *r)
{
	struct arena *a = &s->strings;
	bool has_epoch = x->epoch.n > 0 && !span_is(&x->epoch, "0");

	p->format = FORMAT_RPM;
	p->basearch = arena_dupn(a, r->basearch, strlen(r->basearch));
	p->name = arena_dupn(a, x->name.p, x->name.n);
	p->architecture = arena_dupn(a, x->arch.p, x->arch.n);
	p->version = arena_format(a, "%.*s%s%.*s-%.*s",
	    has_epoch ? (int)x->epoch.n : 0, x->epoch.p, has_epoch ? ":" : "",
	    (int)x->version.n, x->version.p, (int)x->release.n, x->release.p);
	p->path = arena_format(a, "%s/%.*s", r->dir, (int)x->href.n,
	    x->href.p);
	memcpy(p->sha256, x->sha256, HASH_SIZE);
	p->size = x->size;
	p->entries[RPM_PRIMARY] = x->element;
}

/* The i-th elements of all three lists are about the same package. */
static int
read_packages(struct suite *s, const struct rpm_repository *r,
    struct span text[RPM_LISTS], struct err *e)
{
	const char *primary = text[RPM_PRIMARY].p;
	const char *at[RPM_LISTS] = {NULL, text[RPM_FILELISTS].p,
	    text[RPM_OTHER].p};
	struct repodata_package x;
	uint8_t pkgid[HASH_SIZE];
	struct pkg *p;
	int status, list;

	while ((status = repodata_next_primary(&primary,
	    text[RPM_PRIMARY].p + text[RPM_PRIMARY].n, &x, e)) > 0) {
		p = suite_append(s);
		fill_in(s, p, &x, r);
		for (list = RPM_FILELISTS; list <= RPM_OTHER; list++) {
			status = repodata_next_listed(&at[list],
			    text[list].p + text[list].n, &p->entries[list],
			    pkgid, e);
			if (status < 0)
				return -1;
			if (status == 0 || !hash_equal(pkgid, x.sha256))
				return err_set(e, ERR_DATA, "%s does not list "
				    "the packages in primary's order",
				    rpm_list_name((enum rpm_list)list));
		}
	}
	return status;
}

static int
read_repository(struct suite *s, const struct tree *t,
    const struct rpm_repository *r, struct err *e)
{
	char *path = rpm_repomd_path(r);
	struct span text[RPM_LISTS];
	struct repomd md;
	struct fs_map map;
	int list, status = tree_map(t, path, &map, e);

	free(path);
	if (status < 0)
		return -1;
	status = repomd_parse(map.p, map.n, &md, e);
	for (list = 0; list < RPM_LISTS && status == 0; list++)
		status = read_list(s, t, r->dir, &md, (enum rpm_list)list,
		    &text[list], e);
	if (status == 0)
		status = read_packages(s, r, text, e);
	fs_unmap(&map);
	return status < 0 ? err_wrap(e, "repository '%s'", r->dir) : 0;
}

int
rpm_index_read(struct suite *s, const struct tree *t, struct err *e)
{
	char *prefix = mem_format("rpm/%s/", s->name), *basearch;
	int status = 0;
	size_t i;

	for (i = 0; i < t->manifest->n && status == 0; i++) {
		basearch = suite_component(t->manifest->v[i].path, prefix,
		    "/repodata/repomd.xml");
		if (basearch != NULL)
			status = read_repository(s, t,
			    suite_repository(s, basearch), e);
		free(basearch);
	}
	free(prefix);
	return status;
}

/* ---------------------------------------------------------------- adding */

void
rpm_basearches(const struct suite *s, const char *arch,
    struct strv *basearches)
{
	size_t i;

	if (strcmp(arch, "noarch") != 0) {
		strv_add(basearches, arch);
		return;
	}
	for (i = 0; i < s->rpm_builds.n; i++)
		if (!strv_has(basearches, s->rpm_builds.v[i]))
			strv_add(basearches, s->rpm_builds.v[i]);
	for (i = 0; i < s->n_repositories; i++)
		if (!strv_has(basearches, s->repositories[i].basearch))
			strv_add(basearches, s->repositories[i].basearch);
}

void
rpm_index_add(struct suite *s, const struct signed_rpm *r,
    const char *basearch)
{
	struct pkg *p = suite_append(s);
	char *path = rpm_path(s, basearch, r->file);
	struct arena *a = &s->strings;

	p->format = FORMAT_RPM;
	p->name = arena_dupn(a, r->name, strlen(r->name));
	p->version = arena_dupn(a, r->evr, strlen(r->evr));
	p->architecture = arena_dupn(a, r->arch, strlen(r->arch));
	p->basearch = arena_dupn(a, basearch, strlen(basearch));
	p->path = arena_dupn(a, path, strlen(path));
	memcpy(p->content, r->content, HASH_SIZE);
	p->is_new = true;
	rpm_index_replace(s, p, r);
	free(path);
}

void
rpm_index_replace(struct suite *s, struct pkg *p,
    const struct signed_rpm *r)
{
	size_t list, n;

	memcpy(p->sha256, r->digest.sha256, HASH_SIZE);
	p->size = r->digest.size;
	for (list = 0; list < RPM_LISTS; list++) {
		/* rpm_index_write adds the newline again */
		n = r->entries[list].n > 0 ? r->entries[list].n - 1 : 0;
		p->entries[list].p = arena_dupn(&s->strings,
		    buf_cstr(&r->entries[list]), n);
		p->entries[list].n = n;
	}
	suite_touch(s, p);
}

/* --------------------------------------------------------------- writing */

/* The root elements, as createrepo_c has them. */
static const struct {
	const char *element;
	const char *attributes;
} roots[RPM_LISTS] = {
	{"metadata", "xmlns=\"http://linux.duke.edu/metadata/common\" "
	    "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\""},
	{"filelists", "xmlns=\"http://linux.duke.edu/metadata/filelists\""},
	{"otherdata", "xmlns=\"http://linux.duke.edu/metadata/other\""},
};

static bool
is_in(const struct pkg *p, const char *basearch)
{
	return p->format == FORMAT_RPM && strcmp(p->basearch, basearch) == 0;
}

void
rpm_index_write(const struct suite *s, const char *basearch,
    enum rpm_list list, struct out *o)
{
	char *line;
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		n += is_in(&s->v[i], basearch);
	line = mem_format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<%s %s packages=\"%zu\">\n", roots[list].element,
	    roots[list].attributes, n);
	out_str(o, line);
	free(line);
	for (i = 0; i < s->n; i++) {
		if (!is_in(&s->v[i], basearch))
			continue;
		out_add(o, s->v[i].entries[list].p, s->v[i].entries[list].n);
		out_str(o, "\n");
	}
	line = mem_format("</%s>\n", roots[list].element);
	out_str(o, line);
	free(line);
}

/* ------------------------------------------------------------- repomd.xml */

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

void
rpm_repomd_write(const struct rpm_repository *r, int64_t date,
    struct buf *text)
{
	int list;

	buf_addf(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" "
	    "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n"
	    "  <revision>%" PRId64 "</revision>\n", date);
	for (list = 0; list < RPM_LISTS; list++)
		add_data(text, r, (enum rpm_list)list, date);
	buf_str(text, "</repomd>\n");
}

/* What repomd.xml says of one list. */
static int
read_digests(struct rpm_repository *r, enum rpm_list list,
    const struct repomd *md, struct err *e)
{
	const struct repomd_file *f = repomd_find(md, rpm_list_name(list));

	if (f == NULL || !f->has_open)
		return err_set(e, ERR_DATA, "the published repomd.xml of '%s' "
		    "does not describe %s", r->dir, rpm_list_name(list));
	memcpy(r->packed[list].sha256, f->sha256, HASH_SIZE);
	memcpy(r->plain[list].sha256, f->open_sha256, HASH_SIZE);
	r->packed[list].size = f->size;
	r->plain[list].size = f->open_size;
	return 0;
}

int
rpm_repomd_read(struct rpm_repository *r, const struct tree *t,
    struct err *e)
{
	char *path = rpm_repomd_path(r);
	struct repomd md;
	struct fs_map map;
	int list, status = tree_map(t, path, &map, e);

	free(path);
	if (status < 0)
		return -1;
	status = repomd_parse(map.p, map.n, &md, e);
	for (list = 0; list < RPM_LISTS && status == 0; list++)
		status = read_digests(r, (enum rpm_list)list, &md, e);
	fs_unmap(&map);
	return status;
}

/* ------------------------------------------------------------------ .repo */

char *
rpm_repo_id(const struct conf *conf, const struct suite *s,
    const struct rpm_repository *r)
{
	return mem_format("%s-%s-%s-rpm", conf_get(conf, "repository",
	    "prefix"), s->name, r->basearch);
}

void
rpm_repo_write(const struct conf *conf, const struct suite *s,
    const struct rpm_repository *r, struct buf *text)
{
	char *id = rpm_repo_id(conf, s, r);
	const char *url = conf_get(conf, "repository", "url");
	const char *prefix = conf_get(conf, "repository", "prefix");
	const char *description = conf_get(conf, s->section, "description");
	int n = (int)strlen(url);

	while (n > 0 && url[n - 1] == '/')
		n--;
	buf_addf(text, "[%s]\n", id);
	if (description != NULL)
		buf_addf(text, "name=%s (%s)\n", description, r->basearch);
	else
		buf_addf(text, "name=%s packages, %s (%s)\n", prefix, s->name,
		    r->basearch);
	/*
	 * zypper reads gpgcheck=1 alone as the check of the metadata, and looks
	 * for updates only where it may.
	 */
	buf_addf(text, "baseurl=%.*s/%s\nenabled=1\ngpgcheck=1\n"
	    "repo_gpgcheck=1\npkg_gpgcheck=1\nautorefresh=1\n"
	    "gpgkey=%.*s/gpg/%s-packages-key.public\n", n, url, r->dir, n, url,
	    prefix);
	free(id);
}
