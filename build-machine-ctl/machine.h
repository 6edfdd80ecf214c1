/*
 * What the configuration says of the machine of a build, and how ours are
 * recognised: droplets by their name and all our tags, and what one attempt
 * made by its mark.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/frame/tool.h"

#define BUILD_SIZE 48	/* "amd64-deb", with what build_parse allows */

/* [digitalocean] name-format with the build in it; yours. ERR_CONFIG. */
char *machine_name(const struct conf *conf, const char *build, struct err *e);

/* The build whose machine has this name; false where there is none. */
bool machine_build(const struct conf *conf, const char *name,
    char build[BUILD_SIZE]);

/*
 * [digitalocean] tags: at least one, each as DigitalOcean allows them. The
 * name-format and the ttl are checked, too. ERR_CONFIG.
 */
int machine_tags(const struct conf *conf, struct strv *tags, struct err *e);

/* The arguments of a verb as builds, each once. ERR_USAGE. */
int machine_builds(const struct tool_call *call, struct strv *builds,
    struct err *e);

/*
 * A key of "[machine BUILD]", else the one of [digitalocean] where it has
 * such a key; NULL where there is neither.
 */
const char *machine_setting(const struct conf *conf, const char *build,
    const char *key);

/* True if a droplet that has `tags` has each of `ours`. */
bool machine_has_tags(const struct strv *tags, const struct strv *ours);

/*
 * A mark that no other attempt to make something has: "1795330830-9f86d081",
 * the second and 32 random bits. It can stand in a tag.
 */
#define MARK_SIZE 32
void machine_mark(char mark[MARK_SIZE]);
/* False for what is not a mark; else when it was made, if made is not NULL. */
bool machine_parse_mark(const char *mark, int64_t *made);

#endif
