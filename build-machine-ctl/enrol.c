#include "build-machine-ctl/enrol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/machine.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/http/json.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"

#define SCRIPT_FILE "/usr/local/sbin/build-machine-enrol"
#define TOKEN_FILE "/run/build-machine.token"	/* in memory */

/*
 * The script, enrol.sh, as it is; a C string could not be read, or checked by
 * tools for shell scripts.
 */
__asm__(".section .rodata\n"
    "enrol_script:\n"
    ".incbin \"build-machine-ctl/enrol.sh\"\n"
    ".byte 0\n"
    ".previous\n");
extern const char enrol_script[] __attribute__((visibility("hidden")));

/* -------------------------------------------------------------- the values */

/*
 * A control character could end the line it stands in, and YAML takes some of
 * Unicode for line breaks, or for nothing at all.
 */
static bool
is_writable(const char *value)
{
	static const char *const refused[] = {
		"\xe2\x80\xa8", "\xe2\x80\xa9",	/* U+2028, U+2029 */
		"\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf", /* U+FEFF... */
	};
	struct buf harmless = BUF_INIT;
	bool is_same;
	size_t i;

	log_harmless(&harmless, value);
	is_same = strcmp(buf_cstr(&harmless), value) == 0;
	buf_clear(&harmless);
	for (i = 0; i < COUNT(refused) && is_same; i++)
		is_same = strstr(value, refused[i]) == NULL;
	return is_same;
}

static int
quote(struct buf *script, const char *what, const char *value, struct err *e)
{
	const char *p;

	if (!is_writable(value))
		return err_set(e, ERR_CONFIG, "%s '%s' holds a control "
		    "character or is not UTF-8", what, value);
	buf_str(script, "'");
	for (p = value; *p != '\0'; p++)
		if (*p == '\'')
			buf_str(script, "'\\''");
		else
			buf_add(script, p, 1);
	buf_str(script, "'");
	return 0;
}

static int
variable_add(struct buf *script, const char *name, const char *what,
    const char *value, struct err *e)
{
	buf_addf(script, "%s=", name);
	if (quote(script, what, value ? value : "", e) < 0)
		return -1;
	buf_str(script, "\n");
	return 0;
}

static int
packages_add(struct buf *script, const struct conf *conf, struct err *e)
{
	struct strv names = STRV_INIT;
	int status = 0;
	size_t i;

	conf_list(conf, "enrol", "packages", &names);
	buf_str(script, "packages=(");
	for (i = 0; i < names.n && status == 0; i++) {
		buf_str(script, i > 0 ? " " : "");
		status = quote(script, "[enrol] packages", names.v[i], e);
	}
	buf_str(script, ")\n");
	strv_clear(&names);
	return status;
}

/* The URL of something that is trusted because of where it comes from. */
static const char *
https_url(const struct conf *conf, const char *key, struct err *e)
{
	const char *url = conf_need(conf, "enrol", key, e);

	if (url != NULL && !path_starts_with(url, "https://")) {
		err_set(e, ERR_CONFIG, "[enrol] %s = '%s': must be https://",
		    key, url);
		return NULL;
	}
	return url;
}

static const char *
earthly_hash(const struct conf *conf, struct err *e)
{
	const char *hex = conf_need(conf, "enrol", "earthly-sha256", e);

	if (hex != NULL && (strlen(hex) != 64 ||
	    strspn(hex, "0123456789abcdefABCDEF") != 64)) {
		err_set(e, ERR_CONFIG, "[enrol] earthly-sha256 = '%s': must "
		    "be 64 hexadecimal digits", hex);
		return NULL;
	}
	return hex;
}

static int
variables_add(struct buf *script, const struct conf *conf,
    const char *machine_name, struct err *e)
{
	const char *key_url = https_url(conf, "runner-key-url", e);
	const char *earthly_url, *sha256;

	earthly_url = key_url ? https_url(conf, "earthly-url", e) : NULL;
	sha256 = earthly_url ? earthly_hash(conf, e) : NULL;
	if (sha256 == NULL)
		return -1;
	buf_addf(script, "ttl=%lld\n",
	    (long long)conf_duration(conf, "digitalocean", "ttl"));
	if (variable_add(script, "gitlab_url", "[gitlab] url",
	    conf_get(conf, "gitlab", "url"), e) < 0 ||
	    variable_add(script, "description", "the machine's name",
	    machine_name, e) < 0 ||
	    packages_add(script, conf, e) < 0 ||
	    variable_add(script, "runner_key_url", "[enrol] runner-key-url",
	    key_url, e) < 0 ||
	    variable_add(script, "runner_repository",
	    "[enrol] runner-repository",
	    conf_get(conf, "enrol", "runner-repository"), e) < 0 ||
	    variable_add(script, "runner_version", "[enrol] runner-version",
	    conf_get(conf, "enrol", "runner-version"), e) < 0 ||
	    variable_add(script, "earthly_url", "[enrol] earthly-url",
	    earthly_url, e) < 0 ||
	    variable_add(script, "earthly_sha256", "[enrol] earthly-sha256",
	    sha256, e) < 0)
		return -1;
	return 0;
}

/* ---------------------------------------------------------------- the YAML */

/* A double-quoted scalar; the text has passed is_writable. */
static void
yaml_quote(struct buf *out, const char *text)
{
	const char *p;

	buf_str(out, "\"");
	for (p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_str(out, "\\");
		buf_add(out, p, 1);
	}
	buf_str(out, "\"");
}

/* The lines of a block scalar. */
static void
yaml_block(struct buf *out, const char *text)
{
	const char *end;

	for (; *text != '\0'; text = end) {
		end = strchr(text, '\n') + 1;
		if (*text != '\n')
			buf_str(out, "      ");
		buf_add(out, text, (size_t)(end - text));
	}
}

static void
file_add(struct buf *out, const char *path, const char *mode)
{
	buf_str(out, "  - path: ");
	yaml_quote(out, path);
	buf_str(out, "\n    owner: \"root:root\"\n    permissions: ");
	yaml_quote(out, mode);
	buf_str(out, "\n    content: ");
}

static void
yaml_write(struct buf *out, const char *script, const char *token)
{
	buf_str(out, "#cloud-config\nwrite_files:\n");
	file_add(out, TOKEN_FILE, "0600");
	yaml_quote(out, token);
	buf_str(out, "\n");
	file_add(out, SCRIPT_FILE, "0700");
	buf_str(out, "|\n");
	yaml_block(out, script);
	buf_str(out, "runcmd:\n  - [\"" SCRIPT_FILE "\"]\n");
}

int
enrol_write(const struct conf *conf, const char *build,
    const char *machine_name, const char *runner_token, struct buf *out,
    struct err *e)
{
	struct buf script = BUF_INIT;
	size_t before = out->n;
	int status;

	buf_str(&script, "#!/bin/bash\n");
	status = variables_add(&script, conf, machine_name, e);
	if (status == 0 && !is_writable(runner_token))
		status = err_set(e, ERR_PROTOCOL,
		    "the runner's token holds a control character");
	if (status == 0) {
		buf_str(&script, enrol_script);
		yaml_write(out, buf_cstr(&script), runner_token);
	}
	if (status == 0 && out->n - before > ENROL_LIMIT)
		status = err_set(e, ERR_CONFIG, "%zu bytes are more than the "
		    "%zu that DigitalOcean accepts", out->n - before,
		    ENROL_LIMIT);
	buf_clear(&script);
	return status < 0 ? err_wrap(e, "user-data of %s", build) : 0;
}

/* ------------------------------------------------------ the configuration */

static int
try_enrol(const struct conf *conf, const char *build, bool has_gitlab,
    struct err *e)
{
	struct buf trial = BUF_INIT;
	char *name;
	int status;

	if (machine_setting(conf, build, "runner-tags") == NULL)
		return err_set(e, ERR_CONFIG, "set runner-tags in [machine "
		    "%s]: without tags its runner gets no jobs", build);
	if (!has_gitlab)
		return err_set(e, ERR_CONFIG, "user-data = enrol in [machine "
		    "%s] needs [gitlab] project and a token", build);
	name = machine_name(conf, build, e);
	if (name == NULL)
		return -1;
	status = enrol_write(conf, build, name, "glrt-trial", &trial, e);
	buf_clear(&trial);
	free(name);
	return status;
}

int
enrol_read_user_data(const struct conf *conf, const char *build,
    bool has_gitlab, struct buf *text, bool *enrols, struct err *e)
{
	const char *value = machine_setting(conf, build, "user-data");
	char section[16 + BUILD_SIZE], *path;
	int status;

	*enrols = value != NULL && strcmp(value, "enrol") == 0;
	if (value == NULL)
		return 0;
	if (*enrols)
		return try_enrol(conf, build, has_gitlab, e);
	snprintf(section, sizeof(section), "machine %s", build);
	path = conf_path(conf, section, "user-data");
	status = fs_read_path(path, ENROL_LIMIT, text, e);
	if (status == 0 && !json_can_hold(text->p, text->n))
		status = err_set(e, ERR_CONFIG, "'%s' is not UTF-8 text, and "
		    "DigitalOcean accepts nothing else", path);
	free(path);
	return status < 0 ? err_wrap(e, "[%s] user-data", section) : 0;
}
