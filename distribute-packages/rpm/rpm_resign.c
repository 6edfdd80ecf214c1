#include "distribute-packages/rpm/rpm_resign.h"

#include <stdlib.h>
#include <string.h>

#include "distribute-packages/rpm/rpm_index.h"
#include "lib/base/hashset.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"

/* A package for all architectures stands in several repositories: one file. */
struct file_again {
	const struct hashset_item *v;	/* the packages whose file it is */
	size_t n;
	struct signed_rpm made;
	bool is_changed;
};

struct sign_again {
	const struct store *store;
	struct keys *keys;
	int64_t date;
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

	if (rpm_build_again(x->store, keys_signer(x->keys, i),
	    first->sha256, x->date, &f->made, &f->is_changed, e) < 0)
		return err_wrap(e, "'%s'", first->path);
	return 0;
}

int
rpm_resign(struct suite *s, const struct store *store, struct keys *keys,
    int64_t date, struct err *e)
{
	struct sign_again x = {.store = store, .keys = keys, .date = date};
	struct file_again *f;
	const struct pkg *k;
	size_t i, signed_again = 0;
	int status;

	list_files(&x, s);
	status = x.n_files >= KEYS_MANY_RPMS ? keys_widen(keys, e) : 0;
	if (status == 0)
		status = par_each(x.n_files, sign_again, &x, e);
	for (f = x.files; f < x.files + x.n_files; f++) {
		for (i = 0; i < f->n && status == 0 && f->is_changed; i++) {
			k = f->v[i].of;
			rpm_index_replace(s, &s->v[k - s->v], &f->made);
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
