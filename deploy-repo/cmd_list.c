#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "deploy-repo/cmd.h"
#include "deploy-repo/site.h"
#include "lib/base/date.h"
#include "lib/drop/drop.h"
#include "lib/frame/report.h"
#include "lib/sys/log.h"
#include "lib/tree/tree.h"

/* As text: what stands in the records of list and status. */
struct facts {
	char serial[SERIAL_TEXT];
	char date[DATE_SIZE];
	char files[24];
	char bytes[24];
};

static int
find_facts(const struct site *s, const struct kept *k, struct facts *facts,
    struct err *e)
{
	struct tree t = {.manifest = &k->manifest};
	uint64_t serial = k->manifest.serial, total = 0, size;
	struct err ignored = ERR_INIT;
	size_t i;

	t.dir = site_open_generation(s, serial, e);
	if (t.dir < 0)
		return -1;
	for (i = 0; i < k->manifest.n; i++)
		if (tree_size(&t, &k->manifest.v[i], &size,
		    &ignored) == 0)
			total += size;
	close(t.dir);
	snprintf(facts->serial, sizeof(facts->serial), "%" PRIu64, serial);
	date_format(k->manifest.date, facts->date);
	snprintf(facts->files, sizeof(facts->files), "%zu", k->manifest.n);
	snprintf(facts->bytes, sizeof(facts->bytes), "%" PRIu64, total);
	return 0;
}

static int
list_site(const struct tool_call *call, const struct site *s, struct err *e)
{
	static const struct report_column columns[] = {
		{"serial", REPORT_NUMBER}, {"release", REPORT_TEXT},
		{"date", REPORT_TEXT}, {"files", REPORT_NUMBER},
		{"bytes", REPORT_BYTES}, {"live", REPORT_BOOL},
	};
	struct err ignored = ERR_INIT;
	struct facts facts;
	struct report *r;
	struct kept *all;
	size_t n, i;
	int status = site_load_all(s, &all, &n, e);

	r = report_open(columns, COUNT(columns), call->wants_json);
	for (i = 0; i < n && status == 0; i++) {
		status = find_facts(s, &all[i], &facts, e);
		if (status == 0)
			report_row(r, facts.serial, all[i].manifest.release,
			    facts.date, facts.files, facts.bytes,
			    all[i].manifest.serial == s->live ? "live" : "");
	}
	site_free_all(all, n);
	if (report_close(r, status == 0 ? e : &ignored) < 0)
		status = -1;
	return status;
}

int
cmd_list(const struct tool_call *call, struct err *e)
{
	struct site s = SITE_INIT;
	int status = site_open(&s, call->conf, false, e);

	if (status == 0)
		status = list_site(call, &s, e);
	site_close(&s);
	return status;
}

/* "8 9": the serials of the complete drops in the inbox. */
static void
find_waiting(const struct site *s, struct buf *text)
{
	struct err e = ERR_INIT;
	struct drop *drops = NULL;
	size_t n = 0, i;

	if (s->inbox < 0 && s->no_inbox.kind != ERR_MISSING)
		log_warning("%s", s->no_inbox.text);
	if (s->inbox >= 0 &&
	    drop_list_generations(s->inbox, &drops, &n, &e) < 0)
		log_warning("[deploy] inbox: %s", e.text);
	for (i = 0; i < n; i++)
		buf_addf(text, i ? " %" PRIu64 : "%" PRIu64, drops[i].serial);
	drop_list_free(drops, n);
}

/*
 * Of a live generation that cannot be read, the serial is all there is to
 * tell: `verify` is there to judge it.
 */
static int
find_live(const struct site *s, struct kept *k, struct facts *facts,
    struct err *e)
{
	struct err unreadable = ERR_INIT;

	if (s->live == 0)
		return 0;
	if (site_load(s, s->live, k, &unreadable) == 0)
		return find_facts(s, k, facts, e);
	snprintf(facts->serial, sizeof(facts->serial), "%" PRIu64, s->live);
	if (site_pass_over(&unreadable, e) < 0)
		return -1;
	log_warning("%s", unreadable.text);
	return 0;
}

static int
print_status(const struct tool_call *call, const struct site *s,
    struct err *e)
{
	static const struct report_column columns[] = {
		{"key", REPORT_TEXT}, {"value", REPORT_TEXT},
	};
	struct buf drops = BUF_INIT;
	struct kept k = KEPT_INIT;
	struct facts facts = {"", "", "", ""};
	struct report *r;
	int status = find_live(s, &k, &facts, e);

	if (status == 0) {
		find_waiting(s, &drops);
		r = report_open(columns, COUNT(columns), call->wants_json);
		report_row(r, "root", s->path);
		report_row(r, "live", facts.serial);
		report_row(r, "release", k.manifest.release);
		report_row(r, "date", facts.date);
		report_row(r, "files", facts.files);
		report_row(r, "bytes", !report_is_table(r) ||
		    facts.bytes[0] == '\0' ? facts.bytes :
		    log_bytes(strtoull(facts.bytes, NULL, 10)));
		report_row(r, "waiting", buf_cstr(&drops));
		status = report_close(r, e);
	}
	kept_clear(&k);
	buf_clear(&drops);
	return status;
}

int
cmd_status(const struct tool_call *call, struct err *e)
{
	struct site s = SITE_INIT;
	int status = site_open(&s, call->conf, false, e);

	if (status == 0)
		status = print_status(call, &s, e);
	site_close(&s);
	return status;
}
