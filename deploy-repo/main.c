#include "deploy-repo/cmd.h"

#include <stdint.h>

#include "lib/base/text.h"

struct cmd_options options;

static const struct tool_option table[] = {
	{0, "allow-older", NULL, "deploy", "accept a serial below the live one",
	    TOOL_FLAG, &options.allow_older},
	{0},
};

static const struct tool_verb deploy = {
	"deploy", "[SERIAL|-]", "make a generation public", 0, 1, cmd_deploy,
};

static const struct tool_verb verbs[] = {
	{"deploy", "[SERIAL|-]",
	    "make the newest drop public, or SERIAL, or a tar on stdin",
	    0, 1, cmd_deploy},
	{"list", "", "print the generations that are kept", 0, 0, cmd_list},
	{"status", "", "print what is live and what waits", 0, 0, cmd_status},
	{"rollback", "[SERIAL]", "make the previous generation live again",
	    0, 1, cmd_rollback},
	{"verify", "", "check every hash and signature of what is live", 0, 0,
	    cmd_verify},
	{"prune", "", "remove old generations and what was replaced",
	    0, 0, cmd_prune},
	{0},
};

int
cmd_parse_serial(const char *text, uint64_t *serial, struct err *e)
{
	if (!serial_read(text, serial))
		return err_set(e, ERR_USAGE, "'%s' is neither a verb nor a "
		    "serial: see --help", text);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "deploy-repo",
		.summary = "Make a signed tree public in one atomic step.",
		.manual = "deploy-repo(8)",
		.options = table,
		.verbs = verbs,
		.without_verb = &deploy,
		.writers = "deploy rollback prune",
	};

	return tool_main(&tool, argc, argv);
}
