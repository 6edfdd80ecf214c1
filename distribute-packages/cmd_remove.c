#include <stdlib.h>
#include <string.h>

#include "distribute-packages/cmd.h"
#include "distribute-packages/publish.h"
#include "lib/sys/log.h"

/* Of an rpm without its release, too: then it is as a .deb's. */
static bool
has_version(const struct pkg *p, const char *version)
{
	size_t n = strlen(version);

	return strcmp(p->version, version) == 0 ||
	    (p->format == FORMAT_RPM &&
	    strncmp(p->version, version, n) == 0 && p->version[n] == '-');
}

/* How many packages were marked. */
static size_t
remove_from(struct suite *s, const char *name, const char *version)
{
	size_t i, found = 0;

	for (i = 0; i < s->n; i++) {
		if (s->v[i].is_dropped || strcmp(s->v[i].name, name) != 0 ||
		    (version && !has_version(&s->v[i], version)))
			continue;
		suite_drop(s, &s->v[i], "withdrawn");
		found++;
	}
	return found;
}

static int
remove_one(struct publication *p, const char *arg, struct err *e)
{
	char *name = mem_dup(arg), *version = strchr(name, '=');
	size_t i, found = 0;

	if (version != NULL)
		*version++ = '\0';
	for (i = 0; i < p->n_suites; i++)
		found += remove_from(&p->suites[i], name, version);
	free(name);
	if (found > 0)
		return 0;
	return err_set(e, ERR_MISSING, "no package '%s' is published", arg);
}

/* An index that had packages and has none now is worth a word. */
static void
warn_of_empty(const struct suite *s)
{
	const struct rpm_repository *r;
	size_t i, j;

	for (i = 0; i < s->changed.n; i++) {
		for (j = 0; j < s->n; j++)
			if (pkg_fits(&s->v[j], s->changed.v[i]))
				break;
		if (j == s->n)
			log_warning("suite %s has no package left for %s",
			    s->name, s->changed.v[i]);
	}
	for (i = 0; i < s->n_repositories; i++) {
		r = &s->repositories[i];
		for (j = 0; j < s->n; j++)
			if (s->v[j].format == FORMAT_RPM &&
			    strcmp(s->v[j].basearch, r->basearch) == 0)
				break;
		if (r->is_changed && j == s->n)
			log_warning("suite %s has no package left for %s",
			    s->name, r->basearch);
	}
}

int
cmd_remove(const struct tool_call *call, struct err *e)
{
	struct publication *p = mem_zero(1, sizeof(*p));
	int status = publication_open(p, call, 0, e);
	size_t i;

	if (status == 0)
		status = publication_suites(p, options.suite, e);
	for (i = 0; i < call->n_args && status == 0; i++)
		status = remove_one(p, call->args[i], e);
	for (i = 0; i < p->n_suites && status == 0; i++) {
		suite_compact(&p->suites[i]);
		warn_of_empty(&p->suites[i]);
	}
	if (status == 0)
		status = publish(p, p->last.manifest.release, e);
	publication_close(p);
	free(p);
	return status;
}
