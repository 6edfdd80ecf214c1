#include "lib/ssh/files.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/sys/log.h"

#define NAMES_MAX 100000
#define NAME_LONGEST 255
#define READDIRS 16		/* in flight; OpenSSH gives 100 names each */
#define SYNCS ((size_t)SFTP_IN_FLIGHT / 2)	/* at once; two requests each */

/* --------------------------------------------------------------- names */

/* A request that is a path, and nothing to be told but whether it was done. */
static int
do_to(struct sftp *s, enum packet_type type, const char *verb,
    const char *path, struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, type, e);
	struct packet_status status;

	if (r == NULL)
		return -1;
	packet_string(sftp_out(s), path);
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
	packet_string(sftp_out(s), path);
	be32_add(sftp_out(s), PACKET_HAS_TIMES);
	be32_add(sftp_out(s), now);
	be32_add(sftp_out(s), now);
	if (sftp_call_status(s, r, &status, e) < 0)
		return -1;
	if (status.code != STATUS_OK)
		return packet_status_err(&status, e, "set the time of '%s'",
		    path);
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
	packet_string(sftp_out(s), path);
	return sftp_call_attributes(s, r, a, status, e);
}

int
sftp_stat(struct sftp *s, const char *path, struct sftp_attributes *a,
    struct err *e)
{
	struct packet_status status;
	int found = look_at(s, path, a, &status, e);

	if (found == 0)
		return packet_status_err(&status, e, "stat '%s'", path);
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
	packet_string(sftp_out(s), from);
	packet_string(sftp_out(s), to);
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
		    "before byte %zu of %zu", reading->path,
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
	be64_add(sftp_out(s), at);
	be32_add(sftp_out(s), (uint32_t)n);
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

	for (;;) {
		if (reading->error.kind != ERR_NONE)
			at = reading->size;
		if (at == reading->size && reading->in_flight == 0)
			break;
		n = reading->size - at;
		if (n > sftp_peer(s)->chunk)
			n = sftp_peer(s)->chunk;
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
		return packet_status_err(&status, e, "stat '%s'",
		    reading->path);
	if (!a.is_file)
		return err_set(e, ERR_DATA, "'%s' is not a regular file",
		    reading->path);
	if (a.size > max)
		return err_set(e, ERR_DATA, "'%s' is larger than %zu bytes",
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

/* ------------------------------------------------------------- listing */

struct listing {
	const char *path;
	struct sftp_handle handle;
	struct strv *names;
	size_t n;		/* with "." and ".." */
	size_t in_flight;
	bool is_over;
	struct err error;
};

static int
open_to_list(struct sftp *s, const char *path, struct sftp_handle *h,
    struct err *e)
{
	struct sftp_request *r = sftp_call_begin(s, PACKET_OPENDIR, e);

	if (r == NULL)
		return -1;
	packet_string(sftp_out(s), path);
	return sftp_call_open(s, r, path, h, e);
}

static bool
is_name(const unsigned char *p, size_t n)
{
	return n > 0 && n <= NAME_LONGEST && memchr(p, '/', n) == NULL &&
	    memchr(p, '\0', n) == NULL;
}

static int
take_name(struct listing *l, struct packet *a, struct err *e)
{
	struct sftp_attributes unused;
	const unsigned char *name;
	size_t n, long_n;

	name = packet_get_bytes(a, &n);
	(void)packet_get_bytes(a, &long_n);
	(void)packet_get_attributes(a, &unused);
	if (packet_check(a, e) < 0)
		return -1;
	if (!is_name(name, n))
		return err_set(e, ERR_PROTOCOL, "the server lists an invalid "
		    "name in directory '%s'", l->path);
	if ((n == 1 && name[0] == '.') ||
	    (n == 2 && name[0] == '.' && name[1] == '.'))
		return 0;
	strv_take(l->names, mem_dupn((const char *)name, n));
	return 0;
}

/* An answer without a name would be one that can come for ever. */
static int
take_names(struct listing *l, struct packet *a, struct err *e)
{
	uint32_t count;

	if (packet_expect(a, PACKET_NAME, e) < 0)
		return -1;
	count = packet_get_u32(a);
	if (packet_check(a, e) < 0)
		return -1;
	if (count == 0)
		return packet_unexpected(a, e);
	for (; count > 0 && l->error.kind == ERR_NONE; count--) {
		if (take_name(l, a, e) < 0)
			return -1;
		if (++l->n > NAMES_MAX + 2) {
			l->is_over = true;
			err_set(&l->error, ERR_DATA,
			    "directory '%s' has more than %d names", l->path,
			    NAMES_MAX);
		}
	}
	return 0;
}

static int
listed(struct sftp *s, const struct sftp_request *r, struct packet *a,
    struct err *e)
{
	struct listing *l = r->arg;
	struct packet_status status;

	(void)s;
	l->in_flight--;
	if (a->type != PACKET_STATUS)
		return take_names(l, a, e);
	if (packet_get_refusal(a, &status, e) < 0)
		return -1;
	l->is_over = true;
	if (status.code != STATUS_EOF && l->error.kind == ERR_NONE)
		packet_status_err(&status, &l->error, "read directory '%s'",
		    l->path);
	return 0;
}

static int
ask_names(struct sftp *s, struct listing *l, struct err *e)
{
	struct sftp_request *r = sftp_begin(s, PACKET_READDIR);

	sftp_add_handle(s, &l->handle);
	r->answered = listed;
	r->arg = l;
	l->in_flight++;
	return sftp_send(s, r, NULL, 0, e);
}

static int
read_names(struct sftp *s, struct listing *l, struct err *e)
{
	do {
		while (!l->is_over && l->in_flight < READDIRS &&
		    sftp_has_room(s))
			if (ask_names(s, l, e) < 0)
				return -1;
		if (sftp_wait(s, e) < 0)
			return -1;
	} while (!l->is_over || l->in_flight > 0);
	if (l->error.kind == ERR_NONE)
		return 0;
	*e = l->error;
	return -1;
}

int
sftp_list(struct sftp *s, const char *path, struct strv *names,
    struct err *e)
{
	struct listing l = {.path = path, .names = names, .error = ERR_INIT};

	if (open_to_list(s, path, &l.handle, e) < 0)
		return -1;
	return sftp_close_after(s, &l.handle, read_names(s, &l, e), e);
}

/* -------------------------------------------------------------- making */

struct making {
	const struct strv *paths;
	struct packet_status *status;	/* of each */
	size_t in_flight;
};

static int
made(struct sftp *s, const struct sftp_request *r, struct packet *a,
    struct err *e)
{
	struct making *m = r->arg;

	(void)s;
	m->in_flight--;
	return packet_get_status(a, &m->status[r->i], e);
}

static void
ask_to_make(struct sftp *s, struct making *m, struct sftp_request *r)
{
	packet_string(sftp_out(s), m->paths->v[r->i]);
	be32_add(sftp_out(s), PACKET_HAS_MODE);
	be32_add(sftp_out(s), 0755);
	r->answered = made;
}

/* Why one could not be made: is it there? */
static int
looked(struct sftp *s, const struct sftp_request *r, struct packet *a,
    struct err *e)
{
	struct making *m = r->arg;
	struct packet_status unused;
	struct sftp_attributes there;

	(void)s;
	m->in_flight--;
	if (a->type == PACKET_STATUS)
		return packet_get_status(a, &unused, e);
	if (packet_expect(a, PACKET_ATTRS, e) < 0)
		return -1;
	(void)packet_get_attributes(a, &there);
	m->status[r->i].code = there.is_directory ? STATUS_OK : STATUS_EXISTS;
	return packet_check(a, e);
}

static void
ask_to_look(struct sftp *s, struct making *m, struct sftp_request *r)
{
	packet_string(sftp_out(s), m->paths->v[r->i]);
	r->answered = looked;
}

/* One request for each path that is not known to be there. */
static int
ask_all(struct sftp *s, struct making *m, enum packet_type type,
    void (*ask)(struct sftp *, struct making *, struct sftp_request *),
    struct err *e)
{
	struct sftp_request *r;
	size_t i;

	for (i = 0; i < m->paths->n; i++) {
		if (m->status[i].code == STATUS_OK)
			continue;
		if ((r = sftp_call_begin(s, type, e)) == NULL)
			return -1;
		r->i = i;
		r->arg = m;
		ask(s, m, r);
		m->in_flight++;
		if (sftp_send(s, r, NULL, 0, e) < 0)
			return -1;
	}
	while (m->in_flight > 0)
		if (sftp_wait(s, e) < 0)
			return -1;
	return 0;
}

static int
judge_made(const struct making *m, struct err *e)
{
	size_t i;

	for (i = 0; i < m->paths->n; i++)
		if (m->status[i].code != STATUS_OK)
			return packet_status_err(&m->status[i], e,
			    "make directory '%s'", m->paths->v[i]);
	return 0;
}

int
sftp_make_dirs(struct sftp *s, const struct strv *paths, struct err *e)
{
	struct making m = {.paths = paths,
	    .status = mem_zero(paths->n + 1, sizeof(*m.status))};
	size_t i;
	int status;

	for (i = 0; i < paths->n; i++)
		m.status[i].code = STATUS_FAILURE;
	status = ask_all(s, &m, PACKET_MKDIR, ask_to_make, e);
	if (status == 0)
		status = ask_all(s, &m, PACKET_STAT, ask_to_look, e);
	if (status == 0)
		status = judge_made(&m, e);
	free(m.status);
	return status;
}

/* ------------------------------------------------------------- syncing */

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
	log_detail("cannot sync directory '%s': %s", y->paths[r->i],
	    status.text);
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
		log_detail("cannot sync directory '%s': %s", y->paths[r->i],
		    status.text);
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
	packet_string(sftp_out(s), "fsync@openssh.com");
	sftp_add_handle(s, &y->handles[i]);
	if (sftp_send(s, r, NULL, 0, e) < 0 ||
	    (r = begin(s, y, i, PACKET_CLOSE, synced, e)) == NULL)
		return -1;
	sftp_add_handle(s, &y->handles[i]);
	return sftp_send(s, r, NULL, 0, e);
}

static int
ask_each(struct sftp *s, struct syncing *y,
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
	int status = ask_each(s, &y, ask_to_open, e);

	if (status == 0)
		status = ask_each(s, &y, ask_to_sync, e);
	free(y.handles);
	return status;
}

int
sftp_sync_dirs(struct sftp *s, const struct strv *paths, struct err *e)
{
	const struct sftp_peer *peer = sftp_peer(s);
	size_t most = peer->handles < SYNCS ? peer->handles : SYNCS;
	size_t i, n;

	for (i = 0; peer->has_fsync && i < paths->n; i += n) {
		n = paths->n - i < most ? paths->n - i : most;
		if (sync_some(s, paths->v + i, n, e) < 0)
			return -1;
	}
	return 0;
}
