#include "distribute-packages/offer.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/sys/log.h"
#include "lib/sys/tally.h"
#include "lib/tree/version.h"

#define MOST_PRINTED 50

/* Where the versions of one package end, of all architectures; s is sorted. */
static size_t
find_end(const struct suite *s, size_t from)
{
	const struct pkg *a = &s->v[from], *b;
	size_t i;

	for (i = from + 1; i < s->n; i++) {
		b = &s->v[i];
		if (a->format != b->format || strcmp(a->name, b->name) != 0 ||
		    (a->format == FORMAT_RPM &&
		    strcmp(a->basearch, b->basearch) != 0))
			break;
	}
	return i;
}

/* One client may be offered both. */
static bool
is_rival(const struct pkg *a, const struct pkg *b)
{
	return a->format == FORMAT_RPM || pkg_fits(a, b->architecture) ||
	    pkg_fits(b, a->architecture);
}

static const struct pkg *
find_newest(const struct suite *s, size_t from, size_t to,
    const struct pkg *new)
{
	const struct pkg *newest = NULL, *p;

	for (p = s->v + from; p < s->v + to; p++)
		if (!p->is_new && is_rival(p, new) && (newest == NULL ||
		    version_compare(p->format, p->version,
		    newest->version) > 0))
			newest = p;
	return newest;
}

static int
check_one(const struct suite *s, const struct pkg *new,
    const struct pkg *newest, struct err *e)
{
	if (!version_same_epoch(new->version, newest->version))
		return err_set(e, ERR_DATA, "%s %s of %s: its epoch is not "
		    "that of %s, which suite %s has, so that versions without "
		    "the higher one are never offered again: build it with the "
		    "epoch of %s, or give --allow-older-version", new->name,
		    new->version, new->architecture, newest->version, s->name,
		    newest->version);
	if (version_compare(new->format, new->version, newest->version) <= 0)
		return err_set(e, ERR_DATA, "%s %s of %s is not newer than %s, "
		    "which suite %s has, so that nobody is offered it: build a "
		    "version that is newer, withdraw %s with the verb remove, "
		    "or give --allow-older-version", new->name, new->version,
		    new->architecture, newest->version, s->name,
		    newest->version);
	return 0;
}

int
offer_check(struct suite *s, bool may_be_older, struct err *e)
{
	struct tally failed = TALLY_INIT;
	const struct pkg *newest;
	size_t i, from = 0, to = 0;
	struct err one;

	suite_sort(s);
	for (i = 0; i < s->n; i++) {
		if (i == to) {
			from = to;
			to = find_end(s, from);
		}
		newest = s->v[i].is_new ?
		    find_newest(s, from, to, &s->v[i]) : NULL;
		one = (struct err)ERR_INIT;
		if (newest == NULL || check_one(s, &s->v[i], newest, &one) == 0)
			continue;
		if (may_be_older)
			log_warning("%s", one.text);
		else
			tally_add(&failed, &one);
	}
	return tally_end(&failed, "packages", e);
}

/* -------------------------------------------------------------- saying it */

/* What apt chooses for a machine: the package for it or for all. */
static const struct pkg *
choose(const struct suite *s, size_t from, size_t to, const char *architecture)
{
	const struct pkg *best = NULL, *p;

	for (p = s->v + from; p < s->v + to; p++)
		if ((p->format == FORMAT_RPM || pkg_fits(p, architecture)) &&
		    (best == NULL || version_compare(p->format, p->version,
		    best->version) >= 0))
			best = p;
	return best;
}

static void
print_offer(const struct suite *s, const struct pkg *p, const char *machines)
{
	log_notice("%s: %s offers %s %s (%s)", s->name,
	    p->format == FORMAT_RPM ? "dnf" : "apt", p->name, p->version,
	    machines);
}

/* One line for the architectures that are offered the same version. */
static void
print_debs(const struct suite *s, size_t from, size_t to)
{
	const struct strv *all = &s->architectures;
	struct buf machines = BUF_INIT;
	const struct pkg *best, *other;
	size_t i, k;

	for (i = 0; i < all->n; i++) {
		best = choose(s, from, to, all->v[i]);
		for (k = 0; k < all->n && best != NULL; k++) {
			other = choose(s, from, to, all->v[k]);
			if (other == NULL ||
			    strcmp(other->version, best->version) != 0)
				continue;
			if (k < i)
				break;	/* said already */
			buf_addf(&machines, "%s%s", machines.n ? " " : "",
			    all->v[k]);
		}
		if (machines.n > 0)
			print_offer(s, best, buf_cstr(&machines));
		buf_clear(&machines);
	}
}

void
offer_print(struct suite *s)
{
	size_t from, to, count = 0;

	suite_sort(s);
	for (from = 0; from < s->n; from = to, count++) {
		to = find_end(s, from);
		if (count >= MOST_PRINTED)
			continue;
		if (s->v[from].format == FORMAT_RPM)
			print_offer(s, choose(s, from, to, NULL),
			    s->v[from].basearch);
		else
			print_debs(s, from, to);
	}
	if (count > MOST_PRINTED)
		log_notice("%s: and %zu packages more", s->name,
		    count - MOST_PRINTED);
}
