#include <stdlib.h>
#include <string.h>

#include "distribute-packages/apt/apt_index.h"
#include "distribute-packages/apt/apt_release.h"
#include "distribute-packages/cmd.h"
#include "distribute-packages/collect.h"
#include "distribute-packages/drops.h"
#include "distribute-packages/offer.h"
#include "distribute-packages/publish.h"
#include "distribute-packages/rpm/rpm_index.h"
#include "distribute-packages/send.h"
#include "distribute-packages/weight.h"
#include "lib/sys/log.h"
#include "lib/sys/tally.h"

#define MOST_PRINTED 50

/* What became of the items that did not fail. */
struct counts {
	size_t added;
	size_t known;
};

static void
print_added(struct counts *t, const struct suite *s, const char *name,
    const char *version, const char *architecture)
{
	if (t->added++ < MOST_PRINTED)
		log_notice("+ %s %s %s %s", s->name, name, version,
		    architecture);
}

/* The package that was added last. */
static void
say_from(struct suite *s, const struct item *item)
{
	s->v[s->n - 1].from = arena_dupn(&s->strings, item->from,
	    strlen(item->from));
}

/*
 * The pool never changes: a name that was published stands for its content
 * for good, because clients and mirrors hold indexes that say so.
 */
static int
add_deb(const struct publication *p, struct suite *s, const struct item *item,
    struct counts *t, struct err *e)
{
	const struct deb *d = &item->deb;
	char *path = apt_pool_path(s, d);
	int published = ledger_compare(&p->last.ledger, path,
	    d->digest.sha256, e);

	free(path);
	if (published < 0 || (published == 0 && weight_check_deb(d, e) < 0))
		return -1;
	t->known += published > 0;
	if (published == 0) {
		apt_index_add(s, d);
		say_from(s, item);
		print_added(t, s, d->package, d->version, d->architecture);
	}
	return 0;
}

static int
add_rpm(const struct publication *p, struct suite *s, const struct item *item,
    struct counts *t, struct err *e)
{
	const struct signed_rpm *r = &item->rpm;
	struct strv basearches = STRV_INIT;
	int published = 0;
	char *path;
	size_t i, added = 0;

	rpm_basearches(s, r->arch, &basearches);
	for (i = 0; i < basearches.n && published >= 0; i++) {
		path = rpm_path(s, basearches.v[i], r->file);
		published = ledger_compare(&p->last.ledger, path, r->content,
		    e);
		free(path);
		if (published == 0) {
			rpm_index_add(s, r, basearches.v[i]);
			say_from(s, item);
			added++;
		}
	}
	strv_clear(&basearches);
	if (added > 0 && weight_check_rpm(r, e) < 0)
		return -1;
	if (added > 0)
		print_added(t, s, r->name, r->evr, r->arch);
	else
		t->known++;
	return published < 0 ? -1 : 0;
}

static int
add_packages(const struct publication *p, struct suite *s,
    const struct collection *c, struct err *e)
{
	struct counts t = {0, 0};
	struct tally failed = TALLY_INIT;
	struct err one = ERR_INIT;
	const struct item *item;
	int status;

	for (item = c->v; item < c->v + c->n; item++) {
		status = item->format == FORMAT_RPM ?
		    add_rpm(p, s, item, &t, &one) :
		    add_deb(p, s, item, &t, &one);
		if (status < 0)
			tally_add(&failed, &one);
	}
	if (t.added > MOST_PRINTED)
		log_notice("+ %s and %zu more", s->name,
		    t.added - MOST_PRINTED);
	if (t.known > 0)
		log_notice("%zu packages are published already", t.known);
	return tally_end(&failed, "packages", e);
}

static int
by_path(const void *a, const void *b)
{
	const struct pkg *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

/*
 * Two builds may bring the same package for all architectures; as rpms they
 * were signed one by one, so it is their content that must be the same.
 */
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
		if (hash_equal(v[i - 1]->content, v[i]->content))
			v[i - 1]->is_dropped = true;
		else
			status = err_set(e, ERR_DATA, "'%s' appears twice, "
			    "with different contents: '%s' and '%s'",
			    v[i]->path, v[i - 1]->from ? v[i - 1]->from :
			    "published", v[i]->from ? v[i]->from :
			    "published");
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
		if (newer == NULL || !pkg_is_same(p, newer))
			count = 0;
		if (++count <= keep || keep == 0)
			continue;
		if (p->is_new)
			return err_set(e, ERR_DATA, "%s %s is older than the "
			    "%llu newest versions that [%s] keep allows",
			    p->name, p->version,
			    (unsigned long long)keep, s->section);
		suite_drop(s, p, "older than keep");
	}
	suite_compact(s);
	return 0;
}

static int
build(struct publication *p, const struct package_rules *rules, struct err *e)
{
	const char *name = options.suite ? options.suite :
	    rules->release.suite;
	struct suite *s = publication_suite(p, name, e);
	struct collection c = {NULL, 0};
	struct collect_options o = {
		.p = p, .rules = rules, .suite = s, .from = &options.from,
		.drops = &options.drops,
		.is_partial = options.is_partial,
		.is_dry_run = p->call->is_dry_run,
	};
	int status;

	if (s == NULL)
		return -1;
	if (s->has_apt)
		apt_release_warn(s, p->conf);
	if (publication_await_key(p, e) < 0)
		return -1;
	status = collection_read(&c, &o, e);
	if (status == 0)
		status = add_packages(p, s, &c, e);
	collection_clear(&c);
	publication_flush(p);
	if (status == 0)
		status = drop_repeated(s, e);
	if (status == 0)
		status = offer_check(s, rules->may_be_older, e);
	if (status == 0)
		status = apply_keep(s, conf_number(p->conf, s->section,
		    "keep"), e);
	if (status == 0)
		status = publish(p, rules->release.id, e);
	if (status == 0)
		offer_print(s);
	return status;
}

int
cmd_build_for(const struct tool_call *call, bool is_sent, uint64_t *serial,
    struct err *e)
{
	unsigned flags = PUBLICATION_BUILDS;
	struct package_rules rules;
	struct publication *p;
	int status;

	status = package_rules_read(&rules, call->conf, options.release, e);
	if (status < 0 && is_sent)
		err_wrap(e, "without a verb: build and send");
	if (status == 0 && is_sent)
		status = send_check(call->conf, e);
	if (status < 0) {
		package_rules_clear(&rules);
		return -1;
	}
	rules.may_be_older = options.may_be_older;
	if (options.may_change_fields)
		flags |= PUBLICATION_MAY_CHANGE_FIELDS;
	if (is_sent)
		flags |= PUBLICATION_SILENT;
	p = mem_zero(1, sizeof(*p));
	status = publication_open(p, call, flags, e);
	if (status == 0)
		status = build(p, &rules, e);
	*serial = p->next.manifest.serial;
	if (status == 0 && !is_sent)
		drops_tidy(call->conf, NULL, rules.release.id,
		    call->is_dry_run);
	publication_close(p);
	package_rules_clear(&rules);
	free(p);
	return status;
}

int
cmd_build(const struct tool_call *call, struct err *e)
{
	uint64_t serial;

	return cmd_build_for(call, false, &serial, e);
}
