/*
 * An SSH connection by libssh, as strict as it can be: the host key must be
 * known, whatever ~/.ssh/config says; one key or the agent; nothing waits for
 * ever. All that is needed of the far side is its sftp subsystem; where the
 * account may run commands, they can make things faster.
 *
 *	struct remote_target t = REMOTE_TARGET_INIT;
 *	remote_target_read(&t, conf, "orchestrator", e);
 *	struct remote *r = remote_open(&t, e);
 *	struct sftp *s = sftp_open(remote_stream(r), e);
 *	...
 *	sftp_close(s);
 *	remote_close(r);
 *	remote_target_clear(&t);
 *
 * Not for two threads at once: each opens its own.
 */
#ifndef LIB_SSH_REMOTE_H
#define LIB_SSH_REMOTE_H

#include <stdint.h>

#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/ssh/sftp.h"

/* [orchestrator] or [repo-server] of the configuration. */
struct remote_target {
	const char *section;	/* borrowed; for messages */
	char *host;		/* or an alias of ~/.ssh/config */
	unsigned port;		/* 0: as ~/.ssh/config says, else 22 */
	char *user;		/* NULL: as ~/.ssh/config says */
	char *identity_file;	/* NULL: as ~/.ssh/config says, the agent */
	char *known_hosts;	/* NULL: the user's and the system's */
	int connect_ms;		/* for all of remote_open */
};
#define REMOTE_TARGET_INIT {.host = NULL}

/* ERR_CONFIG where host is not set. */
int remote_target_read(struct remote_target *t, const struct conf *conf,
    const char *section, struct err *e);
void remote_target_clear(struct remote_target *t);

/*
 * Connects, compares the host key, logs in, and asks for the sftp subsystem.
 * ERR_AGAIN: cannot be reached, silent, cut; ERR_UNAVAILABLE: no such host;
 * ERR_REFUSED: the host key is unknown, changed or revoked (the text shows its
 * SHA-256 fingerprint, the file, and the remedy), the login is refused, the
 * identity file is readable by others; ERR_PROTOCOL: not SSH, no sftp there;
 * ERR_MISSING: no identity file; ERR_SIGNAL.
 */
struct remote *remote_open(const struct remote_target *t, struct err *e);
void remote_close(struct remote *r);	/* accepts NULL */

/*
 * The same for commands, without sftp: an account may be allowed one session
 * at a time. remote_run begins one, in the account's own shell, with no input;
 * remote_run_read adds what it prints to out: 1 at its end, 0 where nothing
 * more came within ms, -1 where the connection is gone or out would have more
 * than max bytes. ERR_PROTOCOL: the account runs no commands. Where one is
 * forced upon it, that one runs: what is printed need not be an answer.
 */
struct remote *remote_open_to_run(const struct remote_target *t,
    struct err *e);
int remote_run(struct remote *r, const char *command, struct err *e);
int remote_run_read(struct remote *r, struct buf *out, size_t max, int ms,
    struct err *e);

/* Belongs to r. */
const struct sftp_stream *remote_stream(struct remote *r);

/*
 * The round trip in microseconds: as the kernel has measured it, or what it
 * took to open the channel, where that is more: there are hosts between.
 */
unsigned remote_round_trip(const struct remote *r);

/* "runner@orchestrator.example:22", for messages; belongs to r. */
const char *remote_name(const struct remote *r);

#endif
