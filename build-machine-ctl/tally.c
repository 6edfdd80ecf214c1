#include "build-machine-ctl/tally.h"

#include "lib/sys/log.h"

void
tally_add(struct tally *t, const struct err *e)
{
	if (t->n == 0) {
		t->first = *e;
		t->worst = e->kind;
	} else {
		if (t->n == 1)
			log_error("%s", t->first.text);
		log_error("%s", e->text);
		t->worst = err_worst(t->worst, e->kind);
	}
	t->n++;
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
