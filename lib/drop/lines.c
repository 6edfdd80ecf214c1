#include "lib/drop/lines.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/ssh/files.h"
#include "lib/sys/log.h"

#define MOST_CONNECTIONS 4
/*
 * One channel carries a window, 2 MiB with OpenSSH, in each round trip: on a
 * long line several carry several. On a short one two use two processors.
 */
#define LONG_LINE_US 8000
#define WORTH_SEVERAL ((uint64_t)16 << 20)	/* bytes */
#define QUIET_MS 20000		/* a server asks, after 30 s, who is there */

int
line_open(struct line *l, const struct remote_target *target, struct err *e)
{
	*l = (struct line)LINE_INIT;
	l->remote = remote_open(target, e);
	if (l->remote == NULL)
		return -1;
	l->sftp = sftp_open(remote_stream(l->remote), e);
	if (l->sftp != NULL)
		return 0;
	line_close(l);
	return -1;
}

void
line_close(struct line *l)
{
	sftp_close(l->sftp);
	remote_close(l->remote);
	*l = (struct line)LINE_INIT;
}

/* ----------------------------------------------------- steps of the plan */

/* What all connections share. */
struct work {
	const struct line_load *load;
	struct plan *plan;
};

/* A step of the plan as a job of sftp_put. */
struct piece {
	struct sftp_job job;	/* the first member */
	struct plan_step step;
	const struct upload_file *f;
	char *path;
};

/* The file is opened for each read: open says so where it has changed. */
static int
read_piece(const struct sftp_job *job, uint64_t offset, void *to, size_t n,
    struct err *e)
{
	const struct upload_file *f = ((const struct piece *)job)->f;
	int fd = f->open(f, e), status = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (n > 0 && status == 0) {
		got = pread(fd, to, n, (off_t)offset);
		if (got > 0) {
			to = (char *)to + got;
			n -= (size_t)got;
			offset += (uint64_t)got;
		} else if (got == 0)
			status = err_set(e, ERR_IO, "read '%s': it has become "
			    "shorter since it was checked", f->path);
		else if (errno != EINTR)
			status = err_sys(e, "read '%s'", f->path);
	}
	close(fd);
	return status;
}

static struct sftp_job *
next_piece(void *arg)
{
	const struct work *w = arg;
	struct plan_step step;
	struct piece *p;

	if (!plan_take(w->plan, &step))
		return NULL;
	p = mem_zero(1, sizeof(*p));
	p->step = step;
	p->f = &w->load->files[step.file];
	p->path = mem_format("%s/%s", w->load->dir, p->f->path);
	p->job = (struct sftp_job){.path = p->path, .duty = step.duty,
	    .n = (size_t)step.n, .offset = step.offset,
	    .size = p->f->size, .look_first = w->load->look_first};
	if (p->f->open == NULL)
		p->job.data = (const char *)p->f->data + step.offset;
	else
		p->job.load = read_piece;
	return &p->job;
}

/* What was looked at and found to be there has been read. */
static bool
is_proven(const struct sftp_job *job)
{
	return job->duty == SFTP_ALL || (job->look_first && job->sent == 0);
}

static void
piece_done(struct sftp_job *job, void *arg)
{
	struct piece *p = (struct piece *)job;
	const struct work *w = arg;

	if (job->error.kind == ERR_NONE)
		plan_note(w->plan, &p->step, job->sent, is_proven(job));
	else
		plan_fail(w->plan, &job->error);
	free(p->path);
	free(p);
}

/* ------------------------------------------------------- one connection */

/*
 * Until all is done, by whichever connection. One that has nothing to do may
 * be needed again, and asks something now and then: a server ends those that
 * are silent.
 */
static void
work_on(const struct line *l, struct work *w)
{
	struct sftp_attributes unused;
	struct err e = ERR_INIT;
	int status;

	while ((status = plan_wait(w->plan, QUIET_MS, &e)) > 0) {
		if (status == 1)
			status = sftp_put(l->sftp, next_piece, piece_done, w,
			    &e);
		else
			status = sftp_stat(l->sftp, w->load->dir, &unused,
			    &e);
		if (status < 0)
			break;
	}
	if (status < 0)
		plan_fail(w->plan, &e);
}

/* ---------------------------------------------------- several connections */

static void *
work_on_another(void *arg)
{
	struct work *w = arg;
	struct line l = LINE_INIT;
	struct err e = ERR_INIT;

	if (line_open(&l, w->load->target, &e) == 0)
		work_on(&l, w);
	else
		log_detail("one connection fewer: %s", e.text);
	line_close(&l);
	return NULL;
}

static uint64_t
count_bytes(const struct line_load *load)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < load->n; i++)
		total += load->files[i].size;
	return total;
}

/* A machine that is busy is not far away: the quicker of two answers counts. */
static bool
is_long(const struct line *l, const struct line_load *load)
{
	return load->round_trip >= LONG_LINE_US &&
	    remote_round_trip(l->remote) >= LONG_LINE_US;
}

static size_t
count_lines(const struct line *first, const struct line_load *load,
    uint64_t total)
{
	cpu_set_t set;

	if (total < WORTH_SEVERAL)
		return 1;
	if (is_long(first, load))
		return MOST_CONNECTIONS;
	return sched_getaffinity(0, sizeof(set), &set) == 0 &&
	    CPU_COUNT(&set) > 1 ? 2 : 1;
}

int
lines_send(struct line *first, const struct line_load *load, uint64_t *sent,
    struct err *e)
{
	struct work w = {load, plan_new(load->files, load->n)};
	uint64_t total = count_bytes(load);
	size_t n = count_lines(first, load, total) - 1, i;
	pthread_t more[MOST_CONNECTIONS - 1];
	int status;

	log_progress_start("sending", total);
	for (i = 0; i < n; i++)
		if (pthread_create(&more[i], NULL, work_on_another, &w) != 0)
			n = i;
	work_on(first, &w);
	for (i = 0; i < n; i++)
		pthread_join(more[i], NULL);
	log_progress_end();
	status = plan_result(w.plan, e);
	*sent += plan_sent(w.plan);
	plan_free(w.plan);
	return status;
}
