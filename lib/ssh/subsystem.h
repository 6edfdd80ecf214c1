/*
 * The subsystem sftp, on a channel of an SSH session, as the stream that sftp.h
 * wants.
 */
#ifndef LIB_SSH_SUBSYSTEM_H
#define LIB_SSH_SUBSYSTEM_H

#include "lib/base/err.h"
#include "lib/ssh/session.h"
#include "lib/ssh/sftp.h"

/*
 * The session, which is logged in, is borrowed. ERR_PROTOCOL: no sftp for this
 * account; ERR_AGAIN: the line was cut, perhaps by sshd, or the session's
 * deadline has passed; ERR_SIGNAL.
 */
struct subsystem *subsystem_open(struct session *session, struct err *e);
void subsystem_close(struct subsystem *s);	/* accepts NULL */

/* Belongs to s. */
const struct sftp_stream *subsystem_stream(const struct subsystem *s);

/*
 * The round trip in microseconds: as the kernel has measured it, or what it
 * took to open the channel, where that is more: there are hosts between.
 */
unsigned subsystem_round_trip(const struct subsystem *s);

#endif
