/*
 * The verbs of build-machine-ctl, each in a file of its own, and its options.
 */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/frame/tool.h"

struct cmd_options {
	const char *wait;
	const char *timeout;
	const char *older_than;
	bool replace;
	bool keep;
	bool all;
	bool expired;
};
extern struct cmd_options options;

int cmd_check(const struct tool_call *call, struct err *e);
int cmd_create(const struct tool_call *call, struct err *e);
int cmd_delete(const struct tool_call *call, struct err *e);
int cmd_list(const struct tool_call *call, struct err *e);
int cmd_reap(const struct tool_call *call, struct err *e);
int cmd_user_data(const struct tool_call *call, struct err *e);

/* --timeout in milliseconds, or its default. ERR_USAGE. */
int cmd_timeout(int64_t *ms, struct err *e);

#endif
