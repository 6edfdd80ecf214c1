#include "lib/sys/background.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/base/mem.h"

struct background {
	int (*work)(void *, struct err *);
	void *arg;
	pthread_t thread;
	bool has_thread;
	int status;
	struct err err;
};

static void *
run(void *arg)
{
	struct background *b = arg;

	b->status = b->work(b->arg, &b->err);
	return NULL;
}

struct background *
background_start(int (*work)(void *arg, struct err *e), void *arg)
{
	struct background *b = mem_zero(1, sizeof(*b));

	b->work = work;
	b->arg = arg;
	b->has_thread = pthread_create(&b->thread, NULL, run, b) == 0;
	if (!b->has_thread)
		run(b);
	return b;
}

int
background_wait(struct background **b, struct err *e)
{
	int status;

	if (*b == NULL)
		return 0;
	if ((*b)->has_thread)
		pthread_join((*b)->thread, NULL);
	status = (*b)->status;
	if (status < 0)
		*e = (*b)->err;
	free(*b);
	*b = NULL;
	return status;
}
