/*
 * GitLab's side of a machine: a runner of its own, which is created for it, so
 * that the runner's first contact proves that the machine works, and which is
 * deleted with it.
 *
 * A runner is ours if its description is "<machine's name> <mark>", with a
 * mark of machine.h. Nothing else is compared: GitLab does not list tags.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "build-machine-ctl/machine.h"
#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/http/http.h"
#include "lib/sys/secret.h"

struct gitlab {
	struct http *http;	/* NULL: not configured */
	const struct conf *conf;
	int64_t project;
	int64_t deadline;	/* clock_ms's */
};
#define GITLAB_INIT {.http = NULL}

struct runner {
	int64_t id;		/* 0: none */
	char build[BUILD_SIZE];
	char mark[MARK_SIZE];
	int64_t made;		/* when, as the mark says */
	struct buf token;	/* of a new one, until it is forgotten */
};
#define RUNNER_INIT {.id = 0}
void runner_clear(struct runner *r);	/* wipes the token */

struct runners {
	struct runner *v;
	size_t n;
};
void runners_clear(struct runners *list);
struct runner *runners_find(const struct runners *list, int64_t id);

/*
 * Opens GitLab's API. Without [gitlab] project it returns 0, and g->http is
 * NULL. ERR_CONFIG for a project without a token.
 */
int gitlab_open(struct gitlab *g, const struct conf *conf, int64_t deadline,
    struct err *e);
void gitlab_close(struct gitlab *g);

/*
 * Creates the runners of n machines, at once, with the runner-tags of their
 * builds; v[i].build is filled in by the caller. errors[i] is of kind ERR_NONE
 * where it worked. GitLab tells the token of a runner only once: a runner
 * whose token did not arrive is of no use. Its mark, by which it is found, is
 * then still set; the mark is empty where there is certainly no runner.
 */
void runner_make(struct gitlab *g, struct runner *v, struct err *errors,
    size_t n);

/* Our runners in the project; only_online: those that are. */
int runner_list(struct gitlab *g, bool only_online, struct runners *list,
    struct err *e);

/*
 * 0 if the project exists and the token may do what is needed. ERR_CONFIG, or
 * what GitLab answers.
 */
int gitlab_check(struct gitlab *g, struct err *e);

/* They take no new jobs from now on. A failure is only warned of. */
void runner_pause(struct gitlab *g, const struct runners *list);
/* Deletes all of them, at once; one that is gone already is not an error. */
int runner_delete(struct gitlab *g, const struct runners *list, struct err *e);

#endif
