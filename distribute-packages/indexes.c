#include "distribute-packages/indexes.h"

#include <string.h>

#include "distribute-packages/apt/apt_index.h"
#include "distribute-packages/rpm/rpm_index.h"

/* A package for all architectures was read once from each index. */
static void
drop_repeated(struct suite *s)
{
	size_t i, kept = 0;

	for (i = 0; i < s->n; i++)
		if (kept == 0 || strcmp(s->v[kept - 1].path, s->v[i].path) != 0)
			s->v[kept++] = s->v[i];
	s->n = kept;
}

int
indexes_read(struct suite *s, const struct tree *t, struct err *e)
{
	if (apt_index_read(s, t, e) < 0 || rpm_index_read(s, t, e) < 0)
		return -1;
	suite_sort(s);
	drop_repeated(s);
	return 0;
}
