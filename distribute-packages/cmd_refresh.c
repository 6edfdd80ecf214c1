#include <stdlib.h>

#include "distribute-packages/cmd.h"
#include "distribute-packages/publish.h"

int
cmd_refresh(const struct tool_call *call, struct err *e)
{
	struct publication *p = mem_zero(1, sizeof(*p));
	int status = publication_open(p, call, PUBLICATION_MUST_CHANGE |
	    (options.may_change_fields ? PUBLICATION_MAY_CHANGE_FIELDS : 0),
	    e);

	if (status == 0)
		status = publication_suites(p, options.suite, e);
	if (status == 0)
		status = publish(p, p->last.manifest.release, e);
	publication_close(p);
	free(p);
	return status;
}
