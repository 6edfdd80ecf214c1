/*
 * The verbs of deploy-repo, each in a file of its own, and its options.
 */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>

#include "lib/frame/tool.h"

struct cmd_options {
	bool allow_older;
};
extern struct cmd_options options;

int cmd_deploy(const struct tool_call *call, struct err *e);
int cmd_list(const struct tool_call *call, struct err *e);
int cmd_prune(const struct tool_call *call, struct err *e);
int cmd_rollback(const struct tool_call *call, struct err *e);
int cmd_status(const struct tool_call *call, struct err *e);
int cmd_verify(const struct tool_call *call, struct err *e);

/* Reads a serial that the user gave. */
int cmd_parse_serial(const char *text, uint64_t *serial, struct err *e);

#endif
