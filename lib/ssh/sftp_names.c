/*
 * Names, and whole files read.
 */
#include <string.h>

#include "lib/ssh/sftp_request.h"

/* A request that is a path, and nothing to be told but whether it was done. */
static int
do_to(struct sftp *s, enum packet_type type, const char *verb,
    const char *path, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, type, e);
	struct packet_status status;

	if (r == NULL)
		return -1;
	packet_string(&s->out, path);
	if (sftp_call_status(s, r, &status, e) < 0)
		return -1;
	if (status.code != STATUS_OK)
		return packet_status_err(&status, e, "%s '%s'", verb, path);
	return 0;
}

int
sftp_remove(struct sftp *s, const char *path, struct err *e)
{
	return do_to(s, PACKET_REMOVE, "remove", path, e);
}

int
sftp_remove_dir(struct sftp *s, const char *path, struct err *e)
{
	return do_to(s, PACKET_RMDIR, "remove directory", path, e);
}

int
sftp_touch(struct sftp *s, const char *path, int64_t modified, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_SETSTAT, e);
	uint32_t now = (uint32_t)modified;	/* version 3 has no more */
	struct packet_status status;

	if (r == NULL)
		return -1;
	packet_string(&s->out, path);
	packet_u32(&s->out, PACKET_HAS_TIMES);
	packet_u32(&s->out, now);
	packet_u32(&s->out, now);
	if (sftp_call_status(s, r, &status, e) < 0)
		return -1;
	if (status.code != STATUS_OK)
		return packet_status_err(&status, e, "touch '%s'", path);
	return 0;
}

/* ---------------------------------------------------------- attributes */

static int
look_at(struct sftp *s, const char *path, struct sftp_attributes *a,
    struct packet_status *status, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_LSTAT, e);

	if (r == NULL)
		return -1;
	packet_string(&s->out, path);
	return sftp_call_attributes(s, r, a, status, e);
}

int
sftp_stat(struct sftp *s, const char *path, struct sftp_attributes *a,
    struct err *e)
{
	struct packet_status status;
	int found = look_at(s, path, a, &status, e);

	if (found == 0)
		return packet_status_err(&status, e, "look at '%s'", path);
	return found < 0 ? -1 : 0;
}

/*
 * OpenSSH's RENAME links and unlinks a file, and looks before it renames a
 * directory; that a name was taken is said by neither.
 */
int
sftp_rename(struct sftp *s, const char *from, const char *to, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_RENAME, e);
	struct packet_status status, unused;
	struct sftp_attributes a;
	int found;

	if (r == NULL)
		return -1;
	packet_string(&s->out, from);
	packet_string(&s->out, to);
	if (sftp_call_status(s, r, &status, e) < 0)
		return -1;
	if (status.code == STATUS_OK)
		return 0;
	if ((found = look_at(s, to, &a, &unused, e)) < 0)
		return -1;
	if (found > 0)
		status.code = STATUS_EXISTS;
	return packet_status_err(&status, e, "rename '%s' to '%s'", from, to);
}

/* ------------------------------------------------------------- reading */

struct reading {
	const char *path;
	struct sftp_handle handle;
	char *data;
	size_t size;
	size_t in_flight;
	struct err error;	/* the first */
};

/* A READ of a file gives all, but for the last one before the end. */
static void
fail_reading(struct reading *reading, const struct packet_status *status,
    const struct sftp_request *r)
{
	if (reading->error.kind != ERR_NONE)
		return;
	if (status->code == STATUS_EOF)
		err_set(&reading->error, ERR_PROTOCOL, "read '%s': it ends "
		    "before %zu bytes, its size is %zu", reading->path,
		    r->i + r->reading, reading->size);
	else
		packet_status_err(status, &reading->error, "read '%s'",
		    reading->path);
}

static int
took_piece(struct sftp *s, const struct sftp_request *r, struct packet *a,
    struct err *e)
{
	struct reading *reading = r->arg;
	struct packet_status status, end = {.code = STATUS_EOF};
	const unsigned char *p;
	size_t n;

	(void)s;
	reading->in_flight--;
	if (a->type == PACKET_STATUS) {
		if (packet_get_refusal(a, &status, e) < 0)
			return -1;
		fail_reading(reading, &status, r);
		return 0;
	}
	if ((p = sftp_get_data(a, r->reading, &n, e)) == NULL)
		return -1;
	memcpy(reading->data + r->i, p, n);
	if (n < r->reading)
		fail_reading(reading, &end, r);
	return 0;
}

static int
ask_piece(struct sftp *s, struct reading *reading, size_t at, size_t n,
    struct err *e)
{
	struct sftp_request *r = sftp_begin(s, PACKET_READ);

	sftp_add_handle(s, &reading->handle);
	packet_u64(&s->out, at);
	packet_u32(&s->out, (uint32_t)n);
	r->answered = took_piece;
	r->arg = reading;
	r->i = at;
	r->reading = n;
	reading->in_flight++;
	return sftp_send(s, r, NULL, 0, e);
}

/* All of it into reading->data, pieces in flight. */
static int
read_pieces(struct sftp *s, struct reading *reading, struct err *e)
{
	size_t at = 0, n;

	while (at < reading->size || reading->in_flight > 0) {
		if (reading->error.kind != ERR_NONE)
			at = reading->size;
		n = reading->size - at;
		if (n > s->chunk)
			n = s->chunk;
		if (n > 0 && sftp_has_room(s) && sftp_may_read(s, n)) {
			if (ask_piece(s, reading, at, n, e) < 0)
				return -1;
			at += n;
		} else if (sftp_wait(s, e) < 0) {
			return -1;
		}
	}
	if (reading->error.kind == ERR_NONE)
		return 0;
	*e = reading->error;
	return -1;
}

static int
read_handle(struct sftp *s, struct reading *reading, size_t max,
    struct buf *b, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_FSTAT, e);
	struct sftp_attributes a;
	struct packet_status status;
	int found;

	if (r == NULL)
		return -1;
	sftp_add_handle(s, &reading->handle);
	if ((found = sftp_call_attributes(s, r, &a, &status, e)) < 0)
		return -1;
	if (found == 0)
		return packet_status_err(&status, e, "look at '%s'",
		    reading->path);
	if (!a.is_file)
		return err_set(e, ERR_DATA, "'%s' is not a file",
		    reading->path);
	if (a.size > max)
		return err_set(e, ERR_DATA, "'%s' has more than %zu bytes",
		    reading->path, max);
	reading->size = (size_t)a.size;
	reading->data = buf_room(b, reading->size);
	return read_pieces(s, reading, e);
}

int
sftp_read(struct sftp *s, const char *path, size_t max, struct buf *b,
    struct err *e)
{
	struct reading reading = {.path = path, .error = ERR_INIT};
	int status;

	if (sftp_open_to_read(s, path, &reading.handle, e) < 0)
		return -1;
	status = sftp_close_after(s, &reading.handle,
	    read_handle(s, &reading, max, b, e), e);
	if (status == 0)
		b->n += reading.size;
	if (b->p != NULL)
		b->p[b->n] = '\0';
	return status;
}
