#include "distribute-packages/retire.h"

#include <stdlib.h>

static int64_t
grace_of(const struct publication *p, const char *path)
{
	char *suite = suite_of_path(path);
	char *section = mem_format("suite %s", suite ? suite : "-");
	int64_t grace = conf_duration(p->conf, section, "grace");

	free(section);
	free(suite);
	return grace;
}

/* A file of the last generation that the new indexes do not need. */
static void
retire(struct publication *p, const struct ledger_entry *old,
    struct manifest *stays)
{
	int64_t since = old->state == LEDGER_LIVE ? p->date : old->state;

	if (old->state != LEDGER_GONE &&
	    since + grace_of(p, old->path) > p->date)
		manifest_add(stays, old->path, old->sha256);
	else if (ledger_is_package(old->path))
		since = LEDGER_GONE;
	else
		return;
	ledger_add(&p->next.ledger, old->path, old->sha256, old->content,
	    since);
}

/* What the names of new packages stand for, sorted by path. */
static void
find_contents(const struct publication *p, struct manifest *contents)
{
	const struct suite *s;
	size_t i;

	for (s = p->suites; s < p->suites + p->n_suites; s++)
		for (i = 0; i < s->n; i++)
			if (s->v[i].is_new)
				manifest_add(contents, s->v[i].path,
				    s->v[i].content);
	manifest_sort(contents);
}

static void
add_live(struct publication *p, const struct manifest_entry *f,
    const struct manifest *contents)
{
	const struct ledger_entry *old = ledger_find(&p->last.ledger, f->path);
	const struct manifest_entry *new = manifest_find(contents, f->path);
	const uint8_t *content = NULL;

	if (old != NULL)
		content = old->content;
	else if (new != NULL)
		content = new->sha256;
	ledger_add(&p->next.ledger, f->path, f->sha256, content,
	    LEDGER_LIVE);
}

void
retire_files(struct publication *p)
{
	const struct manifest *m = &p->next.manifest;
	struct manifest stays = MANIFEST_INIT, contents = MANIFEST_INIT;
	const struct ledger_entry *old;
	size_t i;

	find_contents(p, &contents);
	for (i = 0; i < m->n; i++)
		if (ledger_keeps(m->v[i].path))
			add_live(p, &m->v[i], &contents);
	for (i = 0; i < p->last.ledger.n; i++) {
		old = &p->last.ledger.v[i];
		if (manifest_find(m, old->path) == NULL)
			retire(p, old, &stays);
	}
	ledger_sort(&p->next.ledger);
	for (i = 0; i < stays.n; i++)
		manifest_add(&p->next.manifest, stays.v[i].path,
		    stays.v[i].sha256);
	manifest_sort(&p->next.manifest);
	manifest_clear(&stays);
	manifest_clear(&contents);
}
