/*
 * What the main of every tool is: a table of options, a table of verbs, and
 * one call. tool_main hardens the process, reads the options and the
 * configuration, runs the verb, prints the error, and returns the status.
 */
#ifndef LIB_FRAME_TOOL_H
#define LIB_FRAME_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/frame/conf.h"

enum tool_option_kind {
	TOOL_FLAG,	/* into: bool */
	TOOL_TEXT,	/* into: const char * */
	TOOL_LIST	/* into: struct strv, repeatable */
};

struct tool_option {
	char letter;		/* 0: none */
	const char *name;	/* NULL ends the table */
	const char *arg;	/* NULL for a flag */
	const char *verbs;	/* that take it, separated by blanks */
	const char *help;
	enum tool_option_kind kind;
	void *into;
};

/* What a verb is given. */
struct tool_call {
	const struct conf *conf;
	char **args;
	size_t n_args;
	bool is_dry_run;
	bool wants_json;
};

struct tool_verb {
	const char *name;	/* NULL ends the table */
	const char *args;	/* for --help; "" for none */
	const char *help;
	size_t min_args;
	size_t max_args;
	int (*run)(const struct tool_call *call, struct err *e);
};

struct tool {
	const char *name;
	const char *summary;
	const char *manual;	/* "deploy-repo(8)" */
	const struct tool_option *options;
	const struct tool_verb *verbs;	/* may be empty */
	/*
	 * Runs when the first argument is no verb; its arguments are then all
	 * arguments, and one that takes none needs no check of its own. NULL:
	 * a verb is needed.
	 */
	const struct tool_verb *without_verb;
};

/* Returns the exit status, or does not return after a signal. */
int tool_main(const struct tool *tool, int argc, char **argv);

#endif
