/*
 * An SSH session as far as its host key: connected in time, by ~/.ssh/config
 * and those options of ours that it may not change, to the host that
 * known_hosts names. In this session login.h logs in, and subsystem.h opens a
 * channel.
 *
 *	struct session *s = session_open(&t, e);
 *	if (s != NULL && login_by_key(s, &t, e) == 0) ...
 *	session_close(s);
 *
 * libssh is known to session.c, login.c and subsystem.c.
 */
#ifndef LIB_SSH_SESSION_H
#define LIB_SSH_SESSION_H

#include <stdint.h>

#include "lib/base/err.h"
#include "lib/ssh/target.h"

struct ssh_session_struct;
struct ssh_key_struct;

/* NULL with the errors of remote_open, as far as they are those of this. */
struct session *session_open(const struct remote_target *t, struct err *e);
void session_close(struct session *s);	/* accepts NULL */

/* libssh's own; it does not block. */
struct ssh_session_struct *session_libssh(struct session *s);
/* "runner@orchestrator.example:22", or the host alone before it is known. */
const char *session_name(const struct session *s);
/* When session_open, the login and the channel must be done, by clock_ms. */
int64_t session_deadline(const struct session *s);

/*
 * After a call of libssh that was not finished: waits until there is more to
 * do. -1 past the deadline, after a signal, and where the line was cut.
 */
int session_wait(struct session *s, struct err *e);
/* Sets the error that libssh tells of, which is about the line; returns -1. */
int session_cut(struct session *s, const char *doing, struct err *e);

/* What libssh holds of this ssh_options_e, yours; NULL where nothing. */
char *session_option(struct session *s, int option);
/* "ssh-ed25519 SHA256:...", yours. */
char *session_fingerprint(struct ssh_key_struct *key);

#endif
