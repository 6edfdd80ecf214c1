#include <sched.h>

#include "lib/drop/upload_parts.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
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
upload_line_open(struct upload_line *l, struct sending *s, struct err *e)
{
	l->s = s;
	l->remote = remote_open(s->u->target, e);
	if (l->remote == NULL)
		return -1;
	l->sftp = sftp_open(remote_stream(l->remote), e);
	return l->sftp == NULL ? -1 : 0;
}

void
upload_line_close(struct upload_line *l)
{
	sftp_close(l->sftp);
	remote_close(l->remote);
	l->sftp = NULL;
	l->remote = NULL;
}

/* ------------------------------------------------------ work, and waiting */

/*
 * 1: there is work; 0: it is over. The prover, which may still be connecting,
 * is waited for only when there is nothing else to do, and not for long.
 * 2: nothing was said on this connection for a while.
 */
static int
await_work(struct sending *s, int64_t quiet_from, struct err *e)
{
	int status = -1;

	pthread_mutex_lock(&s->lock);
	while (status < 0) {
		if (cleanup_check(e) < 0)
			break;
		if (s->error.kind != ERR_NONE || upload_plan_is_done(s)) {
			status = 0;
		} else if (upload_plan_has_work(s)) {
			status = 1;
		} else if (clock_ms() - quiet_from > QUIET_MS) {
			status = 2;
		} else {
			if (s->proof == PROOF_UNKNOWN &&
			    clock_ms() >= s->decide_by)
				s->proof = PROOF_READ_BACK;
			upload_wait_a_slice(s);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return status;
}

/* Any question shows that we are there. */
static int
say_something(struct upload_line *l, struct err *e)
{
	struct sftp_attributes a;

	return sftp_stat(l->sftp, l->s->part, &a, e);
}

static void
line_send(struct upload_line *l)
{
	struct err e = ERR_INIT;
	int status;

	do {
		status = sftp_put(l->sftp, upload_next, upload_done, l->s,
		    &e);
		if (status == 0)
			status = await_work(l->s, clock_ms(), &e);
		while (status == 2) {
			status = say_something(l, &e);
			if (status == 0)
				status = await_work(l->s, clock_ms(), &e);
		}
	} while (status > 0);
	if (status < 0)
		upload_fail(l->s, &e);
}

/* ---------------------------------------------------- several connections */

/* One more, which does without if it cannot be opened. */
static void *
line_run(void *arg)
{
	struct upload_line *l = arg;
	struct err e = ERR_INIT;

	if (upload_line_open(l, l->s, &e) == 0)
		line_send(l);
	else
		log_detail("another connection: %s", e.text);
	upload_line_close(l);
	return NULL;
}

static uint64_t
count_bytes(const struct sending *s)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < s->u->n; i++)
		total += s->u->files[i].size;
	return total;
}

/* A machine that is busy is not far away: the quicker of two answers counts. */
bool
upload_line_is_long(const struct upload_line *l)
{
	return l->s->round_trip >= LONG_LINE_US &&
	    remote_round_trip(l->remote) >= LONG_LINE_US;
}

static size_t
count_lines(const struct upload_line *first, uint64_t total)
{
	cpu_set_t set;

	if (total < WORTH_SEVERAL)
		return 1;
	if (first->s->is_far)
		return MOST_CONNECTIONS;
	return sched_getaffinity(0, sizeof(set), &set) == 0 &&
	    CPU_COUNT(&set) > 1 ? 2 : 1;
}

int
upload_lines_send(struct upload_line *first, struct err *e)
{
	struct sending *s = first->s;
	struct upload_line more[MOST_CONNECTIONS] = {{.s = NULL}};
	uint64_t total = count_bytes(s);
	size_t n = count_lines(first, total), i;

	for (i = 1; i < n; i++) {
		more[i].s = s;
		more[i].is_started = pthread_create(&more[i].thread, NULL,
		    line_run, &more[i]) == 0;
	}
	log_progress_start("sending", total);
	line_send(first);
	for (i = 1; i < n; i++)
		if (more[i].is_started)
			pthread_join(more[i].thread, NULL);
	log_progress_end();
	if (s->error.kind == ERR_NONE)
		return 0;
	*e = s->error;
	return -1;
}
