#include "build-machine-ctl/cmd.h"

#define DEFAULT_TIMEOUT "15m"
#define MANY 64		/* builds on one command line */

struct cmd_options options;

static const struct tool_option table[] = {
	{0, "wait", "LEVEL", "create",
	    "wait until: none, active, ssh (default), runner",
	    TOOL_TEXT, &options.wait},
	{0, "timeout", "TIME", "create delete reap",
	    "give up after this long (" DEFAULT_TIMEOUT ")",
	    TOOL_TEXT, &options.timeout},
	{0, "replace", NULL, "create", "delete an existing machine first",
	    TOOL_FLAG, &options.replace},
	{0, "keep", NULL, "create", "keep what was made if this fails",
	    TOOL_FLAG, &options.keep},
	{0, "all", NULL, "delete", "delete the machines of all builds",
	    TOOL_FLAG, &options.all},
	{0, "older-than", "TIME", "reap", "delete machines that are older",
	    TOOL_TEXT, &options.older_than},
	{0, "expired", NULL, "reap", "delete machines past their expires tag",
	    TOOL_FLAG, &options.expired},
	{0},
};

static const struct tool_verb verbs[] = {
	{"create", "BUILD...", "make the machines of these builds and wait",
	    1, MANY, cmd_create},
	{"delete", "BUILD...|--all", "delete every machine of these builds",
	    0, MANY, cmd_delete},
	{"list", "[BUILD...]", "print our machines and what they cost",
	    0, MANY, cmd_list},
	{"reap", "", "delete machines that are too old or have expired",
	    0, 0, cmd_reap},
	{"check", "", "check that what the configuration names exists",
	    0, 0, cmd_check},
	{"user-data", "BUILD", "print the cloud-init that enrols a machine",
	    1, 1, cmd_user_data},
	{0},
};

int
cmd_timeout(int64_t *ms, struct err *e)
{
	const char *text = options.timeout ? options.timeout : DEFAULT_TIMEOUT;
	int64_t seconds;

	if (!conf_parse_duration(text, &seconds) || seconds == 0)
		return err_set(e, ERR_USAGE, "--timeout '%s' is not a time "
		    "like 90s, 15m or 2h", text);
	*ms = seconds * 1000;
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "build-machine-ctl",
		.summary = "Make and delete the machines that build.",
		.manual = "build-machine-ctl(1)",
		.options = table,
		.verbs = verbs,
	};

	return tool_main(&tool, argc, argv);
}
