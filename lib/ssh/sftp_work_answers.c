/*
 * What the answers mean for a job. Its first error stays, whatever goes well
 * after it.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/ssh/sftp_work.h"
#include "lib/sys/log.h"

static bool
has_failed(const struct sftp_work *w)
{
	return w->job->error.kind != ERR_NONE;
}

static void
fail_by_status(struct sftp_work *w, const struct packet_status *status,
    const char *verb)
{
	if (has_failed(w))
		return;
	packet_status_err(status, &w->job->error, "%s '%s'", verb,
	    w->job->path);
	sftp_work_fail(w);
}

/* What came for piece i is what it shall be. */
static bool
is_same(struct sftp *s, struct sftp_work *w, size_t i, const void *p, size_t n)
{
	const void *data;

	if (has_failed(w) || n != sftp_piece_length(s, w, i))
		return false;
	data = sftp_piece_data(s, w, i);
	return data != NULL && memcmp(p, data, n) == 0;
}

static void
piece_is_there(const struct sftp *s, struct sftp_work *w, size_t i)
{
	size_t n = sftp_piece_length(s, w, i);

	if (w->job->duty != SFTP_READ_BACK)
		log_progress_add(n);
	w->left -= n <= w->left ? n : w->left;
}

static struct sftp_work *
work_of(const struct sftp_request *r)
{
	struct sftp_work *w = r->arg;

	w->in_flight--;
	return w;
}

int
sftp_work_opened(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	struct packet_status status;

	(void)s;
	if (a->type != PACKET_STATUS) {
		w->step = sftp_work_first_step(w->job);
		return sftp_get_handle(a, &w->handle, e);
	}
	if (packet_get_refusal(a, &status, e) < 0)
		return -1;
	fail_by_status(w, &status, "open");
	return 0;
}

int
sftp_work_measured(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	struct sftp_attributes there;
	struct packet_status status;
	int found = packet_judge_attributes(a, &there, &status, e);

	(void)s;
	if (found == 0)
		fail_by_status(w, &status, "look at");
	w->knows_size = found > 0;
	w->size = found > 0 ? there.size : 0;
	return found < 0 ? -1 : 0;
}

int
sftp_work_looked(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	struct packet_status status;
	const unsigned char *p;
	size_t n;

	w->pieces[r->i] = PIECE_DIFFERS;
	if (a->type == PACKET_STATUS) {
		if (packet_get_refusal(a, &status, e) < 0)
			return -1;
		if (status.code != STATUS_EOF)
			fail_by_status(w, &status, "read");
		return 0;
	}
	if ((p = sftp_get_data(a, r->reading, &n, e)) == NULL)
		return -1;
	if (is_same(s, w, r->i, p, n)) {
		w->pieces[r->i] = PIECE_SAME;
		piece_is_there(s, w, r->i);
	}
	return 0;
}

int
sftp_work_written(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	struct packet_status status;

	if (packet_get_status(a, &status, e) < 0)
		return -1;
	if (status.code == STATUS_OK) {
		piece_is_there(s, w, r->i);
		return 0;
	}
	if (status.code == STATUS_FAILURE && s->has_statvfs && !has_failed(w))
		w->wants_room = r->writing;
	fail_by_status(w, &status, "write to");
	return 0;
}

int
sftp_work_was_cut(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	struct packet_status status;

	(void)s;
	if (packet_get_status(a, &status, e) < 0)
		return -1;
	if (status.code != STATUS_OK)
		fail_by_status(w, &status, "cut");
	return 0;
}

int
sftp_work_synced(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	struct packet_status status;

	if (packet_get_status(a, &status, e) < 0)
		return -1;
	if (status.code == STATUS_UNSUPPORTED)
		s->has_fsync = false;
	else if (status.code != STATUS_OK)
		fail_by_status(w, &status, "sync");
	return 0;
}

int
sftp_work_was_read_back(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	struct packet_status status = {.code = STATUS_EOF};
	const unsigned char *p = NULL;
	size_t n = 0;

	if (a->type == PACKET_STATUS) {
		if (packet_get_refusal(a, &status, e) < 0)
			return -1;
	} else if ((p = sftp_get_data(a, r->reading, &n, e)) == NULL) {
		return -1;
	}
	if (p != NULL && is_same(s, w, r->i, p, n)) {
		if (w->job->duty == SFTP_READ_BACK)
			piece_is_there(s, w, r->i);
		return 0;
	}
	if (status.code != STATUS_EOF) {
		fail_by_status(w, &status, "read back");
	} else if (!has_failed(w)) {
		err_set(&w->job->error, ERR_IO, "read back '%s': what is "
		    "there, at %" PRIu64 ", is not what was sent",
		    w->job->path, sftp_piece_offset(s, w, r->i));
		sftp_work_fail(w);
	}
	return 0;
}

int
sftp_work_closed(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	struct packet_status status;

	(void)s;
	if (packet_get_status(a, &status, e) < 0)
		return -1;
	if (status.code != STATUS_OK)
		fail_by_status(w, &status, "close");
	return 0;
}

/* The reason of a write's failure, where it is that there is no room. */
int
sftp_work_room_told(struct sftp *s, const struct sftp_request *r,
    struct packet *a, struct err *e)
{
	struct sftp_work *w = work_of(r);
	uint64_t block, available;

	(void)s;
	if (a->type == PACKET_STATUS)
		return 0;
	if (packet_expect(a, PACKET_EXTENDED_REPLY, e) < 0)
		return -1;
	(void)packet_get_u64(a);	/* f_bsize */
	block = packet_get_u64(a);	/* f_frsize */
	(void)packet_get_u64(a);	/* f_blocks */
	(void)packet_get_u64(a);	/* f_bfree */
	available = packet_get_u64(a);	/* f_bavail */
	if (packet_check(a, e) < 0)
		return -1;
	if (block == 0 || available < r->i / block + 1)
		err_set(&w->job->error, ERR_IO,
		    "write to '%s': no space left there", w->job->path);
	return 0;
}
