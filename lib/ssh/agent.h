/*
 * The keys of the user's ssh-agent (draft-ietf-sshm-ssh-agent), few and in
 * time. libssh offers all that an agent holds, until the server disconnects,
 * and waits for an agent without end. So it never gets the agent, but an end
 * of a socket pair in which all answers lie ready: that there is one key, and
 * its signature. What there is to be signed, libssh alone knows: it is asked
 * twice, and does without a signature the first time.
 *
 *	struct agent *a = agent_open(&wanted, false, 5, deadline);
 *	for (i = 0; i < agent_count(a); i++) {
 *		agent_show(a, i, e);	(libssh offers the key; if the
 *					server takes it, it asks in vain)
 *		if (agent_sign(a, e) > 0)
 *			...		(the same again, and it gets it)
 *	}
 *	agent_close(a);
 */
#ifndef LIB_SSH_AGENT_H
#define LIB_SSH_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

/*
 * At most max keys of the agent of SSH_AUTH_SOCK, those in wanted (base64, as
 * in a .pub file) first, and with only_wanted no other. NULL where there is no
 * agent that answers by the deadline (of clock_ms), or no such key.
 */
struct agent *agent_open(const struct strv *wanted, bool only_wanted,
    size_t max, int64_t deadline);
size_t agent_count(const struct agent *a);
void agent_close(struct agent *a);	/* accepts NULL */

/*
 * A descriptor for libssh, at which the agent holds key i alone. It is the same
 * one each time, and becomes libssh's to close. -1 with the error.
 */
int agent_show(struct agent *a, size_t i, struct err *e);

/*
 * If libssh has asked for a signature with the key that is shown: has the agent
 * make it, and shows the key anew, with the signature: 1. 0: it has not asked,
 * or the agent will not sign. -1: ERR_REFUSED, the agent does not answer by the
 * deadline; ERR_SIGNAL.
 */
int agent_sign(struct agent *a, struct err *e);

#endif
