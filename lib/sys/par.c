#include "lib/sys/par.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/tally.h"

#define MAX_THREADS 64

struct failure {
	size_t index;
	struct err err;
};

struct job {
	size_t n;
	int (*work)(size_t, void *, struct err *);
	void *arg;
	atomic_size_t next;
	pthread_mutex_t lock;
	struct failure *failures;
	size_t n_failures;
	size_t cap;
};

static void
note_failure(struct job *job, size_t i, const struct err *err)
{
	pthread_mutex_lock(&job->lock);
	if (job->n_failures == job->cap) {
		job->cap = mem_grow(job->cap, job->n_failures + 1);
		job->failures = mem_resize(job->failures, job->cap,
		    sizeof(*job->failures));
	}
	job->failures[job->n_failures++] = (struct failure){i, *err};
	pthread_mutex_unlock(&job->lock);
}

static void *
worker(void *arg)
{
	struct job *job = arg;
	struct err err = ERR_INIT;
	size_t i;

	while ((i = atomic_fetch_add(&job->next, 1)) < job->n) {
		if (cleanup_check(&err) < 0) {
			note_failure(job, i, &err);
			break;
		}
		if (job->work(i, job->arg, &err) < 0)
			note_failure(job, i, &err);
	}
	return NULL;
}

static size_t
count_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (size_t)CPU_COUNT(&set);
}

static int
by_index(const void *a, const void *b)
{
	const struct failure *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static int
report(struct job *job, struct err *e)
{
	struct tally failed = TALLY_INIT;
	char of_all[32];
	size_t i;

	for (i = 0; i < job->n_failures; i++)
		if (job->failures[i].err.kind == ERR_SIGNAL) {
			*e = job->failures[i].err;
			return -1;
		}
	if (job->n_failures > 1)
		qsort(job->failures, job->n_failures, sizeof(*job->failures),
		    by_index);
	for (i = 0; i < job->n_failures; i++)
		tally_add(&failed, &job->failures[i].err);
	snprintf(of_all, sizeof(of_all), "of %zu", job->n);
	return tally_end(&failed, of_all, e);
}

int
par_each(size_t n, int (*work)(size_t i, void *arg, struct err *e), void *arg,
    struct err *e)
{
	struct job job = {.n = n, .work = work, .arg = arg,
	    .lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t threads[MAX_THREADS];
	size_t want = count_processors(), started = 0;
	int status;

	if (want > n)
		want = n;
	if (want > MAX_THREADS)
		want = MAX_THREADS;
	/* This thread is one of them. */
	while (started + 1 < want) {
		if (pthread_create(&threads[started], NULL, worker, &job) != 0)
			break;
		started++;
	}
	worker(&job);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	status = report(&job, e);
	free(job.failures);
	pthread_mutex_destroy(&job.lock);
	return status;
}
