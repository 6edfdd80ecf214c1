/*
 * Logging in with a key: the named one, or the usual ones and the ssh-agent's.
 */
#ifndef LIB_SSH_LOGIN_H
#define LIB_SSH_LOGIN_H

#include "lib/base/err.h"
#include "lib/ssh/session.h"

/*
 * Offers at most five keys, because sshd disconnects at the sixth.
 * ERR_REFUSED: none was taken (the text says which were offered) or there is
 * none, or the identity file is readable by others; ERR_MISSING: there is no
 * such file; ERR_DATA: it is not a key; ERR_AGAIN: no answer by the session's
 * deadline; ERR_SIGNAL.
 */
int login_by_key(struct session *s, const struct remote_target *t,
    struct err *e);

#endif
