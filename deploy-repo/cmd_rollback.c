#include <inttypes.h>
#include <stdlib.h>

#include "deploy-repo/cmd.h"
#include "deploy-repo/site.h"
#include "deploy-repo/switch.h"
#include "lib/sys/log.h"

/* The newest generation that is older than the live one, and can be read. */
static int
find_previous(const struct site *s, uint64_t *serial, struct err *e)
{
	struct kept *all;
	size_t n, i;
	int status = site_load_all(s, &all, &n, e);

	*serial = 0;
	for (i = 0; i < n && *serial == 0; i++)
		if (all[i].manifest.serial < s->live)
			*serial = all[i].manifest.serial;
	site_free_all(all, n);
	if (status == 0 && *serial == 0)
		status = err_set(e, ERR_MISSING, s->live == 0 ?
		    "nothing is live: give the serial of one that is kept" :
		    "no generation before the live one is kept");
	return status;
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
	/* a run that was killed may have left links to be made */
	if (status == 0 && !call->is_dry_run)
		status = switch_to(s, &k, e);
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
