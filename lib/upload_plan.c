#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/upload_parts.h"

#define SLICE_MS 100	/* how long a signal may go unnoticed */

struct piece {
	struct sftp_job job;	/* the first member */
	const struct upload_file *f;
	size_t file;
	char *path;
};

/* --------------------------------------------------------- begin and end */

static uint64_t
count_pieces(const struct upload_file *f)
{
	return f->size == 0 ? 1 : (f->size - 1) / UPLOAD_PIECE + 1;
}

void
upload_plan_begin(struct sending *s)
{
	size_t i, n = s->u->n;
	struct plan_file *p;

	upload_plan_clear(s);
	s->files = mem_zero(n, sizeof(*s->files));
	s->due = mem_zero(n, sizeof(*s->due));
	s->open_files = n;
	for (i = 0; i < n; i++) {
		p = &s->files[i];
		p->unsent = p->unproven = count_pieces(&s->u->files[i]);
		p->is_large = p->unsent > 1;
		/* a small one is synced by its only piece */
		p->is_synced = !p->is_large;
	}
}

void
upload_plan_clear(struct sending *s)
{
	free(s->files);
	free(s->due);
	free(s->ranges);
	s->files = NULL;
	s->due = NULL;
	s->ranges = NULL;
	s->n_ranges = s->cap_ranges = s->first_range = 0;
	s->n_due = s->file = s->open_files = 0;
	s->offset = 0;
	s->is_over = false;
	s->proof = PROOF_UNKNOWN;
}

uint64_t
upload_plan_large(const struct sending *s)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < s->u->n; i++)
		if (s->files[i].is_large)
			total += s->u->files[i].size;
	return total;
}

/* --------------------------------------------------- what is known by now */

void
upload_fail(struct sending *s, const struct err *e)
{
	pthread_mutex_lock(&s->lock);
	if (s->error.kind == ERR_NONE)
		s->error = *e;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void
upload_decide(struct sending *s, enum upload_proof proof)
{
	pthread_mutex_lock(&s->lock);
	if (s->proof == PROOF_UNKNOWN || proof == PROOF_READ_BACK)
		s->proof = proof;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void
upload_wait_a_slice(struct sending *s)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += SLICE_MS * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_nsec -= 1000000000L;
		t.tv_sec++;
	}
	pthread_cond_timedwait(&s->changed, &s->lock, &t);
}

static bool
is_done(const struct plan_file *p)
{
	return p->unproven == 0 && p->is_synced;
}

static void
close_if_done(struct sending *s, struct plan_file *p)
{
	if (is_done(p))
		s->open_files--;
}

void
upload_plan_proven(struct sending *s, size_t file)
{
	struct plan_file *p = &s->files[file];

	if (p->unproven == 0)
		return;
	p->unproven = 0;
	if (p->unsent > 0) {
		/* it was there before we began */
		p->unsent = 0;
		s->due[s->n_due++] = file;
	}
	close_if_done(s, p);
	pthread_cond_broadcast(&s->changed);
}

bool
upload_plan_is_done(const struct sending *s)
{
	return s->open_files == 0;
}

/* ------------------------------------------------------- the next piece */

/* What has been proven meanwhile need not be read. */
static void
skip_proven(struct sending *s)
{
	while (s->first_range < s->n_ranges &&
	    s->files[s->ranges[s->first_range].file].unproven == 0)
		s->first_range++;
	while (s->file < s->u->n && s->offset == 0 &&
	    s->files[s->file].unsent == 0)
		s->file++;
}

static bool
may_read(const struct sending *s)
{
	return s->proof == PROOF_READ_BACK && s->first_range < s->n_ranges;
}

bool
upload_plan_has_work(struct sending *s)
{
	skip_proven(s);
	return s->n_due > 0 || s->file < s->u->n || may_read(s);
}

static struct piece *
piece_new(const struct sending *s, size_t file, enum sftp_duty duty)
{
	struct piece *p = mem_zero(1, sizeof(*p));

	p->f = &s->u->files[file];
	p->file = file;
	p->path = mem_format("%s/%s", s->part, p->f->path);
	p->job.path = p->path;
	p->job.duty = duty;
	p->job.size = p->f->size;
	return p;
}

static void
piece_free(struct piece *p)
{
	free(p->path);
	free(p);
}

/* The file is opened anew, which says so where it is another one by now. */
static int
load(const struct sftp_job *job, uint64_t offset, void *to, size_t n,
    struct err *e)
{
	const struct piece *p = (const struct piece *)job;
	int fd = p->f->open(p->f, e);
	size_t done = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (done < n) {
		got = pread(fd, (char *)to + done, n - done,
		    (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	close(fd);
	if (done == n)
		return 0;
	return err_set(e, ERR_IO, "'%s' cannot be read whole: did it change?",
	    p->f->path);
}

static void
set_range(struct piece *p, uint64_t offset)
{
	uint64_t rest = p->f->size - offset;

	p->job.offset = offset;
	p->job.n = (size_t)(rest < UPLOAD_PIECE ? rest : UPLOAD_PIECE);
	if (p->f->open == NULL)
		p->job.data = (const char *)p->f->data + offset;
	else
		p->job.load = load;
}

static struct piece *
next_to_send(struct sending *s)
{
	struct piece *p = piece_new(s, s->file, s->files[s->file].is_large ?
	    SFTP_SEND : SFTP_ALL);

	set_range(p, s->offset);
	p->job.look_first = s->look_first;
	s->offset += p->job.n;
	if (s->offset == p->f->size) {
		s->file++;
		s->offset = 0;
	}
	s->sent_last = true;
	return p;
}

static struct piece *
next_to_read(struct sending *s)
{
	struct plan_range r = s->ranges[s->first_range++];
	struct piece *p = piece_new(s, r.file, SFTP_READ_BACK);

	set_range(p, r.offset);
	s->sent_last = false;
	return p;
}

/* Both directions of the line are used where there is something for each. */
static struct piece *
draw(struct sending *s)
{
	if (s->error.kind != ERR_NONE || !upload_plan_has_work(s))
		return NULL;
	if (s->n_due > 0)
		return piece_new(s, s->due[--s->n_due], SFTP_SYNC);
	if (may_read(s) && (s->sent_last || s->file == s->u->n))
		return next_to_read(s);
	return next_to_send(s);
}

struct sftp_job *
upload_plan_next(void *arg)
{
	struct sending *s = arg;
	struct piece *p;

	pthread_mutex_lock(&s->lock);
	p = draw(s);
	pthread_mutex_unlock(&s->lock);
	return p != NULL ? &p->job : NULL;
}

/* ----------------------------------------------------- and what came of it */

static void
add_range(struct sending *s, size_t file, uint64_t offset)
{
	if (s->n_ranges == s->cap_ranges) {
		s->cap_ranges = mem_grow(s->cap_ranges ? s->cap_ranges : 64,
		    s->n_ranges + 1);
		s->ranges = mem_resize(s->ranges, s->cap_ranges,
		    sizeof(*s->ranges));
	}
	s->ranges[s->n_ranges++] = (struct plan_range){file, offset};
}

static void
was_sent(struct sending *s, struct plan_file *f, const struct piece *p)
{
	f->unsent--;
	if (p->job.duty == SFTP_ALL || (s->look_first && p->job.sent == 0))
		f->unproven--;	/* it has been read */
	else
		add_range(s, p->file, p->job.offset);
	if (f->is_large && f->unsent == 0)
		s->due[s->n_due++] = p->file;
}

static void
note(struct sending *s, const struct piece *p)
{
	struct plan_file *f = &s->files[p->file];
	bool was_done = is_done(f);

	s->sent += p->job.sent;
	if (p->job.error.kind != ERR_NONE) {
		if (s->error.kind == ERR_NONE)
			s->error = p->job.error;
		return;
	}
	if (p->job.duty == SFTP_SYNC)
		f->is_synced = true;
	else if (p->job.duty != SFTP_READ_BACK)
		was_sent(s, f, p);
	else if (f->unproven > 0)
		f->unproven--;
	if (!was_done)
		close_if_done(s, f);
}

void
upload_plan_done(struct sftp_job *job, void *arg)
{
	struct piece *p = (struct piece *)job;
	struct sending *s = arg;

	pthread_mutex_lock(&s->lock);
	note(s, p);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	piece_free(p);
}
