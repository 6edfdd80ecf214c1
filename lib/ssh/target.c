#include "lib/ssh/target.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

static char *
copy_value(const struct conf *conf, const char *section, const char *key)
{
	const char *value = conf_get(conf, section, key);

	return value != NULL && *value != '\0' ? mem_dup(value) : NULL;
}

int
remote_target_read(struct remote_target *t, const struct conf *conf,
    const char *section, struct err *e)
{
	const char *host = conf_need(conf, section, "host", e);
	int64_t seconds = conf_duration(conf, section, "connect-timeout");
	uint64_t port = conf_number(conf, section, "port");

	if (host == NULL)
		return -1;
	if (port > 65535)
		return err_set(e, ERR_CONFIG, "[%s] port is more than 65535",
		    section);
	*t = (struct remote_target)REMOTE_TARGET_INIT;
	t->section = section;
	t->host = mem_dup(host);
	t->port = (unsigned)port;
	t->user = copy_value(conf, section, "user");
	t->identity_file = conf_path(conf, section, "identity-file");
	t->known_hosts = conf_path(conf, section, "known-hosts");
	t->connect_ms = seconds > 86400 ? 86400000 : (int)seconds * 1000;
	return 0;
}

void
remote_target_clear(struct remote_target *t)
{
	free(t->host);
	free(t->user);
	free(t->identity_file);
	free(t->known_hosts);
	*t = (struct remote_target)REMOTE_TARGET_INIT;
}
