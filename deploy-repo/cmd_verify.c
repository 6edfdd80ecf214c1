#include <inttypes.h>

#include "deploy-repo/cmd.h"
#include "deploy-repo/site.h"
#include "lib/sys/log.h"

/* Those that cannot be read are named, though what is live is whole. */
static int
look_at_the_others(const struct site *s, struct err *e)
{
	struct kept *all;
	size_t n;
	int status = site_load_all(s, &all, &n, e);

	site_free_all(all, n);
	return status;
}

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
		status = look_at_the_others(&s, e);
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
