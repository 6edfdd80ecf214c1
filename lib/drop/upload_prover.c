#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/drop/upload_parts.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define CONNECT_MS 8000		/* it is not needed */
#define DECIDE_MS 10000		/* to have a connection and an answer */
#define PROBE_MS 8000
#define SLICE_MS 100
/* A disk is faster, and no line is. */
#define HASH_MS 10000
#define BYTES_A_MS ((uint64_t)16 << 10)
#define COMMAND_LIMIT ((size_t)16 << 10)	/* of any shell, and of sshd */
#define SAID_LIMIT ((size_t)256 << 10)

struct upload_prover {
	struct sending *s;
	struct remote_target target;
	struct remote *remote;
	const char *tool;
	pthread_t thread;
	size_t *batch;		/* parts whose hash is asked for, */
	uint8_t (*right)[HASH_SIZE];	/* which it should be, */
	size_t n;
	struct buf command;	/* and how */
	struct buf said;
};

/* The fastest first: it uses the processor's own instructions. */
static const char *const tools[] = {"openssl dgst -sha256 -r", "sha256sum"};

/* ------------------------------------------------------ one question */

static bool
is_over(struct sending *s)
{
	bool over;

	pthread_mutex_lock(&s->lock);
	over = s->is_over || s->error.kind != ERR_NONE;
	pthread_mutex_unlock(&s->lock);
	return over;
}

static int
begin(struct upload_prover *p, struct err *e)
{
	p->said.n = 0;
	return remote_run(p->remote, buf_cstr(&p->command), e);
}

/* What the command prints, to its end. */
static int
await(struct upload_prover *p, int64_t ms, struct err *e)
{
	int64_t deadline = clock_ms() + ms;
	int status = 0;

	while (status == 0) {
		if (cleanup_check(e) < 0)
			return -1;
		if (is_over(p->s) || clock_ms() >= deadline)
			return err_set(e, ERR_AGAIN, "no hash in time");
		status = remote_run_read(p->remote, &p->said, SAID_LIMIT,
		    SLICE_MS, e);
	}
	buf_add(&p->said, "", 0);
	return status < 0 ? -1 : 0;
}

/* Which of the tools knows the hash of nothing? */
static int
find_tool(struct upload_prover *p, struct err *e)
{
	uint8_t right[HASH_SIZE], sha256[HASH_SIZE];
	size_t i;

	hash_data("", 0, right);
	p->command.n = 0;
	for (i = 0; i < COUNT(tools); i++)
		upload_hash_ask(&p->command, i, tools[i], "/dev/null");
	if (begin(p, e) < 0 || await(p, PROBE_MS, e) < 0)
		return -1;
	for (i = 0; i < COUNT(tools) && p->tool == NULL; i++)
		if (upload_hash_find(&p->said, i, sha256) &&
		    hash_equal(sha256, right))
			p->tool = tools[i];
	if (p->tool != NULL)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "no shell that takes hashes");
}

/* ------------------------------------------------- parts of large files */

static bool
is_whole(const struct sending *s, const struct plan_part *part)
{
	return part->n == s->u->files[part->file].size;
}

/* Meanwhile the other side does the same. */
static int
hash_batch(struct upload_prover *p, struct err *e)
{
	const struct sending *s = p->s;
	const struct plan_part *part;
	const uint8_t *known;
	size_t i;

	for (i = 0; i < p->n; i++) {
		part = &s->parts[p->batch[i]];
		known = s->u->files[part->file].sha256;
		if (cleanup_check(e) < 0)
			return -1;
		if (is_over(p->s))
			return err_set(e, ERR_AGAIN, "it is over");
		if (is_whole(s, part) && known != NULL)
			memcpy(p->right[i], known, HASH_SIZE);
		else if (upload_hash_here(&s->u->files[part->file],
		    part->offset, part->n, p->right[i], e) < 0)
			return -1;
	}
	return 0;
}

static bool
is_due(const struct sending *s, const struct plan_part *part)
{
	return part->unproven > 0 && (part->asks_first ||
	    (s->files[part->file].is_large && part->unsent == 0 &&
	    !part->is_asked));
}

static void
add_to_batch(struct upload_prover *p, struct plan_part *part)
{
	const struct sending *s = p->s;
	char *path = mem_format("%s/%s", s->part,
	    s->u->files[part->file].path);

	if (is_whole(s, part))
		upload_hash_ask(&p->command, p->n, p->tool, path);
	else
		upload_hash_ask_part(&p->command, p->n, p->tool, path,
		    part->offset / UPLOAD_PIECE,
		    (part->n - 1) / UPLOAD_PIECE + 1);
	free(path);
	part->is_asked = part->unsent == 0;
	p->batch[p->n++] = (size_t)(part - s->parts);
}

/* Some that are due, as many as one command may name; the lock is held. */
static uint64_t
take_due(struct upload_prover *p)
{
	struct sending *s = p->s;
	uint64_t bytes = 0;
	size_t i;

	p->n = 0;
	p->command.n = 0;
	for (i = 0; i < s->n_parts && p->command.n < COMMAND_LIMIT; i++)
		if (is_due(s, &s->parts[i])) {
			add_to_batch(p, &s->parts[i]);
			bytes += s->parts[i].n;
		}
	return bytes;
}

/* The size of what is due; 0 at the end. */
static uint64_t
await_due(struct upload_prover *p)
{
	struct sending *s = p->s;
	uint64_t bytes = 0;

	pthread_mutex_lock(&s->lock);
	while (!s->is_over && s->error.kind == ERR_NONE &&
	    (bytes = take_due(p)) == 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return bytes;
}

/* Of a file that was begun before, another hash is none of our concern. */
static int
judge(struct upload_prover *p, struct err *e)
{
	struct sending *s = p->s;
	uint8_t sha256[HASH_SIZE];
	struct plan_part *part;
	size_t i, bad = 0;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < p->n; i++) {
		part = &s->parts[p->batch[i]];
		if (upload_hash_find(&p->said, i, sha256) &&
		    hash_equal(sha256, p->right[i]))
			upload_plan_proven(s, p->batch[i]);
		else if (!part->asks_first && ++bad == 1)
			err_set(e, ERR_IO, "'%s' has no such hash there",
			    s->u->files[part->file].path);
		part->asks_first = false;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return bad > 0 ? -1 : 0;
}

static int
prove(struct upload_prover *p, struct err *e)
{
	uint64_t bytes;

	p->remote = remote_open_to_run(&p->target, e);
	if (p->remote == NULL || find_tool(p, e) < 0)
		return -1;
	log_detail("large files are proven by '%s' there", p->tool);
	upload_decide(p->s, PROOF_HASH);
	while ((bytes = await_due(p)) > 0)
		if (begin(p, e) < 0 || hash_batch(p, e) < 0 ||
		    await(p, HASH_MS + (int64_t)(bytes / BYTES_A_MS), e) < 0 ||
		    judge(p, e) < 0)
			return -1;
	return 0;
}

/* Whatever it is that does not work: what is sent can be read back. */
static void *
run(void *arg)
{
	struct upload_prover *p = arg;
	struct err e = ERR_INIT;

	if (prove(p, &e) < 0) {
		if (!is_over(p->s))
			log_detail("large files are read back: %s", e.text);
		upload_decide(p->s, PROOF_READ_BACK);
	}
	remote_close(p->remote);
	return NULL;
}

/* ----------------------------------------------------------- begin and end */

static bool
may_name_all(const struct sending *s)
{
	size_t i;

	if (!upload_hash_may_name(s->part))
		return false;
	for (i = 0; i < s->u->n; i++)
		if (s->files[i].is_large && (s->u->files[i].open == NULL ||
		    !upload_hash_may_name(s->u->files[i].path)))
			return false;
	return true;
}

struct upload_prover *
upload_prover_start(struct sending *s)
{
	struct upload_prover *p;

	if (upload_plan_large(s) < UPLOAD_WORTH || !may_name_all(s)) {
		upload_decide(s, PROOF_READ_BACK);
		return NULL;
	}
	p = mem_zero(1, sizeof(*p));
	p->s = s;
	p->target = *s->u->target;
	if (p->target.connect_ms == 0 || p->target.connect_ms > CONNECT_MS)
		p->target.connect_ms = CONNECT_MS;
	p->batch = mem_zero(s->n_parts, sizeof(*p->batch));
	p->right = mem_zero(s->n_parts, sizeof(*p->right));
	s->decide_by = clock_ms() + DECIDE_MS;
	if (pthread_create(&p->thread, NULL, run, p) == 0)
		return p;
	upload_decide(s, PROOF_READ_BACK);
	free(p->batch);
	free(p->right);
	free(p);
	return NULL;
}

static bool
waits_for_first(const struct sending *s)
{
	size_t i;

	for (i = 0; i < s->n_parts; i++)
		if (s->parts[i].asks_first)
			return true;
	return false;
}

int
upload_prover_ask_first(struct upload_prover *p, struct err *e)
{
	struct sending *s;
	int status = 0;
	size_t i;

	if (p == NULL)
		return 0;
	s = p->s;
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->n_parts; i++)
		s->parts[i].asks_first = s->files[s->parts[i].file].is_large;
	pthread_cond_broadcast(&s->changed);
	while (status == 0 && s->proof != PROOF_READ_BACK &&
	    waits_for_first(s)) {
		upload_wait_a_slice(s);
		status = cleanup_check(e);
	}
	for (i = 0; i < s->n_parts; i++)
		s->parts[i].asks_first = false;
	pthread_mutex_unlock(&s->lock);
	return status;
}

void
upload_prover_end(struct upload_prover *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->s->lock);
	p->s->is_over = true;
	pthread_cond_broadcast(&p->s->changed);
	pthread_mutex_unlock(&p->s->lock);
	pthread_join(p->thread, NULL);
	buf_clear(&p->command);
	buf_clear(&p->said);
	free(p->batch);
	free(p->right);
	free(p);
}
