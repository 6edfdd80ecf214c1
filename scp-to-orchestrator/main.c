#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/drop/upload.h"
#include "lib/frame/report.h"
#include "lib/frame/tool.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/sandbox.h"
#include "lib/tree/manifest.h"
#include "scp-to-orchestrator/packages.h"

static struct {
	const char *build;
	const char *release;
	const char *dotenv;
	bool may_be_older;
} options;

static const struct tool_option table[] = {
	{'b', "build", "BUILD", NULL, "the build that the packages are of",
	    TOOL_TEXT, &options.build},
	{'r', "release", "RELEASE", NULL, "the release, instead of the job's",
	    TOOL_TEXT, &options.release},
	{0, "output-dotenv", "FILE", NULL, "write the drop's name to FILE, as "
	    "DROP_BUILD=NAME", TOOL_TEXT, &options.dotenv},
	{0, "allow-older-version", NULL, NULL, "send a prerelease that passes "
	    "for newer than its release", TOOL_FLAG, &options.may_be_older},
	{0},
};

/* What goes: SHA256SUMS, then the packages. */
struct cargo {
	struct manifest manifest;
	struct buf sums;
	struct upload_file *files;
	char *name;
};

static int
open_found(const struct upload_file *file, struct err *e)
{
	return found_open(file->arg, e);
}

static void
load(struct cargo *cargo, struct packages *c)
{
	char unique[UPLOAD_UNIQUE];
	size_t i;

	for (i = 0; i < c->n; i++)
		manifest_add(&cargo->manifest, c->v[i].name,
		    c->v[i].package.digest.sha256);
	manifest_sort(&cargo->manifest);
	manifest_write(&cargo->manifest, &cargo->sums);
	upload_unique(buf_cstr(&cargo->sums), cargo->sums.n, unique);
	cargo->name = mem_format("%s.%s.%s", c->rules.release.id, c->build,
	    unique);
	cargo->files = mem_zero(c->n + 1, sizeof(*cargo->files));
	cargo->files[0] = (struct upload_file){.path = MANIFEST_NAME,
	    .data = buf_cstr(&cargo->sums), .size = cargo->sums.n};
	for (i = 0; i < c->n; i++)
		cargo->files[i + 1] = (struct upload_file){
		    .path = c->v[i].name, .open = open_found, .arg = &c->v[i],
		    .size = c->v[i].package.digest.size};
}

static void
unload(struct cargo *cargo)
{
	manifest_clear(&cargo->manifest);
	buf_clear(&cargo->sums);
	free(cargo->files);
	free(cargo->name);
}

static int
print(const struct packages *c, bool wants_json, struct err *e)
{
	static const struct report_column columns[] = {
		{"sha256", REPORT_SHA256}, {"size", REPORT_BYTES},
		{"name", REPORT_TEXT},
	};
	struct report *r = report_open(columns, COUNT(columns), wants_json);
	char hex[HASH_HEX], size[24];
	size_t i;

	for (i = 0; i < c->n; i++) {
		hash_hex(c->v[i].package.digest.sha256, hex);
		snprintf(size, sizeof(size), "%llu",
		    (unsigned long long)c->v[i].package.digest.size);
		report_row(r, hex, size, c->v[i].name);
	}
	return report_close(r, e);
}

/* "DROP_AMD64_DEB=v0.3.4.amd64-deb.0123": for a GitLab job's dotenv report. */
static int
write_dotenv(int fd, const char *build, const char *drop, struct err *e)
{
	struct buf text = BUF_INIT;
	const char *c;
	int status;

	buf_add(&text, "DROP_", 5);
	for (c = build; *c != '\0'; c++)
		buf_addf(&text, "%c", *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' :
		    *c == '-' ? '_' : *c);
	buf_addf(&text, "=%s\n", drop);
	status = io_write(fd, text.p, text.n, options.dotenv, e);
	buf_clear(&text);
	return status;
}

static int
upload(const struct tool_call *call, struct packages *c, int dotenv,
    struct err *e)
{
	struct remote_target target = REMOTE_TARGET_INIT;
	struct cargo cargo = {.manifest = MANIFEST_INIT};
	struct upload u = {.target = &target, .n = c->n + 1,
	    .inbox = conf_get(call->conf, "orchestrator", "inbox"),
	    .is_dry_run = call->is_dry_run};
	int status = remote_target_read(&target, call->conf, "orchestrator", e);

	load(&cargo, c);
	u.name = cargo.name;
	u.files = cargo.files;
	if (status == 0)
		status = upload_run(&u, e);
	if (status == 0)
		log_notice("%s %s: %zu packages", u.was_there ?
		    "there already:" : call->is_dry_run ? "would send" : "sent",
		    cargo.name, c->n);
	if (status == 0 && dotenv >= 0 && !call->is_dry_run)
		status = write_dotenv(dotenv, c->build, cargo.name, e);
	unload(&cargo);
	remote_target_clear(&target);
	return status;
}

/* In the sandbox: packages are parsed here, and no file is opened to write. */
static int
send_packages(const struct tool_call *call, int dotenv, struct err *e)
{
	struct packages c;
	int status = packages_read(&c, call->conf, call->args, call->n_args,
	    options.release, options.build, options.may_be_older, e);

	if (status == 0 && c.n > MANIFEST_DROP_FILES)
		status = err_set(e, ERR_USAGE, "a drop takes at most %zu "
		    "packages, but there are %zu", MANIFEST_DROP_FILES, c.n);
	if (status == 0)
		status = upload(call, &c, dotenv, e);
	if (status == 0)
		status = print(&c, call->wants_json, e);
	packages_clear(&c);
	return status;
}

static int
cmd_send(const struct tool_call *call, struct err *e)
{
	static const struct strv nowhere = STRV_INIT;
	int dotenv = -1, status;

	if (options.dotenv != NULL) {
		dotenv = open(options.dotenv, O_WRONLY | O_CREAT | O_TRUNC |
		    O_CLOEXEC, 0644);
		if (dotenv < 0)
			return err_sys(e, "--output-dotenv '%s'",
			    options.dotenv);
	}
	status = sandbox_enter(&nowhere, e);
	if (status == 0)
		status = send_packages(call, dotenv, e);
	if (dotenv >= 0)
		close(dotenv);
	return status;
}

int
main(int argc, char **argv)
{
	static const struct tool_verb none[] = {{0}};
	static const struct tool_verb verb = {
		"send", "[FILE|DIR|-]...", "", 0,
		MANIFEST_DROP_FILES, cmd_send,
	};
	static const struct tool tool = {
		.name = "scp-to-orchestrator",
		.summary = "Send the built packages to build orchestration.",
		.manual = "scp-to-orchestrator(1)",
		.options = table,
		.verbs = none,
		.without_verb = &verb,
		.writers = "send",
		.readers = "send",
	};

	return tool_main(&tool, argc, argv);
}
