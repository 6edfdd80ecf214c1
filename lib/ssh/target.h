/*
 * Where an SSH connection goes, and as whom: a section of the configuration.
 */
#ifndef LIB_SSH_TARGET_H
#define LIB_SSH_TARGET_H

#include "lib/base/err.h"
#include "lib/frame/conf.h"

/* [orchestrator] or [repo-server] of the configuration. */
struct remote_target {
	const char *section;	/* borrowed; for messages */
	char *host;		/* or an alias of ~/.ssh/config */
	unsigned port;		/* 0: as ~/.ssh/config says, else 22 */
	char *user;		/* NULL: as ~/.ssh/config says */
	char *identity_file;	/* NULL: as ~/.ssh/config says, the agent */
	char *known_hosts;	/* NULL: the user's and the system's */
	int connect_ms;		/* for all of remote_open; 0: 30 seconds */
};
#define REMOTE_TARGET_INIT {.host = NULL}

/* ERR_CONFIG where host is not set. */
int remote_target_read(struct remote_target *t, const struct conf *conf,
    const char *section, struct err *e);
void remote_target_clear(struct remote_target *t);

#endif
