#include <stdio.h>
#include <stdlib.h>

#include "build-machine-ctl/cmd.h"
#include "build-machine-ctl/enrol.h"
#include "build-machine-ctl/machine.h"
#include "lib/sys/log.h"

#define PLACEHOLDER "glrt-REPLACE-ME"

/*
 * What a machine of the build would be given, to be read, or to be used by
 * hand: nothing is asked of GitLab, so there is no token.
 */
int
cmd_user_data(const struct tool_call *call, struct err *e)
{
	struct strv builds = STRV_INIT;
	struct buf text = BUF_INIT;
	char *name = NULL;
	int status = machine_builds(call, &builds, e);

	if (status == 0) {
		name = machine_name(call->conf, builds.v[0], e);
		status = name == NULL ? -1 : enrol_write(call->conf,
		    builds.v[0], name, PLACEHOLDER, &text, e);
	}
	if (status == 0 && fwrite(text.p, 1, text.n, stdout) < text.n)
		status = err_sys(e, "write to standard output");
	if (status == 0)
		log_notice("%s stands for the token: create makes a runner "
		    "for each machine and puts its token there", PLACEHOLDER);
	free(name);
	buf_clear(&text);
	strv_clear(&builds);
	return status;
}
