#include <stdlib.h>
#include <string.h>

#include "distribute-packages/cmd.h"
#include "distribute-packages/collect.h"
#include "distribute-packages/publication.h"
#include "lib/log.h"
#include "lib/release.h"

#define MOST_PRINTED 50

/*
 * The pool never changes: a name that was published stands for its content
 * for good, because clients and mirrors hold indexes that say so.
 * Returns 1 if the package is published already, 0 if it is new, or -1.
 */
static int
compare_with_published(const struct publication *p, const char *suite,
    const struct deb *d, struct err *e)
{
	char *file = deb_file_name(d);
	char *path = mem_format("apt/pool/%s/main/%s", suite, file);
	const struct ledger_entry *old = ledger_find(&p->last.ledger, path);
	int status = 0;

	if (old != NULL && !hash_equal(old->sha256, d->digest.sha256))
		status = err_set(e, ERR_DATA, "'%s' was published with other "
		    "content: give the package a new version", path);
	else if (old != NULL && old->state == LEDGER_LIVE)
		status = 1;
	free(path);
	free(file);
	return status;
}

static int
add_packages(const struct publication *p, struct suite *s,
    const struct collection *c, struct err *e)
{
	size_t i, failed = 0, added = 0, known = 0;
	struct err one = ERR_INIT;

	for (i = 0; i < c->n; i++) {
		switch (compare_with_published(p, s->name, &c->v[i], &one)) {
		case -1:
			if (failed++ > 0)
				log_error("%s", one.text);
			else
				*e = one;
			continue;
		case 1:
			known++;
			continue;
		}
		suite_add(s, &c->v[i]);
		if (added++ < MOST_PRINTED)
			log_notice("+ %s %s %s %s", s->name, c->v[i].package,
			    c->v[i].version, c->v[i].architecture);
	}
	if (added > MOST_PRINTED)
		log_notice("+ %s and %zu more", s->name, added - MOST_PRINTED);
	if (known > 0)
		log_notice("%zu packages are published already", known);
	return failed > 0 ? -1 : 0;
}

static int
by_path(const void *a, const void *b)
{
	const struct pkg *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

/* Two builds may bring the same package for all architectures. */
static int
drop_repeated(struct suite *s, struct err *e)
{
	struct pkg **v = mem_zero(s->n, sizeof(*v));
	int status = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		v[i] = &s->v[i];
	if (s->n > 1)
		qsort(v, s->n, sizeof(*v), by_path);
	for (i = 1; i < s->n && status == 0; i++) {
		if (by_path(&v[i - 1], &v[i]) != 0)
			continue;
		if (hash_equal(v[i - 1]->sha256, v[i]->sha256))
			v[i - 1]->is_dropped = true;
		else
			status = err_set(e, ERR_DATA, "'%s' comes twice, with "
			    "different content", v[i]->path);
	}
	free(v);
	suite_compact(s);
	return status;
}

/* The newest `keep` versions of each package and architecture stay. */
static int
apply_keep(struct suite *s, uint64_t keep, struct err *e)
{
	struct pkg *p, *newer;
	uint64_t count = 0;
	size_t i;

	suite_sort(s);
	for (i = s->n; i-- > 0;) {
		p = &s->v[i];
		newer = i + 1 < s->n ? &s->v[i + 1] : NULL;
		if (newer == NULL || strcmp(p->name, newer->name) != 0 ||
		    strcmp(p->architecture, newer->architecture) != 0)
			count = 0;
		if (++count <= keep || keep == 0)
			continue;
		if (p->is_new)
			return err_set(e, ERR_DATA, "%s %s is older than the "
			    "%llu newest versions, which is what [%s] keep "
			    "allows", p->name, p->version,
			    (unsigned long long)keep, s->section);
		suite_drop(s, p, "older than keep");
	}
	suite_compact(s);
	return 0;
}

static int
build(struct publication *p, const char *release, struct err *e)
{
	const char *name = options.suite ? options.suite :
	    release_suite(release);
	struct suite *s = publication_suite(p, name, e);
	struct collection c = {NULL, 0};
	struct collect_options o = {
		.conf = p->conf, .release = release, .from = &options.from,
		.is_partial = options.is_partial,
		.is_dry_run = p->call->is_dry_run,
	};
	int status;

	if (s == NULL)
		return -1;
	o.architectures = &s->architectures;
	if (publication_await_signer(p, e) < 0)
		return -1;
	status = collect(&p->store, &o, &c, e);
	if (status == 0)
		status = add_packages(p, s, &c, e);
	collection_clear(&c);
	publication_flush(p);
	if (status == 0)
		status = drop_repeated(s, e);
	if (status == 0)
		status = apply_keep(s, conf_number(p->conf, s->section,
		    "keep"), e);
	return status < 0 ? -1 : publication_finish(p, release, e);
}

int
cmd_build(const struct tool_call *call, struct err *e)
{
	char release[RELEASE_SIZE];
	struct publication *p;
	int status;

	if (release_find(options.release, release, e) < 0)
		return -1;
	p = mem_zero(1, sizeof(*p));
	status = publication_open(p, call, false, options.may_change_fields,
	    e);
	if (status == 0)
		status = build(p, release, e);
	publication_close(p);
	free(p);
	return status;
}
