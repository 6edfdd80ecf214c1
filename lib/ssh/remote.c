#include "lib/ssh/remote.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/ssh/login.h"
#include "lib/ssh/session.h"
#include "lib/ssh/subsystem.h"

struct remote {
	struct session *session;
	struct subsystem *sftp;
};

struct remote *
remote_open(const struct remote_target *t, struct err *e)
{
	struct remote *r = mem_zero(1, sizeof(*r));

	r->session = session_open(t, e);
	if (r->session != NULL && (login_by_key(r->session, t, e) < 0 ||
	    (r->sftp = subsystem_open(r->session, e)) == NULL))
		err_wrap(e, "%s", session_name(r->session));
	if (r->sftp != NULL)
		return r;
	remote_close(r);
	return NULL;
}

void
remote_close(struct remote *r)
{
	if (r == NULL)
		return;
	subsystem_close(r->sftp);
	session_close(r->session);
	free(r);
}

const struct sftp_stream *
remote_stream(struct remote *r)
{
	return subsystem_stream(r->sftp);
}

unsigned
remote_round_trip(const struct remote *r)
{
	return subsystem_round_trip(r->sftp);
}

const char *
remote_name(const struct remote *r)
{
	return session_name(r->session);
}
