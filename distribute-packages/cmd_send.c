#include "distribute-packages/cmd.h"
#include "distribute-packages/send.h"
#include "lib/frame/job_log.h"

int
cmd_send(const struct tool_call *call, struct err *e)
{
	return send_newest(call, 0, e);
}

/* What CI runs. A build that finds nothing to do is sent all the same. */
int
cmd_build_and_send(const struct tool_call *call, struct err *e)
{
	uint64_t coming = 0;

	if (cmd_build_for(call, true, &coming, e) < 0)
		return -1;
	job_log_next("send");
	return send_newest(call, call->is_dry_run ? coming : 0, e);
}
