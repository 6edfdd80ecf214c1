#include "build-machine-ctl/machine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/clock.h"
#include "lib/tree/build.h"

#define NAME_LIMIT 255
#define TAG_LIMIT 255
#define RANDOM_DIGITS 8

/* droplet_create.yml: letters, digits, dots and dashes; not at the end. */
static bool
is_droplet_name(const char *name)
{
	size_t n = strlen(name), i;

	if (n == 0 || n > NAME_LIMIT || !isalnum((unsigned char)name[n - 1]))
		return false;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) &&
		    name[i] != '.' && name[i] != '-')
			return false;
	return true;
}

/* tags.yml */
static bool
is_tag(const char *tag)
{
	size_t n = strlen(tag), i;

	if (n == 0 || n > TAG_LIMIT)
		return false;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)tag[i]) && tag[i] != '_' &&
		    tag[i] != '-' && tag[i] != ':')
			return false;
	return true;
}

/* Also in a tag: no dots, which a package's architecture may have. */
static bool
is_build(const char *text)
{
	struct build parsed;

	return strlen(text) < BUILD_SIZE && build_parse(text, &parsed) &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
	    strlen(text);
}

/* The format's parts before and after "%s"; false where it has not just one. */
static bool
split_format(const char *format, size_t *before, const char **after)
{
	const char *percent = strchr(format, '%');

	if (percent == NULL || percent[1] != 's' ||
	    strchr(percent + 1, '%') != NULL)
		return false;
	*before = (size_t)(percent - format);
	*after = percent + 2;
	return true;
}

char *
machine_name(const struct conf *conf, const char *build, struct err *e)
{
	const char *format = conf_get(conf, "digitalocean", "name-format");
	const char *after;
	size_t before;
	char *name;

	if (!split_format(format, &before, &after)) {
		err_set(e, ERR_CONFIG, "[digitalocean] name-format '%s' "
		    "must have exactly one %%s, for the build", format);
		return NULL;
	}
	name = mem_format("%.*s%s%s", (int)before, format, build, after);
	if (is_droplet_name(name))
		return name;
	err_set(e, ERR_CONFIG, "[digitalocean] name-format makes '%s': the "
	    "name of a droplet may have only letters, digits, dots and "
	    "dashes", name);
	free(name);
	return NULL;
}

bool
machine_build(const struct conf *conf, const char *name,
    char build[BUILD_SIZE])
{
	const char *format = conf_get(conf, "digitalocean", "name-format");
	const char *after;
	size_t before, n = strlen(name);

	if (!split_format(format, &before, &after) ||
	    n < before + strlen(after) ||
	    strncmp(name, format, before) != 0 ||
	    strcmp(name + n - strlen(after), after) != 0)
		return false;
	n -= before + strlen(after);
	if (n >= BUILD_SIZE)
		return false;
	memcpy(build, name + before, n);
	build[n] = '\0';
	return is_build(build);
}

int
machine_tags(const struct conf *conf, struct strv *tags, struct err *e)
{
	char *name = machine_name(conf, "amd64-deb", e);
	size_t i;

	if (name == NULL)
		return -1;
	free(name);
	if (conf_duration(conf, "digitalocean", "ttl") == 0)
		return err_set(e, ERR_CONFIG, "[digitalocean] ttl is 0: "
		    "every machine would expire at once");
	conf_list(conf, "digitalocean", "tags", tags);
	if (tags->n == 0)
		return err_set(e, ERR_CONFIG, "[digitalocean] tags is empty: "
		    "every droplet of the account could be taken for ours");
	for (i = 0; i < tags->n; i++)
		if (!is_tag(tags->v[i]))
			return err_set(e, ERR_CONFIG, "[digitalocean] tags: "
			    "'%s' is not a tag: it may have only letters, "
			    "digits, '_', '-' and ':'", tags->v[i]);
	return 0;
}

int
machine_builds(const struct tool_call *call, struct strv *builds,
    struct err *e)
{
	size_t i;

	for (i = 0; i < call->n_args; i++) {
		if (!is_build(call->args[i]))
			return err_set(e, ERR_USAGE, "'%s' is not a build: "
			    "write an architecture and a format, like "
			    "amd64-deb",
			    call->args[i]);
		if (!strv_has(builds, call->args[i]))
			strv_add(builds, call->args[i]);
	}
	return 0;
}

const char *
machine_setting(const struct conf *conf, const char *build, const char *key)
{
	char section[16 + BUILD_SIZE];
	const char *value;

	snprintf(section, sizeof(section), "machine %s", build);
	value = conf_get(conf, section, key);
	if (value == NULL && (strcmp(key, "size") == 0 ||
	    strcmp(key, "region") == 0))
		value = conf_get(conf, "digitalocean", key);
	return value;
}

/* DigitalOcean's tags are case-stable: another case is the same tag. */
bool
machine_has_tags(const struct strv *tags, const struct strv *ours)
{
	size_t i, j;

	for (i = 0; i < ours->n; i++) {
		for (j = 0; j < tags->n; j++)
			if (strcasecmp(tags->v[j], ours->v[i]) == 0)
				break;
		if (j == tags->n)
			return false;
	}
	return true;
}

void
machine_mark(char mark[MARK_SIZE])
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		abort();	/* never for so few bytes */
	snprintf(mark, MARK_SIZE, "%lld-%08x", (long long)clock_now(),
	    random);
}

bool
machine_parse_mark(const char *mark, int64_t *made)
{
	size_t digits = strspn(mark, "0123456789");

	if (digits == 0 || digits > 12 || mark[digits] != '-' ||
	    strspn(mark + digits + 1, "0123456789abcdef") != RANDOM_DIGITS ||
	    mark[digits + 1 + RANDOM_DIGITS] != '\0')
		return false;
	if (made != NULL)
		*made = strtoll(mark, NULL, 10);
	return true;
}
