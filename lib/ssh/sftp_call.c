/*
 * Fields that several requests have, and requests that are waited for one by
 * one.
 */
#include <string.h>

#include "lib/ssh/sftp_request.h"

/* -------------------------------------------------------------- fields */

void
sftp_add_handle(struct sftp *s, const struct sftp_handle *h)
{
	packet_bytes(&s->out, h->bytes, h->n);
}

void
sftp_add_open(struct sftp *s, const char *path, uint32_t flags)
{
	packet_string(&s->out, path);
	packet_u32(&s->out, flags);
	packet_u32(&s->out, PACKET_HAS_MODE);
	packet_u32(&s->out, 0644);
}

int
sftp_get_handle(struct packet *a, struct sftp_handle *h, struct err *e)
{
	const unsigned char *p;
	size_t n;

	if (packet_expect(a, PACKET_HANDLE, e) < 0)
		return -1;
	p = packet_get_bytes(a, &n);
	if (packet_check(a, e) < 0)
		return -1;
	if (n == 0 || n > sizeof(h->bytes))
		return err_set(e, ERR_PROTOCOL,
		    "the far side made a handle of %zu bytes", n);
	memcpy(h->bytes, p, n);
	h->n = n;
	return 0;
}

const unsigned char *
sftp_get_data(struct packet *a, size_t max, size_t *n, struct err *e)
{
	const unsigned char *p;

	if (packet_expect(a, PACKET_DATA, e) < 0)
		return NULL;
	p = packet_get_bytes(a, n);
	if (packet_check(a, e) < 0)
		return NULL;
	if (*n == 0 || *n > max) {
		err_set(e, ERR_PROTOCOL, "the far side sent %zu bytes where "
		    "%zu were asked for", *n, max);
		return NULL;
	}
	return p;
}

/* --------------------------------------------------------------- calls */

static int
keep(struct sftp *s, const struct sftp_request *r, struct packet *answer,
    struct err *e)
{
	(void)r;
	(void)e;
	s->kept.n = 0;
	buf_add(&s->kept, answer->p, answer->n);
	s->answer = *answer;
	s->answer.p = (const unsigned char *)s->kept.p;
	s->is_answered = true;
	return 0;
}

struct sftp_request *
sftp_call_begin(struct sftp *s, enum packet_type type, struct err *e)
{
	while (!sftp_has_room(s))
		if (sftp_wait(s, e) < 0)
			return NULL;
	return sftp_begin(s, type);
}

struct packet *
sftp_call(struct sftp *s, struct sftp_request *r, struct err *e)
{
	r->answered = keep;
	s->is_answered = false;
	if (sftp_send(s, r, NULL, 0, e) < 0)
		return NULL;
	while (!s->is_answered)
		if (sftp_wait(s, e) < 0)
			return NULL;
	return &s->answer;
}

int
sftp_call_status(struct sftp *s, struct sftp_request *r,
    struct packet_status *status, struct err *e)
{
	struct packet *a = sftp_call(s, r, e);

	if (a == NULL)
		return -1;
	return packet_get_status(a, status, e) < 0 ? sftp_break(s, e) : 0;
}

int
sftp_call_attributes(struct sftp *s, struct sftp_request *r,
    struct sftp_attributes *a, struct packet_status *status, struct err *e)
{
	struct packet *answer = sftp_call(s, r, e);
	int found;

	if (answer == NULL)
		return -1;
	found = packet_judge_attributes(answer, a, status, e);
	return found < 0 ? sftp_break(s, e) : found;
}

int
sftp_call_open(struct sftp *s, struct sftp_request *r, const char *path,
    struct sftp_handle *h, struct err *e)
{
	struct packet *a = sftp_call(s, r, e);
	struct packet_status status;

	if (a == NULL)
		return -1;
	if (a->type != PACKET_STATUS)
		return sftp_get_handle(a, h, e) < 0 ? sftp_break(s, e) : 0;
	if (packet_get_refusal(a, &status, e) < 0)
		return sftp_break(s, e);
	return packet_status_err(&status, e, "open '%s'", path);
}

int
sftp_open_to_read(struct sftp *s, const char *path, struct sftp_handle *h,
    struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_OPEN, e);

	if (r == NULL)
		return -1;
	sftp_add_open(s, path, PACKET_FOR_READING);
	return sftp_call_open(s, r, path, h, e);
}

/* Only reading is over: what the far side says of it does not matter. */
static int
sftp_close_handle(struct sftp *s, const struct sftp_handle *h, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_CLOSE, e);
	struct packet_status status;

	if (r == NULL)
		return -1;
	sftp_add_handle(s, h);
	return sftp_call_status(s, r, &status, e);
}

int
sftp_close_after(struct sftp *s, const struct sftp_handle *h, int done,
    struct err *e)
{
	struct err unused = ERR_INIT;

	return sftp_close_handle(s, h, done < 0 ? &unused : e) < 0 ? -1 : done;
}
