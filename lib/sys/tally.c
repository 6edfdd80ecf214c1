#include "lib/sys/tally.h"

#include "lib/sys/log.h"

#define MOST_PRINTED 100

void
tally_add(struct tally *t, const struct err *e)
{
	if (t->n++ == 0) {
		t->first = *e;
		t->worst = e->kind;
		return;
	}
	if (t->n == 2)
		log_error("%s", t->first.text);
	if (t->n <= MOST_PRINTED)
		log_error("%s", e->text);
	t->worst = err_worst(t->worst, e->kind);
}

int
tally_end(const struct tally *t, const char *things, struct err *e)
{
	if (t->n == 0)
		return 0;
	if (t->n == 1) {
		*e = t->first;
		return -1;
	}
	return err_set(e, t->worst, "%zu %s failed", t->n, things);
}
