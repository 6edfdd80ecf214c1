/*
 * Directories: what is in one; many made.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/ssh/sftp_request.h"

#define NAMES_MAX 100000
#define NAME_LONGEST 255
#define READDIRS 16		/* in flight; OpenSSH gives 100 names each */

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
	packet_string(&s->out, path);
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
		return err_set(e, ERR_PROTOCOL, "the far side lists what is "
		    "no name, in '%s'", l->path);
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
			    "'%s' has more than %d names", l->path,
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
		packet_status_err(&status, &l->error, "list '%s'", l->path);
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
	packet_string(&s->out, m->paths->v[r->i]);
	packet_u32(&s->out, PACKET_HAS_MODE);
	packet_u32(&s->out, 0755);
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
	packet_string(&s->out, m->paths->v[r->i]);
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
