#include "build-machine-ctl/cloud.h"
#include "build-machine-ctl/cmd.h"
#include "build-machine-ctl/row.h"

int
cmd_list(const struct tool_call *call, struct err *e)
{
	struct strv builds = STRV_INIT;
	struct droplets list = {.v = NULL};
	struct cloud cloud = CLOUD_INIT;
	struct report *report;
	int64_t timeout;
	size_t i;
	int status = machine_builds(call, &builds, e);

	if (status == 0)
		status = cmd_timeout(&timeout, e);
	if (status == 0)
		status = cloud_open(&cloud, call->conf, timeout, e);
	if (status == 0)
		status = cloud_list(&cloud, &list, e);
	if (status == 0) {
		report = row_open(ROW_COST, call);
		for (i = 0; i < list.n; i++)
			if (builds.n == 0 ||
			    strv_has(&builds, list.v[i].build))
				row_add(report, ROW_COST, &list.v[i],
				    call->conf);
		status = report_close(report, e);
	}
	cloud_close(&cloud);
	droplets_clear(&list);
	strv_clear(&builds);
	return status;
}
