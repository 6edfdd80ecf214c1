#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "deploy-repo/cmd.h"
#include "deploy-repo/inbox.h"
#include "deploy-repo/site.h"
#include "deploy-repo/switch.h"
#include "lib/sys/log.h"

/* The newest generation that is older than the live one. */
static int
find_previous(const struct site *s, uint64_t *serial, struct err *e)
{
	uint64_t *serials;
	size_t n, i;

	if (site_serials(s, &serials, &n, e) < 0)
		return -1;
	*serial = 0;
	for (i = 0; i < n && *serial == 0; i++)
		if (serials[i] < s->live)
			*serial = serials[i];
	free(serials);
	return *serial != 0 ? 0 : err_set(e, ERR_MISSING, "no generation "
	    "before the live one is kept");
}

/* A sender that compares with the newer one would send too little. */
static void
leave_manifest(const struct conf *conf, const struct kept *k)
{
	struct err e = ERR_INIT;
	int inbox = inbox_open(conf);

	if (inbox < 0)
		return;
	if (inbox_leave_manifest(inbox, k, &e) < 0)
		log_warning("inbox: %s", e.text);
	close(inbox);
}

static int
rollback(const struct tool_call *call, struct site *s, struct err *e)
{
	struct kept k = KEPT_INIT;
	uint64_t serial, before = s->live;
	int status;

	if (call->n_args > 0 ? cmd_parse_serial(call->args[0], &serial, e) :
	    find_previous(s, &serial, e))
		return -1;
	status = site_load(s, serial, &k, e);
	if (status == 0 && serial == before)
		log_notice("generation %" PRIu64 " is live already", serial);
	else if (status == 0 && call->is_dry_run)
		log_notice("dry run: would make generation %" PRIu64 ", %s, "
		    "live", serial, k.manifest.release);
	else if (status == 0)
		status = switch_to(s, &k.manifest, e);
	if (status == 0 && !call->is_dry_run)
		leave_manifest(call->conf, &k);
	if (status == 0)
		status = manifest_report(&k.manifest, call->wants_json, e);
	if (status == 0 && serial < before && !call->is_dry_run)
		log_warning("generation %" PRIu64 " is live; clients that have "
		    "seen the newer date of %" PRIu64 " ignore it and do not "
		    "find its packages: the lasting way is "
		    "distribute-packages revert %" PRIu64, serial, before,
		    serial);
	kept_clear(&k);
	return status;
}

int
cmd_rollback(const struct tool_call *call, struct err *e)
{
	struct site s = SITE_INIT;
	int status = site_open(&s, call->conf, true, e);

	if (status == 0)
		status = rollback(call, &s, e);
	site_close(&s);
	return status;
}
