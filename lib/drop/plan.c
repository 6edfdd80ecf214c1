#include "lib/drop/plan.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define SLICE_MS 100	/* how long a signal may go unnoticed */

struct file {
	uint64_t unsent;	/* pieces that are not there yet, */
	uint64_t unproven;	/* and that nobody has compared */
	bool is_large;
	bool is_synced;
};

struct range {
	size_t file;
	uint64_t offset;
};

struct plan {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct err error;	/* the first one */
	uint64_t sent;

	const struct upload_file *files;
	struct file *state;	/* of each */
	size_t n;
	size_t open_files;	/* that are not proven and synced */
	size_t file;		/* the next piece to send: of this file, */
	uint64_t offset;	/* from here */
	/* sent, and to be read back: from first_range on */
	struct range *ranges;
	size_t n_ranges, cap_ranges, first_range;
	bool sent_last;		/* of sending and reading back */
	size_t *due;		/* large files that are there, to be synced */
	size_t n_due;
};

/* --------------------------------------------------------- begin and end */

/* Of an empty file, one. */
static uint64_t
count_pieces(uint64_t size)
{
	return size == 0 ? 1 : (size - 1) / PLAN_PIECE + 1;
}

struct plan *
plan_new(const struct upload_file *files, size_t n)
{
	struct plan *p = mem_zero(1, sizeof(*p));
	struct file *f;
	size_t i;

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->files = files;
	p->n = p->open_files = n;
	p->state = mem_zero(n, sizeof(*p->state));
	p->due = mem_zero(n, sizeof(*p->due));
	for (i = 0; i < n; i++) {
		f = &p->state[i];
		f->unsent = f->unproven = count_pieces(files[i].size);
		f->is_large = f->unsent > 1;
		/* a small one is synced by its only piece */
		f->is_synced = !f->is_large;
	}
	return p;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	free(p->state);
	free(p->due);
	free(p->ranges);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* --------------------------------------------------------- the next step */

static bool
has_range(const struct plan *p)
{
	return p->first_range < p->n_ranges;
}

static bool
has_work(const struct plan *p)
{
	return p->n_due > 0 || p->file < p->n || has_range(p);
}

static void
set_step(const struct plan *p, struct plan_step *step, enum sftp_duty duty,
    size_t file, uint64_t offset)
{
	uint64_t rest = p->files[file].size - offset;

	*step = (struct plan_step){.duty = duty, .file = file,
	    .offset = offset};
	if (duty != SFTP_SYNC)
		step->n = rest < PLAN_PIECE ? rest : PLAN_PIECE;
}

static void
next_to_send(struct plan *p, struct plan_step *step)
{
	set_step(p, step, p->state[p->file].is_large ? SFTP_SEND : SFTP_ALL,
	    p->file, p->offset);
	p->offset += step->n;
	if (p->offset == p->files[p->file].size) {
		p->file++;
		p->offset = 0;
	}
	p->sent_last = true;
}

static void
next_to_read(struct plan *p, struct plan_step *step)
{
	const struct range *r = &p->ranges[p->first_range++];

	set_step(p, step, SFTP_READ_BACK, r->file, r->offset);
	p->sent_last = false;
}

/* Both directions of the line are used where there is something for each. */
static void
next_step(struct plan *p, struct plan_step *step)
{
	if (p->n_due > 0)
		set_step(p, step, SFTP_SYNC, p->due[--p->n_due], 0);
	else if (has_range(p) && (p->sent_last || p->file == p->n))
		next_to_read(p, step);
	else
		next_to_send(p, step);
}

bool
plan_take(struct plan *p, struct plan_step *step)
{
	bool is_one;

	pthread_mutex_lock(&p->lock);
	is_one = p->error.kind == ERR_NONE && has_work(p);
	if (is_one)
		next_step(p, step);
	pthread_mutex_unlock(&p->lock);
	return is_one;
}

/* ----------------------------------------------------- and what came of it */

static void
add_range(struct plan *p, size_t file, uint64_t offset)
{
	if (p->n_ranges == p->cap_ranges) {
		p->cap_ranges = mem_grow(p->cap_ranges ? p->cap_ranges : 64,
		    p->n_ranges + 1);
		p->ranges = mem_resize(p->ranges, p->cap_ranges,
		    sizeof(*p->ranges));
	}
	p->ranges[p->n_ranges++] = (struct range){file, offset};
}

static void
note_sent(struct plan *p, const struct plan_step *step, bool is_proven)
{
	struct file *f = &p->state[step->file];

	if (is_proven)
		f->unproven--;
	else
		add_range(p, step->file, step->offset);
	if (--f->unsent == 0 && f->is_large)
		p->due[p->n_due++] = step->file;
}

void
plan_note(struct plan *p, const struct plan_step *step, uint64_t sent,
    bool is_proven)
{
	struct file *f = &p->state[step->file];

	pthread_mutex_lock(&p->lock);
	p->sent += sent;
	if (step->duty == SFTP_SYNC)
		f->is_synced = true;
	else if (step->duty == SFTP_READ_BACK)
		f->unproven--;
	else
		note_sent(p, step, is_proven);
	/* each step is noted once, and this was the last of its file */
	if (f->is_synced && f->unproven == 0)
		p->open_files--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void
plan_fail(struct plan *p, const struct err *e)
{
	pthread_mutex_lock(&p->lock);
	if (p->error.kind == ERR_NONE)
		p->error = *e;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* ---------------------------------------------------------------- waiting */

static void
wait_a_slice(struct plan *p)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += SLICE_MS * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_nsec -= 1000000000L;
		t.tv_sec++;
	}
	pthread_cond_timedwait(&p->changed, &p->lock, &t);
}

int
plan_wait(struct plan *p, int ms, struct err *e)
{
	int64_t until = clock_ms() + ms;
	int status;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		if (cleanup_check(e) < 0)
			status = -1;
		else if (p->error.kind != ERR_NONE || p->open_files == 0)
			status = 0;
		else if (has_work(p))
			status = 1;
		else if (clock_ms() >= until)
			status = 2;
		else {
			wait_a_slice(p);
			continue;
		}
		break;
	}
	pthread_mutex_unlock(&p->lock);
	return status;
}

int
plan_result(struct plan *p, struct err *e)
{
	int status = 0;

	pthread_mutex_lock(&p->lock);
	if (p->error.kind != ERR_NONE) {
		*e = p->error;
		status = -1;
	}
	pthread_mutex_unlock(&p->lock);
	return status;
}

uint64_t
plan_sent(struct plan *p)
{
	uint64_t sent;

	pthread_mutex_lock(&p->lock);
	sent = p->sent;
	pthread_mutex_unlock(&p->lock);
	return sent;
}
