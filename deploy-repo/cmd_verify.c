#include <inttypes.h>

#include "deploy-repo/cmd.h"
#include "deploy-repo/site.h"
#include "lib/sys/log.h"

int
cmd_verify(const struct tool_call *call, struct err *e)
{
	struct site s = SITE_INIT;
	int status = site_open(&s, call->conf, false, e);

	if (status == 0 && s.live == 0)
		status = err_set(e, ERR_MISSING, "nothing is live in '%s'",
		    s.path);
	if (status == 0)
		status = site_verify(&s, s.live, e);
	if (status == 0)
		log_notice("good: generation %" PRIu64, s.live);
	site_close(&s);
	return status;
}

int
cmd_prune(const struct tool_call *call, struct err *e)
{
	struct site s = SITE_INIT;
	int status = site_open(&s, call->conf, true, e);

	if (status == 0)
		status = site_prune(&s, true, call->is_dry_run, e);
	site_close(&s);
	return status;
}
