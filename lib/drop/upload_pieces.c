/*
 * The steps of the plan as jobs of sftp_put.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/drop/upload_parts.h"

struct piece {
	struct sftp_job job;	/* the first member */
	struct plan_step step;
	const struct upload_file *f;
	char *path;
};

/* Opening it says so where it is another one by now. */
int
upload_load(const struct upload_file *f, uint64_t offset, void *to, size_t n,
    struct err *e)
{
	int fd = f->open(f, e);
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
	    f->path);
}

static int
load(const struct sftp_job *job, uint64_t offset, void *to, size_t n,
    struct err *e)
{
	return upload_load(((const struct piece *)job)->f, offset, to, n, e);
}

static struct piece *
piece_new(const struct sending *s, const struct plan_step *step)
{
	struct piece *p = mem_zero(1, sizeof(*p));

	p->step = *step;
	p->f = &s->u->files[step->file];
	p->path = mem_format("%s/%s", s->part, p->f->path);
	p->job = (struct sftp_job){.path = p->path, .duty = step->duty,
	    .n = (size_t)step->n, .offset = step->offset,
	    .size = p->f->size, .look_first = s->look_first};
	if (p->f->open == NULL)
		p->job.data = (const char *)p->f->data + step->offset;
	else
		p->job.load = load;
	return p;
}

struct sftp_job *
upload_next(void *arg)
{
	struct sending *s = arg;
	struct plan_step step;
	bool is_one;

	pthread_mutex_lock(&s->lock);
	is_one = upload_plan_take(s, &step);
	pthread_mutex_unlock(&s->lock);
	return is_one ? &piece_new(s, &step)->job : NULL;
}

/* What was looked at and found to be there has been read. */
static bool
is_proven(const struct piece *p)
{
	return p->job.duty == SFTP_ALL ||
	    (p->job.look_first && p->job.sent == 0);
}

void
upload_done(struct sftp_job *job, void *arg)
{
	struct piece *p = (struct piece *)job;
	struct sending *s = arg;

	pthread_mutex_lock(&s->lock);
	s->sent += job->sent;
	if (job->error.kind == ERR_NONE)
		upload_plan_note(s, &p->step, is_proven(p));
	else if (s->error.kind == ERR_NONE)
		s->error = job->error;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	free(p->path);
	free(p);
}
