/*
 * The verbs of distribute-packages, each in a file of its own, and what its
 * options left behind.
 */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/frame/tool.h"

struct cmd_options {
	const char *release;
	const char *suite;
	struct strv from;
	struct strv drops;
	bool is_partial;
	bool may_change_fields;
	bool may_be_older;
};
extern struct cmd_options options;

int cmd_build(const struct tool_call *call, struct err *e);
int cmd_build_and_send(const struct tool_call *call, struct err *e);
int cmd_export(const struct tool_call *call, struct err *e);
int cmd_list(const struct tool_call *call, struct err *e);
int cmd_pull(const struct tool_call *call, struct err *e);
int cmd_refresh(const struct tool_call *call, struct err *e);
int cmd_remove(const struct tool_call *call, struct err *e);
int cmd_revert(const struct tool_call *call, struct err *e);
int cmd_send(const struct tool_call *call, struct err *e);
int cmd_verify(const struct tool_call *call, struct err *e);

/*
 * build. With is_sent it prints no record, because send will. *serial becomes
 * that of the generation that was made or, by a dry run, would have been made;
 * 0: none.
 */
int cmd_build_for(const struct tool_call *call, bool is_sent,
    uint64_t *serial, struct err *e);

#endif
