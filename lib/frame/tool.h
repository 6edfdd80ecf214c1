/*
 * The main of every tool is a table of options, a table of verbs, and one
 * call. tool_main hardens the process, reads the options and the
 * configuration, runs the verb, prints its error, and returns the exit status.
 *
 *	static const struct tool tool = {.name = "deploy-repo", ...};
 *	return tool_main(&tool, argc, argv);
 *
 * The options that all tools have (-c, -o, -n, -q, -v, --json, --help,
 * --version) are added here.
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
	/* The verbs that take it, separated by blanks; NULL: all of them. */
	const char *verbs;
	const char *help;
	enum tool_option_kind kind;
	void *into;
};

/* What a verb is given; all of it is borrowed until the verb returns. */
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
	int (*run)(const struct tool_call *call, struct err *e); /* 0 or -1 */
};

struct tool {
	const char *name;
	const char *summary;
	const char *manual;	/* "deploy-repo(8)" */
	const struct tool_option *options;
	const struct tool_verb *verbs;	/* may be empty */
	/*
	 * Runs if the first argument is not a verb, and gets all arguments. One
	 * that takes none never sees an unknown verb: that is refused before.
	 * NULL: a verb is required.
	 */
	const struct tool_verb *without_verb;
	/*
	 * The verbs that write, separated by blanks; NULL: none. A verb that is
	 * not among them runs in a sandbox (lib/sys/sandbox.h) that lets it
	 * write nowhere. One that is enters its own, with the directories that
	 * it writes, once these are open and before it reads a byte from
	 * outside: a verb that succeeds outside a sandbox is a bug (70).
	 */
	const char *writers;
	/*
	 * The verbs that open packages or archives, separated by blanks; NULL:
	 * none. They have readers (lib/sys/reader.h).
	 */
	const char *readers;
};

/* Returns the exit status, or does not return after a signal. */
int tool_main(const struct tool *tool, int argc, char **argv);

#endif
