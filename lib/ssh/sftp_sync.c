/*
 * Directories that are on the disk with their names, where the far side can do
 * that: it is asked for all of them at once.
 */
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/ssh/sftp_request.h"
#include "lib/sys/log.h"

#define AT_ONCE ((size_t)SFTP_IN_FLIGHT / 2)	/* two requests each */

struct syncing {
	char *const *paths;
	size_t n;
	struct sftp_handle *handles;	/* of each; n 0: not open */
	size_t in_flight;
};

/* What cannot be opened, or synced, is left as it is. */
static int
opened(struct sftp *s, const struct sftp_request *r, struct packet *a,
    struct err *e)
{
	struct syncing *y = r->arg;
	struct packet_status status;

	(void)s;
	y->in_flight--;
	if (a->type != PACKET_STATUS)
		return sftp_get_handle(a, &y->handles[r->i], e);
	if (packet_get_refusal(a, &status, e) < 0)
		return -1;
	log_detail("'%s' not synced: %s", y->paths[r->i], status.text);
	return 0;
}

static int
synced(struct sftp *s, const struct sftp_request *r, struct packet *a,
    struct err *e)
{
	struct syncing *y = r->arg;
	struct packet_status status;

	(void)s;
	y->in_flight--;
	if (packet_get_status(a, &status, e) < 0)
		return -1;
	if (status.code != STATUS_OK)
		log_detail("'%s' not synced: %s", y->paths[r->i], status.text);
	return 0;
}

static struct sftp_request *
begin(struct sftp *s, struct syncing *y, size_t i, enum packet_type type,
    sftp_answered *answered, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, type, e);

	if (r == NULL)
		return NULL;
	r->i = i;
	r->arg = y;
	r->answered = answered;
	y->in_flight++;
	return r;
}

static int
ask_to_open(struct sftp *s, struct syncing *y, size_t i, struct err *e)
{
	struct sftp_request *r = begin(s, y, i, PACKET_OPEN, opened, e);

	if (r == NULL)
		return -1;
	sftp_add_open(s, y->paths[i], PACKET_FOR_READING);
	return sftp_send(s, r, NULL, 0, e);
}

static int
ask_to_sync(struct sftp *s, struct syncing *y, size_t i, struct err *e)
{
	struct sftp_request *r;

	if (y->handles[i].n == 0)
		return 0;
	if ((r = begin(s, y, i, PACKET_EXTENDED, synced, e)) == NULL)
		return -1;
	packet_string(&s->out, "fsync@openssh.com");
	sftp_add_handle(s, &y->handles[i]);
	if (sftp_send(s, r, NULL, 0, e) < 0 ||
	    (r = begin(s, y, i, PACKET_CLOSE, synced, e)) == NULL)
		return -1;
	sftp_add_handle(s, &y->handles[i]);
	return sftp_send(s, r, NULL, 0, e);
}

static int
ask_all(struct sftp *s, struct syncing *y,
    int (*ask)(struct sftp *, struct syncing *, size_t, struct err *),
    struct err *e)
{
	size_t i;

	for (i = 0; i < y->n; i++)
		if (ask(s, y, i, e) < 0)
			return -1;
	while (y->in_flight > 0)
		if (sftp_wait(s, e) < 0)
			return -1;
	return 0;
}

static int
sync_some(struct sftp *s, char *const *paths, size_t n, struct err *e)
{
	struct syncing y = {.paths = paths, .n = n,
	    .handles = mem_zero(n, sizeof(*y.handles))};
	int status = ask_all(s, &y, ask_to_open, e);

	if (status == 0)
		status = ask_all(s, &y, ask_to_sync, e);
	free(y.handles);
	return status;
}

int
sftp_sync_dirs(struct sftp *s, const struct strv *paths, struct err *e)
{
	size_t most = s->handles < AT_ONCE ? s->handles : AT_ONCE;
	size_t i, n;

	for (i = 0; s->has_fsync && i < paths->n; i += n) {
		n = paths->n - i < most ? paths->n - i : most;
		if (sync_some(s, paths->v + i, n, e) < 0)
			return -1;
	}
	return 0;
}
