#include "distribute-packages/cmd.h"

#include <stdint.h>

#define ALL_ARGS SIZE_MAX

struct cmd_options options;

static const struct tool_option table[] = {
	{'r', "release", "RELEASE", "build", "the release's id, a tag",
	    TOOL_TEXT, &options.release},
	{0, "suite", "SUITE", "build list refresh remove revert",
	    "only this suite; for build: publish into it",
	    TOOL_TEXT, &options.suite},
	{0, "from", "DIR", "build", "take the packages from DIR",
	    TOOL_LIST, &options.from},
	{0, "drop", "NAME", "build", "of this build, take this drop",
	    TOOL_LIST, &options.drops},
	{0, "partial", NULL, "build", "publish although a build is missing",
	    TOOL_FLAG, &options.is_partial},
	{0, "allow-older-version", NULL, "build",
	    "publish a version although clients are offered another",
	    TOOL_FLAG, &options.may_be_older},
	{0, "change-release-fields", NULL, "build refresh",
	    "change Origin, Label, Codename", TOOL_FLAG,
	    &options.may_change_fields},
	{0},
};

static const struct tool_verb build_and_send = {
	"build", "", "", 0, 0, cmd_build_and_send,
};

static const struct tool_verb verbs[] = {
	{"build", "", "make the next generation from a release's packages",
	    0, 0, cmd_build},
	{"export", "", "write the newest generation to stdout, as tar",
	    0, 0, cmd_export},
	{"list", "", "print the published packages", 0, 0, cmd_list},
	{"remove", "NAME[=VERSION]...", "withdraw packages", 1, ALL_ARGS,
	    cmd_remove},
	{"revert", "SERIAL", "publish an older generation's content again",
	    1, 1, cmd_revert},
	{"refresh", "", "new dates and signatures, same content", 0, 0,
	    cmd_refresh},
	{"pull", "", "rebuild the state from what is public", 0, 0, cmd_pull},
	{"send", "", "send the newest generation to the repository server",
	    0, 0, cmd_send},
	{"verify", "[DIR]", "check all that clients would check", 0, 1,
	    cmd_verify},
	{0},
};

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "distribute-packages",
		.summary = "Construct, sign and send package repositories.",
		.manual = "distribute-packages(1)",
		.options = table,
		.verbs = verbs,
		.without_verb = &build_and_send,
		.writers = "build export pull refresh remove revert send",
		.readers = "build",
	};

	return tool_main(&tool, argc, argv);
}
