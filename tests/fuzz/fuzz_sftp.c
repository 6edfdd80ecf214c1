/*
 * What an SFTP server answers. The first byte chooses what is asked, and
 * whether the rest is the stream as it comes, or a list of answers: which of
 * the requests in flight, a type, a length, so many bytes. Those get a right
 * frame and a right id, so that the fuzzer reaches what lies behind them.
 */
#include "lib/base/buf.h"
#include "lib/ssh/files.h"
#include "lib/ssh/packet.h"
#include "lib/ssh/put.h"
#include "lib/ssh/sftp.h"
#include "tests/fuzz/support.h"

#define JOB_SIZE 9000
#define WAITING 1024

struct server {
	const uint8_t *p;
	size_t n;
	bool is_raw;
	struct buf asked, answers;
	uint32_t ids[WAITING];
	size_t n_ids;
	struct sftp_stream stream;
};

static int
take_requests(void *arg, const void *data, size_t n, struct err *e)
{
	struct server *v = arg;
	struct packet a;
	size_t done = 0;
	ssize_t k;

	buf_add(&v->asked, data, n);
	while ((k = packet_frame(&a, (uint8_t *)v->asked.p + done,
	    v->asked.n - done, e)) > 0) {
		done += (size_t)k;
		must(v->n_ids < WAITING);
		if (a.type != PACKET_INIT)
			v->ids[v->n_ids++] = packet_get_u32(&a);
	}
	must(k == 0 && v->n_ids <= SFTP_IN_FLIGHT);
	if (done > 0)
		memmove(v->asked.p, v->asked.p + done, v->asked.n - done);
	v->asked.n -= done;
	return 0;
}

static void
say_hello(struct server *v)
{
	static const char *const words[] = {"fsync@openssh.com", "1",
	    "limits@openssh.com", "1", "statvfs@openssh.com", "2"};
	size_t i, begin = packet_begin(&v->answers, PACKET_VERSION);

	be32_add(&v->answers, 3);
	for (i = 0; i < 6; i++)
		packet_string(&v->answers, words[i]);
	packet_end(&v->answers, begin, 0);
}

/* The next of the list; false where there is none, or nobody waits. */
static bool
answer(struct server *v)
{
	size_t begin, n, which;

	if (v->n < 3 || v->n_ids == 0)
		return false;
	which = v->p[0] % v->n_ids;
	begin = packet_begin(&v->answers, v->p[1]);
	n = v->p[2];
	v->p += 3;
	v->n -= 3;
	if (n > v->n)
		n = v->n;
	be32_add(&v->answers, v->ids[which]);
	buf_add(&v->answers, v->p, n);
	packet_end(&v->answers, begin, 0);
	v->p += n;
	v->n -= n;
	memmove(v->ids + which, v->ids + which + 1,
	    (--v->n_ids - which) * sizeof(*v->ids));
	return true;
}

static ssize_t
give_answers(void *arg, void *data, size_t n, int ms, struct err *e)
{
	struct server *v = arg;

	(void)ms;
	if (v->answers.n == 0 && v->is_raw) {
		buf_add(&v->answers, v->p, v->n);
		v->n = 0;
	}
	while (v->answers.n == 0 && answer(v))
		;
	if (n > v->answers.n)
		n = v->answers.n;
	if (n == 0)
		return err_set(e, ERR_AGAIN, "the end");
	memcpy(data, v->answers.p, n);
	memmove(v->answers.p, v->answers.p + n, v->answers.n - n);
	v->answers.n -= n;
	return (ssize_t)n;
}

/* -------------------------------------------------------- what is asked */

static const char data_of_jobs[JOB_SIZE];

struct jobs {
	struct sftp_job v[3];
	size_t next, done;
};

static struct sftp_job *
next_job(void *arg)
{
	struct jobs *j = arg;

	return j->next < 3 ? &j->v[j->next++] : NULL;
}

static void
job_done(struct sftp_job *job, void *arg)
{
	struct jobs *j = arg;

	must(job->sent <= job->n);
	if (job->error.kind != ERR_NONE)
		must_have_reason(&job->error);
	j->done++;
}

static int
put(struct sftp *s, struct err *e)
{
	struct jobs j = {.next = 0};
	size_t i;
	int status;

	for (i = 0; i < 3; i++)
		j.v[i] = (struct sftp_job){.path = "a/b", .data = data_of_jobs,
		    .n = JOB_SIZE, .size = JOB_SIZE + 1,
		    .look_first = i > 0};
	status = sftp_put(s, next_job, job_done, &j, e);
	must(j.done == j.next && (status < 0 || j.done == 3));
	return status;
}

static int
list(struct sftp *s, struct err *e)
{
	struct strv names = STRV_INIT;
	int status = sftp_list(s, "a", &names, e);
	size_t i;

	for (i = 0; i < names.n; i++)
		must(names.v[i][0] != '\0' && strchr(names.v[i], '/') == NULL);
	strv_clear(&names);
	return status;
}

static int
read_file(struct sftp *s, struct err *e)
{
	struct buf b = BUF_INIT;
	int status = sftp_read(s, "a", 50000, &b, e);

	must(b.n <= 50000 && (status == 0 || b.n == 0));
	buf_clear(&b);
	return status;
}

static int
names(struct sftp *s, struct err *e)
{
	struct sftp_attributes a;
	struct strv paths = STRV_INIT;
	int status;

	strv_split(&paths, "a b c");
	status = sftp_make_dirs(s, &paths, e);
	if (status == 0)
		status = sftp_rename(s, "a", "b", e);
	if (status == 0)
		status = sftp_stat(s, "a", &a, e);
	if (status == 0)
		status = sftp_remove(s, "a", e);
	if (status == 0)
		status = sftp_sync_dirs(s, &paths, e);
	strv_clear(&paths);
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int (*const asks[])(struct sftp *, struct err *) = {
		put, list, read_file, names,
	};
	struct server v = {.p = data + 1, .n = n - 1,
	    .stream = {&v, give_answers, take_requests}};
	struct err e = ERR_INIT;
	struct sftp *s;

	if (n == 0)
		return 0;
	v.is_raw = (data[0] & 0x80) != 0;
	if (!v.is_raw)
		say_hello(&v);
	s = sftp_open(&v.stream, &e);
	if (s == NULL || asks[data[0] % 4](s, &e) < 0)
		must_have_reason(&e);
	sftp_close(s);
	buf_clear(&v.asked);
	buf_clear(&v.answers);
	return 0;
}
