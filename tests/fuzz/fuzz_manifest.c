/*
 * SHA256SUMS of a drop and of a tree: what is accepted is sorted, safe, found
 * by its path, and the same after it was written and read again.
 */
#include "lib/base/path.h"
#include "lib/tree/manifest.h"
#include "tests/fuzz/support.h"

static void
check_entries(const struct manifest *m, bool is_tree)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		must(is_tree ? path_is_safe(m->v[i].path) :
		    path_is_name(m->v[i].path));
		must(manifest_find(m, m->v[i].path) == &m->v[i]);
		must(i == 0 || strcmp(m->v[i - 1].path, m->v[i].path) < 0);
	}
}

static void
check_again(struct manifest *m, bool is_tree)
{
	struct manifest again = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i;

	manifest_sort(m);
	manifest_write(m, &text);
	must(manifest_parse(&again, text.p, text.n, is_tree, "again", &e) == 0);
	must(again.n == m->n && again.serial == m->serial);
	must(again.date == m->date && !strcmp(again.release, m->release));
	must(hash_equal(again.self, m->self));
	for (i = 0; i < m->n; i++)
		must(strcmp(again.v[i].path, m->v[i].path) == 0 &&
		    hash_equal(again.v[i].sha256, m->v[i].sha256));
	manifest_clear(&again);
	buf_clear(&text);
}

static void
parse(const uint8_t *data, size_t n, bool is_tree)
{
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;

	if (manifest_parse(&m, (const char *)data, n, is_tree, "fuzz",
	    &e) == 0) {
		check_entries(&m, is_tree);
		check_again(&m, is_tree);
	} else {
		must_have_reason(&e);
	}
	manifest_clear(&m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	parse(data, n, false);
	parse(data, n, true);
	return 0;
}
