/*
 * An SSH connection by libssh, as strict as it can be: the host key must be
 * known, whatever ~/.ssh/config says; one key or the agent; nothing waits for
 * ever. All that is needed of the server is its sftp subsystem.
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

#include "lib/base/err.h"
#include "lib/ssh/sftp.h"
#include "lib/ssh/target.h"

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
