#include <stdlib.h>
#include <time.h>

#include "lib/base/mem.h"
#include "lib/drop/upload_parts.h"

#define SLICE_MS 100	/* how long a signal may go unnoticed */
#define PART (16 * UPLOAD_PIECE)

/* --------------------------------------------------------- begin and end */

/* How many of that size; of nothing, one. */
static uint64_t
count(uint64_t n, uint64_t size)
{
	return n == 0 ? 1 : (n - 1) / size + 1;
}

static void
add_parts(struct sending *s, size_t file)
{
	struct plan_file *f = &s->files[file];
	uint64_t size = s->u->files[file].size;
	struct plan_part *p;
	size_t i;

	f->first_part = s->n_parts;
	f->open_parts = (size_t)count(size, s->part_size);
	for (i = 0; i < f->open_parts; i++) {
		p = &s->parts[s->n_parts++];
		p->file = file;
		p->offset = i * s->part_size;
		p->n = size - p->offset < s->part_size ? size - p->offset :
		    s->part_size;
		p->unsent = p->unproven = count(p->n, UPLOAD_PIECE);
	}
}

void
upload_plan_begin(struct sending *s)
{
	size_t i, n = s->u->n, n_parts = 0;
	struct plan_file *f;

	upload_plan_clear(s);
	s->part_size = s->is_far || s->look_first ? PART : UINT64_MAX;
	for (i = 0; i < n; i++)
		n_parts += (size_t)count(s->u->files[i].size, s->part_size);
	s->files = mem_zero(n, sizeof(*s->files));
	s->parts = mem_zero(n_parts, sizeof(*s->parts));
	s->due = mem_zero(n, sizeof(*s->due));
	s->open_files = n;
	for (i = 0; i < n; i++) {
		f = &s->files[i];
		f->unsent = count(s->u->files[i].size, UPLOAD_PIECE);
		f->is_large = f->unsent > 1;
		/* a small one is synced by its only piece */
		f->is_synced = !f->is_large;
		add_parts(s, i);
	}
}

void
upload_plan_clear(struct sending *s)
{
	free(s->files);
	free(s->parts);
	free(s->due);
	free(s->ranges);
	s->files = NULL;
	s->parts = NULL;
	s->n_parts = 0;
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

static struct plan_part *
part_of(const struct sending *s, size_t file, uint64_t offset)
{
	return &s->parts[s->files[file].first_part +
	    (size_t)(offset / s->part_size)];
}

static bool
is_done(const struct plan_file *f)
{
	return f->open_parts == 0 && f->is_synced;
}

static void
close_if_done(struct sending *s, struct plan_file *f)
{
	if (is_done(f))
		s->open_files--;
}

/* Pieces are there: when it is all of the file, that can be synced. */
static void
are_there(struct sending *s, struct plan_part *p, uint64_t pieces)
{
	struct plan_file *f = &s->files[p->file];

	p->unsent -= pieces;
	f->unsent -= pieces;
	if (pieces > 0 && f->is_large && f->unsent == 0)
		s->due[s->n_due++] = p->file;
}

/* And they are what they shall be. */
static void
are_proven(struct sending *s, struct plan_part *p, uint64_t pieces)
{
	if (pieces == 0 || p->unproven == 0)
		return;
	p->unproven -= pieces;
	if (p->unproven == 0)
		s->files[p->file].open_parts--;
}

void
upload_plan_proven(struct sending *s, size_t part)
{
	struct plan_part *p = &s->parts[part];
	struct plan_file *f = &s->files[p->file];
	bool was_done = is_done(f);

	/* it may have been there before we began */
	are_there(s, p, p->unsent);
	are_proven(s, p, p->unproven);
	if (!was_done)
		close_if_done(s, f);
	pthread_cond_broadcast(&s->changed);
}

bool
upload_plan_is_done(const struct sending *s)
{
	return s->open_files == 0;
}

/* ------------------------------------------------------- the next piece */

static void
go_on(struct sending *s, uint64_t n)
{
	s->offset += n;
	if (s->offset == s->u->files[s->file].size) {
		s->file++;
		s->offset = 0;
	}
}

/* What has been proven meanwhile need not be read, nor sent. */
static void
skip_proven(struct sending *s)
{
	const struct plan_range *r;
	const struct plan_part *p;

	for (; s->first_range < s->n_ranges; s->first_range++) {
		r = &s->ranges[s->first_range];
		if (part_of(s, r->file, r->offset)->unproven > 0)
			break;
	}
	while (s->file < s->u->n) {
		p = part_of(s, s->file, s->offset);
		if (p->offset != s->offset || p->unsent > 0)
			break;
		go_on(s, p->n);
	}
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

static void
set(struct plan_step *step, const struct sending *s, enum sftp_duty duty,
    size_t file, uint64_t offset)
{
	uint64_t rest = s->u->files[file].size - offset;

	*step = (struct plan_step){.duty = duty, .file = file,
	    .offset = offset};
	if (duty != SFTP_SYNC)
		step->n = rest < UPLOAD_PIECE ? rest : UPLOAD_PIECE;
}

static void
take_to_send(struct sending *s, struct plan_step *step)
{
	set(step, s, s->files[s->file].is_large ? SFTP_SEND : SFTP_ALL,
	    s->file, s->offset);
	go_on(s, step->n);
	s->sent_last = true;
}

static void
take_to_read(struct sending *s, struct plan_step *step)
{
	const struct plan_range *r = &s->ranges[s->first_range++];

	set(step, s, SFTP_READ_BACK, r->file, r->offset);
	s->sent_last = false;
}

/* Both directions of the line are used where there is something for each. */
bool
upload_plan_take(struct sending *s, struct plan_step *step)
{
	if (s->error.kind != ERR_NONE || !upload_plan_has_work(s))
		return false;
	if (s->n_due > 0)
		set(step, s, SFTP_SYNC, s->due[--s->n_due], 0);
	else if (may_read(s) && (s->sent_last || s->file == s->u->n))
		take_to_read(s, step);
	else
		take_to_send(s, step);
	return true;
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
was_sent(struct sending *s, struct plan_part *part,
    const struct plan_step *step, bool is_proven)
{
	if (is_proven)
		are_proven(s, part, 1);
	else
		add_range(s, step->file, step->offset);
	are_there(s, part, 1);
}

void
upload_plan_note(struct sending *s, const struct plan_step *step,
    bool is_proven)
{
	struct plan_file *f = &s->files[step->file];
	struct plan_part *part = part_of(s, step->file, step->offset);
	bool was_done = is_done(f);

	if (step->duty == SFTP_SYNC)
		f->is_synced = true;
	else if (step->duty == SFTP_READ_BACK)
		are_proven(s, part, 1);
	else
		was_sent(s, part, step, is_proven);
	if (!was_done)
		close_if_done(s, f);
}
