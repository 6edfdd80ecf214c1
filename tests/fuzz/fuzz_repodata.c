/*
 * repomd.xml and lists of packages: spans lie in the text, elements follow
 * one another, and an element that was taken reads the same alone. And the
 * armour around a signature.
 */
#include "lib/pgp/pgp.h"
#include "lib/rpm/repodata.h"
#include "tests/fuzz/support.h"

static void
must_lie_in(const struct span *s, const char *from, const char *to)
{
	must(s->n > 0 && s->p >= from && s->p < to);
	must(s->n <= (size_t)(to - s->p));
	must(memchr(s->p, '&', s->n) == NULL);
	must(memchr(s->p, '<', s->n) == NULL);
}

static void
must_be_same_alone(const struct repodata_package *k)
{
	const char *p = k->element.p, *end = p + k->element.n;
	struct err e = ERR_INIT;
	struct repodata_package again;

	must(repodata_next_primary(&p, end, &again, &e) == 1);
	must(p == end);
	must(memcmp(&again, k, sizeof(again)) == 0);
	must(repodata_next_primary(&p, end, &again, &e) == 0);
}

static void
read_primary(const char *text, size_t n)
{
	const char *p = text, *end = text + n, *last = text, *to;
	struct repodata_package k;
	struct err e = ERR_INIT;
	int status;

	while ((status = repodata_next_primary(&p, end, &k, &e)) > 0) {
		to = k.element.p + k.element.n;
		must(last <= k.element.p && k.element.p < to && to == p);
		must_lie_in(&k.name, k.element.p, to);
		must_lie_in(&k.arch, k.element.p, to);
		must_lie_in(&k.epoch, k.element.p, to);
		must_lie_in(&k.version, k.element.p, to);
		must_lie_in(&k.release, k.element.p, to);
		must_lie_in(&k.href, k.element.p, to);
		must_be_same_alone(&k);
		last = p;
	}
	if (status == 0)
		must(p == end);
	else
		must_have_reason(&e);
}

static void
read_listed(const char *text, size_t n)
{
	const char *p = text, *end = text + n, *last = text;
	uint8_t pkgid[HASH_SIZE];
	struct span element;
	struct err e = ERR_INIT;
	uint64_t count;
	int status;

	while ((status = repodata_next_listed(&p, end, &element, pkgid,
	    &e)) > 0) {
		must(last <= element.p && element.p + element.n == p);
		last = p;
	}
	if (status == 0)
		must(p == end);
	else
		must_have_reason(&e);
	if (repodata_count(text, n, &count, &e) < 0)
		must_have_reason(&e);
	(void)repodata_ends(text, n, "filelists");
}

static void
read_repomd(const char *text, size_t n)
{
	struct err e = ERR_INIT;
	struct repomd md;
	size_t i;

	if (repomd_parse(text, n, &md, &e) < 0) {
		must_have_reason(&e);
		return;
	}
	must(md.n <= REPOMD_FILES);
	for (i = 0; i < md.n; i++) {
		must_lie_in(&md.v[i].type, text, text + n);
		must_lie_in(&md.v[i].href, text, text + n);
	}
	(void)repomd_find(&md, "primary");
}

static void
read_armour(const char *text, size_t n)
{
	struct buf packets = BUF_INIT;

	if (pgp_read_armour(text, n, "SIGNATURE", &packets))
		must(packets.n > 0);
	(void)pgp_count_signatures(buf_cstr(&packets), packets.n);
	(void)pgp_count_signatures(text, n);
	buf_clear(&packets);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + !n);	/* of just that size: no NUL */

	must(text != NULL);
	if (n > 0)
		memcpy(text, data, n);
	read_primary(text, n);
	read_listed(text, n);
	read_repomd(text, n);
	read_armour(text, n);
	free(text);
	return 0;
}
