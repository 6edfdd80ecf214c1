#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distribute-packages/cmd.h"
#include "distribute-packages/indexes.h"
#include "distribute-packages/store.h"
#include "lib/frame/report.h"

static const struct report_column columns[] = {
	{"suite", REPORT_TEXT}, {"format", REPORT_TEXT},
	{"arch", REPORT_TEXT}, {"name", REPORT_TEXT},
	{"version", REPORT_TEXT}, {"size", REPORT_BYTES},
	{"sha256", REPORT_SHA256}, {"path", REPORT_TEXT},
};

static void
print_suite(struct report *r, const struct suite *s)
{
	char size[24], hex[HASH_HEX];
	const struct pkg *p;

	for (p = s->v; p < s->v + s->n; p++) {
		snprintf(size, sizeof(size), "%" PRIu64, p->size);
		hash_hex(p->sha256, hex);
		report_row(r, s->name, format_name(p->format),
		    p->architecture, p->name, p->version, size, hex, p->path);
	}
}

static int
list_suite(const struct tool_call *call, const struct tree *t,
    const char *name, struct report *r, struct err *e)
{
	struct suite s = {.name = NULL};
	int status = -1;

	if (suite_open(&s, call->conf, name, e) == 0 &&
	    indexes_read(&s, t, e) == 0) {
		print_suite(r, &s);
		status = 0;
	}
	suite_clear(&s);
	return status;
}

static int
list_generation(const struct tool_call *call, const struct store *store,
    const struct generation *g, struct err *e)
{
	struct tree t = store_tree(store, g);
	struct report *r = report_open(columns, COUNT(columns),
	    call->wants_json);
	struct strv names = STRV_INIT;
	struct err ignored = ERR_INIT;
	int status = 0;
	size_t i;

	suite_names(&g->manifest, &names);
	for (i = 0; i < names.n && status == 0; i++)
		if (!options.suite || strcmp(options.suite, names.v[i]) == 0)
			status = list_suite(call, &t, names.v[i], r, e);
	strv_clear(&names);
	if (report_close(r, status == 0 ? e : &ignored) < 0)
		status = -1;
	return status;
}

int
cmd_list(const struct tool_call *call, struct err *e)
{
	struct generation g = GENERATION_INIT;
	struct store store = STORE_INIT;
	int status = store_open(&store, call->conf, false, e);

	if (status == 0)
		status = store_load(&store, 0, &g, e);
	if (status == 0)
		status = list_generation(call, &store, &g, e);
	generation_clear(&g);
	store_close(&store);
	return status;
}
