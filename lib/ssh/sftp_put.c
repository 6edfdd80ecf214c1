/*
 * Many jobs under way: which begin, and when one has come to its end.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/ssh/sftp_work.h"

#define LOAD_MAX ((size_t)8 << 20)	/* of sending and reading back */

struct put {
	struct sftp *s;
	struct sftp_job *(*next)(void *arg);
	void (*done)(struct sftp_job *job, void *arg);
	void *arg;
	bool is_over;		/* next has no more */
	/* in the order in which they began, then those that are free */
	struct sftp_work **works;
	size_t n;
};

/*
 * Whether to begin another one: what is under way shall fill the line, but
 * not be taken away from other connections that have the same source.
 */
static bool
may_begin(const struct put *p)
{
	size_t i, load = 0;

	for (i = 0; i < p->n; i++)
		load += p->works[i]->left;
	return !p->is_over && p->n < p->s->handles && load < LOAD_MAX &&
	    sftp_has_room(p->s);
}

static int
begin_some(struct put *p, struct err *e)
{
	struct sftp_job *job;

	while (may_begin(p)) {
		if ((job = p->next(p->arg)) == NULL) {
			p->is_over = true;
			break;
		}
		if (sftp_work_begin(p->s, p->works[p->n++], job, e) < 0)
			return -1;
	}
	return 0;
}

/* Those that began first go first, for they hold handles. */
static int
push_all(struct put *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (sftp_work_push(p->s, p->works[i], e) < 0)
			return -1;
	return 0;
}

static void
take_out_done(struct put *p)
{
	struct sftp_work *w;
	size_t i, kept = 0;

	for (i = 0; i < p->n; i++) {
		w = p->works[i];
		if (sftp_work_is_done(w)) {
			p->done(w->job, p->arg);
		} else {
			p->works[i] = p->works[kept];
			p->works[kept++] = w;
		}
	}
	p->n = kept;
}

static int
run(struct put *p, struct err *e)
{
	for (;;) {
		if (push_all(p, e) < 0)
			return -1;
		take_out_done(p);
		if (begin_some(p, e) < 0)
			return -1;
		if (p->n == 0)
			return 0;
		if (sftp_wait(p->s, e) < 0)
			return -1;
	}
}

/* What else the connection took with it. */
static void
fail_all(struct put *p, const struct err *e)
{
	struct sftp_job *job;
	size_t i;

	for (i = 0; i < p->n; i++) {
		job = p->works[i]->job;
		if (job->error.kind == ERR_NONE)
			job->error = *e;
		p->done(job, p->arg);
	}
}

int
sftp_put(struct sftp *s, struct sftp_job *(*next)(void *arg),
    void (*done)(struct sftp_job *job, void *arg), void *arg, struct err *e)
{
	struct put p = {.s = s, .next = next, .done = done, .arg = arg};
	struct sftp_work *all = mem_zero(s->handles, sizeof(*all));
	size_t i;
	int status;

	p.works = mem_zero(s->handles, sizeof(*p.works));
	for (i = 0; i < s->handles; i++)
		p.works[i] = &all[i];
	if ((status = run(&p, e)) < 0)
		fail_all(&p, e);
	for (i = 0; i < s->handles; i++)
		free(all[i].pieces);
	free(all);
	free(p.works);
	return status;
}
