/*
 * A configuration file, and the same bytes as an override.
 */
#include "lib/frame/conf.h"
#include "tests/fuzz/support.h"

static void
read_values(const struct conf *c)
{
	struct strv names = STRV_INIT, words = STRV_INIT;
	struct err e = ERR_INIT;

	conf_names(c, "suite", &names);
	conf_list(c, "release", "packages", &words);
	free(conf_path(c, "repository", "state"));
	must(conf_number(c, "signing", "min-days") <= 999999999);
	must(conf_duration(c, "digitalocean", "ttl") >= 0);
	if (conf_need(c, "deploy", "trusted-key", &e) == NULL)
		must_have_reason(&e);
	strv_clear(&names);
	strv_clear(&words);
}

static void
load(const char *file, const struct strv *overrides)
{
	struct err e = ERR_INIT;
	struct conf *c = conf_load(file, overrides, &e);

	if (c != NULL)
		read_values(c);
	else
		must_have_reason(&e);
	conf_free(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct strv overrides = STRV_INIT;
	int fd = file_of(data, n);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	load(path, &overrides);
	strv_take(&overrides, text_of(data, n));
	load("/dev/null", &overrides);
	strv_clear(&overrides);
	close(fd);
	return 0;
}
