/*
 * lib/ssh/sftp.h, against OpenSSH's sftp-server at the other end of a socket,
 * and against one in this process that answers by heart, or nonsense.
 */
#include "tests/unit/support.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "lib/base/mem.h"
#include "lib/ssh/files.h"
#include "lib/ssh/packet.h"
#include "lib/ssh/put.h"
#include "lib/ssh/sftp.h"
#include "lib/sys/cleanup.h"

#define SERVER "/usr/lib/openssh/sftp-server"
#define CHUNK ((size_t)255 << 10)
#define RANGE ((size_t)3 << 20)
#define MIB ((size_t)1 << 20)

/* ------------------------------------------------- a line to the real one */

struct line {
	int fd;
	pid_t pid;
	struct buf inbox;	/* taken in while writing, and not yet read */
	bool is_slow;		/* nothing comes before all has come */
	size_t rounds;		/* how often that was waited for */
	size_t asked, answered;	/* packets, of slow lines */
	struct buf to, from;	/* of these, the unfinished ones */
	bool flips;		/* a bit of each DATA */
	bool flips_once;
	struct sftp_stream stream;
};

/* Counts the packets that are whole and takes them out. */
static size_t
count_packets(struct buf *b, const void *data, size_t n)
{
	struct packet a;
	struct err e = ERR_INIT;
	size_t count = 0, done = 0;
	ssize_t k;

	buf_add(b, data, n);
	while ((k = packet_frame(&a, (unsigned char *)b->p + done, b->n - done,
	    &e)) > 0) {
		done += (size_t)k;
		count++;
	}
	if (done > 0)
		memmove(b->p, b->p + done, b->n - done);
	b->n -= done;
	return count;
}

static void
flip(struct line *l, size_t from)
{
	struct packet a;
	struct err e = ERR_INIT;
	ssize_t k;

	for (; (k = packet_frame(&a, (unsigned char *)l->inbox.p + from,
	    l->inbox.n - from, &e)) > 0; from += (size_t)k)
		if (a.type == PACKET_DATA) {
			l->inbox.p[from + (size_t)k - 1] ^= 1;
			l->flips = !l->flips_once;
			if (l->flips_once)
				break;
		}
}

static int
take_in(struct line *l, struct err *e)
{
	char *room = buf_room(&l->inbox, MIB);
	ssize_t n = recv(l->fd, room, MIB, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return err_set(e, ERR_AGAIN, "the line was cut");
	l->inbox.n += (size_t)n;
	if (l->is_slow)
		l->answered += count_packets(&l->from, room, (size_t)n);
	return 0;
}

/* Waits for all that is due. */
static int
be_slow(struct line *l, struct err *e)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	l->rounds++;
	while (l->answered < l->asked) {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			abort();
		if (take_in(l, e) < 0)
			return -1;
	}
	return 0;
}

static ssize_t
line_read(void *arg, void *data, size_t n, int ms, struct err *e)
{
	struct line *l = arg;
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	if (l->inbox.n == 0 && l->is_slow) {
		if (be_slow(l, e) < 0)
			return -1;
	} else if (l->inbox.n == 0) {
		if (poll(&p, 1, ms) > 0 && take_in(l, e) < 0)
			return -1;
	}
	if (l->flips)
		flip(l, 0);
	if (n > l->inbox.n)
		n = l->inbox.n;
	if (n > 0)
		memcpy(data, l->inbox.p, n);
	l->inbox.n -= n;
	if (l->inbox.n > 0)
		memmove(l->inbox.p, l->inbox.p + n, l->inbox.n);
	return (ssize_t)n;
}

static int
line_write(void *arg, const void *data, size_t n, struct err *e)
{
	struct line *l = arg;
	struct pollfd p = {.fd = l->fd, .events = POLLIN | POLLOUT};
	const char *at = data;
	ssize_t k;

	if (l->is_slow)
		l->asked += count_packets(&l->to, data, n);
	while (n > 0) {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			abort();
		if ((p.revents & POLLIN) && take_in(l, e) < 0)
			return -1;
		k = send(l->fd, at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (k < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(e, ERR_AGAIN, "the line was cut");
		if (k > 0) {
			at += k;
			n -= (size_t)k;
		}
	}
	return 0;
}

/* As nobody where that can be: root may write everywhere. */
static void
line_open_as(struct line *l, bool as_nobody, const char *option)
{
	int pair[2];

	if (access(SERVER, X_OK) < 0)
		skip();
	*l = (struct line){.inbox = BUF_INIT, .stream = {l, line_read,
	    line_write}};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	fflush(NULL);
	l->pid = fork();
	assert_true(l->pid >= 0);
	if (l->pid == 0) {
		default_signals();
		dup2(pair[1], STDIN_FILENO);
		dup2(pair[1], STDOUT_FILENO);
		if (as_nobody && geteuid() == 0 &&
		    (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(1);
		execl(SERVER, SERVER, "-d", scratch_path, option, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	l->fd = pair[0];
}

static struct sftp *
line_open(struct line *l)
{
	struct err e = ERR_INIT;
	struct sftp *s;

	line_open_as(l, false, NULL);
	s = sftp_open(&l->stream, &e);
	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

static void
line_close(struct line *l)
{
	close(l->fd);
	while (waitpid(l->pid, NULL, 0) < 0)
		assert_int_equal(errno, EINTR);
	buf_clear(&l->inbox);
	buf_clear(&l->to);
	buf_clear(&l->from);
}

/* ------------------------------------------------------------------- jobs */

struct jobs {
	struct sftp_job *v;
	size_t n, next, done;
};

static struct sftp_job *
next_job(void *arg)
{
	struct jobs *j = arg;

	return j->next < j->n ? &j->v[j->next++] : NULL;
}

static void
job_done(struct sftp_job *job, void *arg)
{
	struct jobs *j = arg;

	assert_true(job >= j->v && job < j->v + j->n);
	j->done++;
}

static int
put_jobs(struct sftp *s, struct sftp_job *v, size_t n, struct err *e)
{
	struct jobs j = {.v = v, .n = n};
	int status = sftp_put(s, next_job, job_done, &j, e);

	assert_int_equal(j.done, j.next);
	assert_true(status < 0 || j.done == n);
	return status;
}

static struct sftp_job
whole(const char *path, const void *data, size_t n)
{
	return (struct sftp_job){.path = path, .data = data, .n = n, .size = n};
}

/* Not the same again after a while, nor at another place. */
static unsigned char *
noise(size_t n, uint32_t seed)
{
	unsigned char *p = mem_alloc(n + 1);
	uint32_t x = seed * 2654435761u + 1;
	size_t i;

	for (i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (unsigned char)(x >> 24);
	}
	return p;
}

static void
assert_file(const char *name, const void *data, size_t n)
{
	struct buf b = BUF_INIT;

	get(name, &b);
	assert_int_equal(b.n, n);
	assert_true(n == 0 || memcmp(b.p, data, n) == 0);
	buf_clear(&b);
}

static void
assert_job(const struct sftp_job *job, uint64_t sent)
{
	if (job->error.kind != ERR_NONE)
		fail_msg("%s", job->error.text);
	assert_int_equal(job->sent, sent);
}

/* --------------------------------------------------- with the real server */

static void
files_of_all_sizes_are_put(void **state)
{
	static const size_t sizes[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1,
	    5 * MIB};
	static const char *const names[] = {"s0", "s1", "s2", "s3", "s4", "s5"};
	struct sftp_job v[COUNT(sizes)];
	unsigned char *data = noise(5 * MIB, 1);
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(sizes); i++)
		v[i] = whole(names[i], data, sizes[i]);
	assert_ok(put_jobs(s, v, COUNT(sizes), &e), e);
	for (i = 0; i < COUNT(sizes); i++) {
		assert_job(&v[i], sizes[i]);
		assert_file(names[i], data, sizes[i]);
		assert_int_equal(stat(names[i], &st), 0);
		assert_int_equal(st.st_mode & 0777 & ~0644, 0);
		buf_add(&b, "x", 1);
		assert_ok(sftp_read(s, names[i], sizes[i], &b, &e), e);
		assert_int_equal(b.n, sizes[i] + 1);
		assert_memory_equal(b.p + 1, data, sizes[i]);
		buf_clear(&b);
		if (sizes[i] > 0)
			assert_fails(sftp_read(s, names[i], sizes[i] - 1, &b,
			    &e), e, ERR_DATA, "is larger than");
	}
	assert_fails(sftp_read(s, "none", 1, &b, &e), e, ERR_MISSING, "'none'");
	assert_fails(sftp_read(s, ".", 1 << 20, &b, &e), e, ERR_DATA,
	    "not a regular file");
	e = (struct err)ERR_INIT;
	assert_ok(put_jobs(s, v, 0, &e), e);
	sftp_close(s);
	line_close(&l);
	free(data);
}

#define MANY 3000

static void
many_small_files_are_put(void **state)
{
	struct sftp_job *v = mem_zero(MANY, sizeof(*v));
	struct strv dirs = STRV_INIT, names = STRV_INIT;
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	strv_add(&dirs, "many");
	assert_ok(sftp_make_dirs(s, &dirs, &e), e);
	for (i = 0; i < MANY; i++) {
		strv_take(&names, mem_format("many/%zu", i));
		v[i] = whole(names.v[i], names.v[i], strlen(names.v[i]));
	}
	assert_ok(put_jobs(s, v, MANY, &e), e);
	for (i = 0; i < MANY; i++) {
		assert_job(&v[i], strlen(names.v[i]));
		assert_file(names.v[i], names.v[i], strlen(names.v[i]));
	}
	assert_int_equal(count_names("many"), MANY);
	sftp_close(s);
	line_close(&l);
	strv_clear(&dirs);
	strv_clear(&names);
	free(v);
}

/* --------------------------------------- ranges of one file, two servers */

struct ranges {
	const unsigned char *data;
	size_t size;
	atomic_size_t next;
};

struct hand {
	struct ranges *ranges;
	struct sftp *s;
	struct sftp_job v[64];
	size_t n, done;
	int status;
	struct err e;
};

static struct sftp_job *
next_range(void *arg)
{
	struct hand *h = arg;
	struct sftp_job *job = &h->v[h->n];
	size_t at = atomic_fetch_add(&h->ranges->next, RANGE);

	if (at >= h->ranges->size)
		return NULL;
	*job = (struct sftp_job){.path = "ranges", .offset = at,
	    .data = h->ranges->data + at, .size = h->ranges->size,
	    .n = h->ranges->size - at < RANGE ? h->ranges->size - at : RANGE,
	    .look_first = true};
	h->n++;
	return job;
}

static void
range_done(struct sftp_job *job, void *arg)
{
	struct hand *h = arg;

	assert_int_equal(job->error.kind, ERR_NONE);
	h->done++;
}

static void *
put_ranges(void *arg)
{
	struct hand *h = arg;

	h->status = sftp_put(h->s, next_range, range_done, h, &h->e);
	return NULL;
}

static void
two_connections_put_ranges_of_one_file(void **state)
{
	size_t i, size = 20 * MIB + 12345, sent = 0;
	unsigned char *data = noise(size, 2);
	struct ranges ranges = {.data = data, .size = size};
	static struct hand hands[2];
	struct line lines[2];
	pthread_t thread[2];

	(void)state;
	put("ranges", data, MIB);
	for (i = 0; i < 2; i++)
		hands[i] = (struct hand){.ranges = &ranges,
		    .s = line_open(&lines[i])};
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, put_ranges,
		    &hands[i]), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_ok(hands[i].status, hands[i].e);
		assert_int_equal(hands[i].done, hands[i].n);
		while (hands[i].n > 0)
			sent += hands[i].v[--hands[i].n].sent;
		sftp_close(hands[i].s);
		line_close(&lines[i]);
	}
	assert_file("ranges", data, size);
	/* whole chunks only: the last that was there was not all there */
	assert_int_equal(sent, size - MIB / CHUNK * CHUNK);
	free(data);
}

/* Nobody is left without work because another one took all of it. */
static void
work_is_not_hoarded(void **state)
{
	size_t size = 64 * MIB;
	unsigned char *data = mem_zero(size, 1);
	struct sftp_job v[64];
	struct jobs j = {.v = v, .n = 64};
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < 64; i++)
		v[i] = (struct sftp_job){.path = "big", .size = size,
		    .n = MIB, .offset = i * MIB, .data = data + i * MIB};
	shutdown(l.fd, SHUT_WR);
	assert_fails(sftp_put(s, next_job, job_done, &j, &e), e, ERR_AGAIN,
	    "the line was cut");
	assert_true(j.next <= 16);
	assert_int_equal(j.done, j.next);
	for (i = 0; i < j.next; i++)
		assert_int_equal(v[i].error.kind, ERR_AGAIN);
	/* and it stays so */
	assert_fails(sftp_remove(s, "x", &e), e, ERR_AGAIN, "the line was cut");
	sftp_close(s);
	line_close(&l);
	free(data);
}

/* ----------------------------------------------------------- look first */

static uint64_t
put_upon(const char *name, const void *before, size_t n_before,
    const void *data, size_t n)
{
	struct sftp_job job = whole(name, data, n);
	struct line l;
	struct sftp *s;
	struct err e = ERR_INIT;

	if (before != NULL)
		put(name, before, n_before);
	s = line_open(&l);
	job.look_first = true;
	assert_ok(put_jobs(s, &job, 1, &e), e);
	if (job.error.kind != ERR_NONE)
		fail_msg("%s", job.error.text);
	assert_file(name, data, n);
	sftp_close(s);
	line_close(&l);
	return job.sent;
}

static void
what_is_there_is_not_sent(void **state)
{
	size_t n = 10 * CHUNK + 7;
	unsigned char *data = noise(n + MIB, 3), *other = noise(n + MIB, 4);
	unsigned char *holes = mem_zero(n, 1);

	(void)state;
	assert_int_equal(put_upon("l0", NULL, 0, data, n), n);
	assert_int_equal(put_upon("l0", NULL, 0, data, n), 0);
	assert_int_equal(put_upon("l1", data, 3 * CHUNK, data, n),
	    7 * CHUNK + 7);
	assert_int_equal(put_upon("l2", data, n - 1, data, n), 7);
	assert_int_equal(put_upon("l3", data, n + MIB, data, n), 0);
	assert_int_equal(put_upon("l4", other, n + MIB, data, n), n);
	assert_int_equal(put_upon("l5", "", 0, data, n), n);
	/* holes read as zeros */
	memcpy(holes + 4 * CHUNK, data + 4 * CHUNK, CHUNK);
	memcpy(holes + 10 * CHUNK, data + 10 * CHUNK, 7);
	assert_int_equal(put_upon("l6", holes, n, data, n), 9 * CHUNK);
	memcpy(holes, data, n);
	holes[5 * CHUNK - 1] ^= 1;
	holes[5 * CHUNK] ^= 1;
	assert_int_equal(put_upon("l7", holes, n, data, n), 2 * CHUNK);
	assert_int_equal(put_upon("l8", data, n, data, 0), 0);
	assert_int_equal(put_upon("l9", data, 5, data, 1), 0);
	assert_int_equal(put_upon("l10", other, 5, data, 1), 1);
	free(data);
	free(other);
	free(holes);
}

/* Without look_first nothing is cut: another range may be there already. */
static void
a_range_leaves_the_rest_as_it_is(void **state)
{
	struct sftp_job job = {.path = "middle", .data = "XYZ", .n = 3,
	    .offset = 4, .size = 10};
	struct line l;
	struct sftp *s;
	struct err e = ERR_INIT;

	(void)state;
	put_str("middle", "0123456789");
	s = line_open(&l);
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_job(&job, 3);
	assert_file("middle", "0123XYZ789", 10);
	job.look_first = true;
	job.size = 8;
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_job(&job, 0);
	assert_file("middle", "0123XYZ7", 8);
	sftp_close(s);
	line_close(&l);
}

/* --------------------------------------------------------------- failures */

static void
what_is_read_back_is_compared(void **state)
{
	unsigned char *data = noise(MIB, 5);
	struct sftp_job v[2] = {whole("back", data, MIB),
	    whole("back2", data, MIB)};
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;

	(void)state;
	l.is_slow = l.flips = l.flips_once = true;
	assert_ok(put_jobs(s, v, 2, &e), e);
	assert_int_equal(v[0].error.kind, ERR_IO);
	assert_non_null(strstr(v[0].error.text, "differs from what was sent"));
	assert_int_equal(v[1].error.kind, ERR_NONE);
	/* what looks different is sent, and found to be right */
	v[0].look_first = true;
	l.flips = true;
	assert_ok(put_jobs(s, v, 1, &e), e);
	assert_job(&v[0], CHUNK);
	assert_file("back", data, MIB);
	sftp_close(s);
	line_close(&l);
	free(data);
}

/* Each duty alone, of a file that is sent in pieces. */
static void
duties_are_done_apart(void **state)
{
	size_t n = 2 * MIB + 5;
	unsigned char *data = noise(n, 15), *other = noise(n, 16);
	struct sftp_job job = whole("apart", data, n);
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;

	(void)state;
	put("apart", other, n);
	job.duty = SFTP_SYNC;
	job.n = 0;
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_job(&job, 0);
	assert_file("apart", other, n);
	job.duty = SFTP_READ_BACK;
	job.n = n;
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_int_equal(job.error.kind, ERR_IO);
	assert_non_null(strstr(job.error.text, "differs from what was sent"));
	assert_file("apart", other, n);
	job.duty = SFTP_SEND;
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_job(&job, n);
	assert_file("apart", data, n);
	job.duty = SFTP_READ_BACK;
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_job(&job, 0);
	/* a file that is too short, and none */
	assert_int_equal(truncate("apart", (off_t)n - 1), 0);
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_int_equal(job.error.kind, ERR_IO);
	assert_int_equal(unlink("apart"), 0);
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_int_equal(job.error.kind, ERR_MISSING);
	assert_int_equal(access("apart", F_OK), -1);
	sftp_close(s);
	line_close(&l);
	free(data);
	free(other);
}

static const unsigned char *loaded_from;
static size_t loads, loads_left;

static int
load(const struct sftp_job *job, uint64_t offset, void *to, size_t n,
    struct err *e)
{
	assert_true(offset >= job->offset);
	assert_true(n <= CHUNK && offset + n <= job->offset + job->n);
	loads++;
	if (loads_left-- == 0)
		return err_set(e, ERR_DATA, "'%s' has changed", job->path);
	memcpy(to, loaded_from + offset, n);
	return 0;
}

/* For what is sent, compared, and read back; where it fails, the job does. */
static void
data_is_loaded_by_chunks(void **state)
{
	size_t n = 3 * CHUNK + 7, from = 1000, i;
	unsigned char *data = noise(from + n, 17);
	struct sftp_job v[2] = {{.path = "loaded", .load = load, .n = n,
	    .offset = from, .size = from + n}, whole("after", data, 10)};
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;

	(void)state;
	loaded_from = data;
	put("loaded", data, from);
	loads = 0;
	loads_left = 100;
	assert_ok(put_jobs(s, v, 2, &e), e);
	assert_job(&v[0], n);
	assert_file("loaded", data, from + n);
	assert_int_equal(loads, 8);
	v[0].look_first = true;
	loads = 0;
	assert_ok(put_jobs(s, v, 1, &e), e);
	assert_job(&v[0], 0);
	assert_int_equal(loads, 4);
	for (i = 0; i < 12; i++) {
		/* of the second chunk, what is there differs */
		put("loaded", data, from + CHUNK + i % 2);
		v[0].look_first = i % 3 > 0;
		loads_left = i % 4;
		assert_ok(put_jobs(s, v, 2, &e), e);
		assert_int_equal(v[0].error.kind, ERR_DATA);
		assert_job(&v[1], 10);
	}
	sftp_close(s);
	line_close(&l);
	free(data);
}

static void
a_full_disk_is_told(void **state)
{
	unsigned char *data = noise(2 * MIB, 6);
	struct sftp_job v[3] = {whole("full/a", data, 2 * MIB),
	    whole("fits", data, 10), whole("full/b", data, 2 * MIB)};
	struct line l;
	struct sftp *s;
	struct err e = ERR_INIT;
	size_t i;
	int status;

	(void)state;
	assert_int_equal(mkdir("full", 0700), 0);
	if (!run_succeeds("mount -t tmpfs -o size=1m tmpfs full 2>/dev/null")) {
		free(data);
		print_message("no right to mount a small file system\n");
		skip();
	}
	s = line_open(&l);
	status = put_jobs(s, v, 3, &e);
	sftp_close(s);
	line_close(&l);
	run("umount full");
	assert_ok(status, e);
	for (i = 0; i < 3; i += 2) {
		assert_int_equal(v[i].error.kind, ERR_IO);
		assert_non_null(strstr(v[i].error.text, "write to 'full/"));
		assert_non_null(strstr(v[i].error.text,
		    "no space left on the server"));
	}
	assert_job(&v[1], 10);
	free(data);
}

static void
a_job_that_fails_does_not_stop_the_others(void **state)
{
	struct sftp_job v[4] = {whole("none/a", "a", 1), whole("ro/b", "b", 1),
	    whole("rw/c", "c", 1), whole("rw", "d", 1)};
	struct line l;
	struct sftp *s;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(chmod(".", 0711), 0);
	assert_int_equal(mkdir("ro", 0555), 0);
	assert_int_equal(mkdir("rw", 0700), 0);
	assert_int_equal(chmod("rw", 0777), 0);
	line_open_as(&l, true, NULL);
	s = sftp_open(&l.stream, &e);
	assert_non_null(s);
	assert_ok(put_jobs(s, v, 4, &e), e);
	check_err(&v[0].error, ERR_MISSING, "open 'none/a': no such file",
	    __FILE__, __LINE__);
	check_err(&v[1].error, ERR_REFUSED, "open 'ro/b': permission denied",
	    __FILE__, __LINE__);
	assert_job(&v[2], 1);
	check_err(&v[3].error, ERR_IO, "open 'rw'", __FILE__, __LINE__);
	sftp_close(s);
	line_close(&l);
	assert_file("rw/c", "c", 1);
}

static void
a_server_that_only_reads(void **state)
{
	struct sftp_job job = whole("new", "a", 1);
	struct line l;
	struct sftp *s;
	struct err e = ERR_INIT;

	(void)state;
	line_open_as(&l, false, "-R");
	s = sftp_open(&l.stream, &e);
	assert_non_null(s);
	assert_ok(put_jobs(s, &job, 1, &e), e);
	assert_int_equal(job.error.kind, ERR_REFUSED);
	assert_false(there_is("new"));
	sftp_close(s);
	line_close(&l);
}

/* ------------------------------------------------------------------ names */

static void
directories_are_made_and_listed(void **state)
{
	struct strv dirs = STRV_INIT, names = STRV_INIT;
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;
	char name[32];
	size_t i;

	(void)state;
	assert_ok(sftp_make_dirs(s, &dirs, &e), e);
	strv_split(&dirs, "d d/e d/e/f d/g d");
	assert_ok(sftp_make_dirs(s, &dirs, &e), e);
	assert_ok(sftp_make_dirs(s, &dirs, &e), e);
	assert_true(there_is("d/e/f") && there_is("d/g"));
	assert_ok(sftp_list(s, "d/e/f", &names, &e), e);
	assert_int_equal(names.n, 0);
	assert_ok(sftp_list(s, "d", &names, &e), e);
	strv_sort(&names);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.v[0], "e");
	assert_string_equal(names.v[1], "g");
	put_str("d/file", "");
	strv_add(&dirs, "d/file");
	assert_fails(sftp_make_dirs(s, &dirs, &e), e, ERR_CREATE, "'d/file'");
	strv_clear(&dirs);
	strv_split(&dirs, "d/h no/where d/i");
	assert_fails(sftp_make_dirs(s, &dirs, &e), e, ERR_MISSING,
	    "'no/where': no such file");
	assert_true(there_is("d/i"));
	strv_clear(&names);
	for (i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "d/h/%zu", i);
		put_str(name, "");
	}
	assert_ok(sftp_list(s, "d/h", &names, &e), e);
	assert_int_equal(names.n, 5000);
	assert_fails(sftp_list(s, "none", &names, &e), e, ERR_MISSING,
	    "'none'");
	assert_fails(sftp_list(s, "d/file", &names, &e), e, ERR_MISSING,
	    "'d/file'");
	assert_int_equal(names.n, 5000);
	sftp_close(s);
	line_close(&l);
	strv_clear(&dirs);
	strv_clear(&names);
}

static void
renaming_never_replaces(void **state)
{
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;

	(void)state;
	put_str("one", "1");
	put_str("two", "2");
	assert_int_equal(mkdir("dir1", 0700), 0);
	assert_int_equal(mkdir("dir2", 0700), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_fails(sftp_rename(s, "one", "two", &e), e, ERR_CREATE,
	    "rename 'one' to 'two': that name exists already");
	assert_fails(sftp_rename(s, "one", "dir1", &e), e, ERR_CREATE,
	    "exists");
	assert_fails(sftp_rename(s, "one", "dangling", &e), e, ERR_CREATE, "");
	assert_fails(sftp_rename(s, "dir1", "dir2", &e), e, ERR_CREATE, "");
	assert_fails(sftp_rename(s, "dir1", "two", &e), e, ERR_CREATE, "");
	assert_fails(sftp_rename(s, "dir1", "dangling", &e), e, ERR_CREATE, "");
	assert_fails(sftp_rename(s, "none", "new", &e), e, ERR_MISSING,
	    "rename 'none' to 'new': no such file");
	assert_fails(sftp_rename(s, "one", "none/x", &e), e, ERR_MISSING, "");
	assert_file("two", "2", 1);
	e = (struct err)ERR_INIT;
	assert_ok(sftp_rename(s, "one", "three", &e), e);
	assert_ok(sftp_rename(s, "dir1", "dir3", &e), e);
	assert_false(there_is("one") || there_is("dir1"));
	assert_file("three", "1", 1);
	assert_true(there_is("dir3"));
	sftp_close(s);
	line_close(&l);
}

static void
names_are_looked_at_and_removed(void **state)
{
	struct sftp_attributes a;
	struct line l;
	struct sftp *s = line_open(&l);
	struct err e = ERR_INIT;
	struct stat st;
	struct strv paths = STRV_INIT;
	size_t i;

	(void)state;
	put_str("file", "12345");
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_int_equal(symlink("folder", "link"), 0);
	assert_int_equal(stat("file", &st), 0);
	assert_ok(sftp_stat(s, "file", &a, &e), e);
	assert_true(a.is_file && !a.is_directory && a.size == 5);
	assert_int_equal(a.modified, st.st_mtime);
	assert_ok(sftp_stat(s, "folder", &a, &e), e);
	assert_true(!a.is_file && a.is_directory);
	assert_ok(sftp_stat(s, "link", &a, &e), e);
	assert_true(!a.is_file && !a.is_directory);
	assert_fails(sftp_stat(s, "none", &a, &e), e, ERR_MISSING, "'none'");
	assert_fails(sftp_remove_dir(s, "file", &e), e, ERR_MISSING, "'file'");
	assert_fails(sftp_remove(s, "none", &e), e, ERR_MISSING, "'none'");
	e = (struct err)ERR_INIT;
	assert_ok(sftp_sync_dirs(s, &paths, &e), e);
	for (i = 0; i < 100; i++)
		strv_split(&paths, "folder . none");
	assert_ok(sftp_sync_dirs(s, &paths, &e), e);
	assert_int_equal(e.kind, ERR_NONE);
	strv_clear(&paths);
	assert_ok(sftp_remove(s, "file", &e), e);
	assert_ok(sftp_remove_dir(s, "folder", &e), e);
	assert_false(there_is("file") || there_is("folder"));
	sftp_close(s);
	line_close(&l);
}

/* ----------------------------------------------------------- round trips */

/* A line on which nothing comes before all that is due has come. */
static void
hardly_anything_is_waited_for(void **state)
{
	struct sftp_job *v = mem_zero(1000, sizeof(*v));
	struct strv names = STRV_INIT, dirs = STRV_INIT;
	struct line l;
	struct sftp *s;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	line_open_as(&l, false, NULL);
	l.is_slow = true;
	s = sftp_open(&l.stream, &e);
	assert_non_null(s);
	assert_int_equal(l.rounds, 2);
	strv_add(&dirs, "slow");
	for (i = 0; i < 1000; i++) {
		strv_take(&names, mem_format("slow/%zu", i));
		v[i] = whole(names.v[i], names.v[i], strlen(names.v[i]));
		if (i < 200)
			strv_take(&dirs, mem_format("slow/d%zu", i));
	}
	l.rounds = 0;
	assert_ok(sftp_make_dirs(s, &dirs, &e), e);
	assert_int_equal(l.rounds, 1);
	l.rounds = 0;
	assert_ok(put_jobs(s, v, 1000, &e), e);
	print_message("1000 files: %zu round trips\n", l.rounds);
	assert_true(l.rounds <= 40);
	for (i = 0; i < 1000; i++)
		v[i].look_first = true;
	l.rounds = 0;
	assert_ok(put_jobs(s, v, 1000, &e), e);
	print_message("1000 that are there: %zu round trips\n", l.rounds);
	assert_true(l.rounds <= 40);
	for (i = 0; i < 1000; i++)
		assert_job(&v[i], 0);
	l.rounds = 0;
	strv_clear(&names);
	assert_ok(sftp_list(s, "slow", &names, &e), e);
	assert_int_equal(names.n, 1200);
	assert_int_equal(l.rounds, 3);
	sftp_close(s);
	line_close(&l);
	strv_clear(&names);
	strv_clear(&dirs);
	free(v);
}

/* ---------------------------------------------------- a server by heart */

/*
 * One file in memory, one directory of three names. A trick changes an
 * answer, which is whole and right, before it goes.
 */
struct fake {
	struct buf asked, answers;
	struct buf file;
	size_t n_open, n_listed;
	size_t most_open, most_data, most_in_flight, n_in_flight;
	const struct trick *trick;
	size_t cut_after;		/* answered bytes; 0: never */
	bool is_silent;
	bool backwards;			/* the last answer comes first */
	struct sftp_stream stream;
};

struct trick {
	const char *name;
	int asked;			/* which requests are answered so */
	void (*play)(struct fake *f, struct buf *answer, uint32_t id);
	int kind;
	const char *words;
};

static void
begin_answer(struct buf *b, enum packet_type type, uint32_t id)
{
	b->n = 0;
	packet_begin(b, type);
	be32_add(b, id);
}

static void
answer_status(struct buf *b, uint32_t id, uint32_t code, const char *words)
{
	begin_answer(b, PACKET_STATUS, id);
	be32_add(b, code);
	packet_string(b, words);
	packet_string(b, "en");
}

static void
answer_hello(struct buf *b)
{
	b->n = 0;
	packet_begin(b, PACKET_VERSION);
	be32_add(b, 3);
	packet_string(b, "unknown@example.org");
	packet_string(b, "");
	packet_string(b, "fsync@openssh.com");
	packet_string(b, "1");
	packet_string(b, "limits@openssh.com");
	packet_string(b, "1");
	packet_string(b, "statvfs@openssh.com");
	packet_string(b, "2");
}

static void
answer_names(struct fake *f, struct buf *b, uint32_t id)
{
	static const char *const names[] = {".", "..", "a", "b", "c"};
	size_t i;

	if (f->n_listed++ > 0) {
		answer_status(b, id, STATUS_EOF, "");
		return;
	}
	begin_answer(b, PACKET_NAME, id);
	be32_add(b, COUNT(names));
	for (i = 0; i < COUNT(names); i++) {
		packet_string(b, names[i]);
		packet_string(b, "-rw-r--r--");
		be32_add(b, 0);
	}
}

static void
answer_attributes(struct fake *f, struct buf *b, uint32_t id)
{
	begin_answer(b, PACKET_ATTRS, id);
	be32_add(b, PACKET_HAS_SIZE | PACKET_HAS_OWNER | PACKET_HAS_MODE |
	    PACKET_HAS_TIMES | PACKET_HAS_MORE);
	be64_add(b, f->file.n);
	be64_add(b, 0);
	be32_add(b, S_IFREG | 0644);
	be32_add(b, 1);
	be32_add(b, 4000000000u);
	be32_add(b, 1);
	packet_string(b, "a");
	packet_string(b, "b");
}

static void
answer_read(struct fake *f, struct buf *b, uint32_t id, struct packet *a)
{
	uint64_t at = packet_get_u64(a);
	size_t n = packet_get_u32(a);

	if (at >= f->file.n) {
		answer_status(b, id, STATUS_EOF, "");
		return;
	}
	if (n > f->file.n - at)
		n = f->file.n - at;
	begin_answer(b, PACKET_DATA, id);
	packet_bytes(b, f->file.p + at, n);
}

static void
take_write(struct fake *f, struct buf *b, uint32_t id, struct packet *a)
{
	uint64_t at = packet_get_u64(a);
	size_t n;
	const void *p = packet_get_bytes(a, &n);

	assert_false(a->is_short);
	if (n > f->most_data)
		f->most_data = n;
	while (f->file.n < at + n)
		buf_add(&f->file, "", 1);
	memcpy(f->file.p + at, p, n);
	answer_status(b, id, STATUS_OK, "");
}

static void
answer_extended(struct buf *b, uint32_t id, struct packet *a)
{
	size_t n, i;
	const char *name = (const char *)packet_get_bytes(a, &n);

	if (n == 18 && memcmp(name, "limits@openssh.com", n) == 0) {
		begin_answer(b, PACKET_EXTENDED_REPLY, id);
		be64_add(b, 0);
		be64_add(b, 8192);
		be64_add(b, 8192);
		be64_add(b, 7);
	} else if (n == 19 && memcmp(name, "statvfs@openssh.com", n) == 0) {
		begin_answer(b, PACKET_EXTENDED_REPLY, id);
		for (i = 0; i < 11; i++)
			be64_add(b, 1000);
	} else {
		answer_status(b, id, STATUS_OK, "");
	}
}

static void
answer_right(struct fake *f, struct buf *b, uint32_t id, struct packet *a)
{
	size_t unused;

	if (a->type == PACKET_READ || a->type == PACKET_WRITE)
		packet_get_bytes(a, &unused);
	answer_status(b, id, STATUS_OK, "");
	switch (a->type) {
	case PACKET_OPEN:
	case PACKET_OPENDIR:
		if (++f->n_open > f->most_open)
			f->most_open = f->n_open;
		begin_answer(b, PACKET_HANDLE, id);
		packet_string(b, "a handle");
		break;
	case PACKET_CLOSE:
		f->n_open--;
		break;
	case PACKET_READ:
		answer_read(f, b, id, a);
		break;
	case PACKET_WRITE:
		take_write(f, b, id, a);
		break;
	case PACKET_READDIR:
		answer_names(f, b, id);
		break;
	case PACKET_STAT:
	case PACKET_LSTAT:
	case PACKET_FSTAT:
		answer_attributes(f, b, id);
		break;
	case PACKET_EXTENDED:
		answer_extended(b, id, a);
		break;
	}
}

/* An answer that does not follow the last but goes in front of all. */
static void
queue_answer(struct fake *f, const struct buf *b)
{
	struct buf all = BUF_INIT;

	if (!f->backwards) {
		buf_add(&f->answers, b->p, b->n);
		return;
	}
	buf_add(&all, b->p, b->n);
	buf_add(&all, f->answers.p, f->answers.n);
	buf_clear(&f->answers);
	f->answers = all;
}

static void
answer(struct fake *f, struct packet *a)
{
	struct buf b = BUF_INIT;
	int type = a->type;
	uint32_t id = packet_get_u32(a);

	if (type == PACKET_INIT)
		answer_hello(&b);
	else
		answer_right(f, &b, id, a);
	packet_end(&b, 0, 0);
	if (f->trick != NULL && f->trick->asked == type)
		f->trick->play(f, &b, id);
	f->n_in_flight++;
	if (f->n_in_flight > f->most_in_flight)
		f->most_in_flight = f->n_in_flight;
	queue_answer(f, &b);
	buf_clear(&b);
}

static int
fake_write(void *arg, const void *data, size_t n, struct err *e)
{
	struct fake *f = arg;
	struct packet a;
	size_t done = 0;
	ssize_t k;

	(void)e;
	buf_add(&f->asked, data, n);
	while ((k = packet_frame(&a, (unsigned char *)f->asked.p + done,
	    f->asked.n - done, e)) > 0) {
		done += (size_t)k;
		answer(f, &a);
	}
	assert_true(k == 0);
	if (done > 0)
		memmove(f->asked.p, f->asked.p + done, f->asked.n - done);
	f->asked.n -= done;
	return 0;
}

static ssize_t
fake_read(void *arg, void *data, size_t n, int ms, struct err *e)
{
	struct fake *f = arg;
	struct timespec pause = {.tv_nsec = 1000000L};

	f->n_in_flight = 0;
	if (f->is_silent) {
		assert_true(ms > 0);
		nanosleep(&pause, NULL);
		return 0;
	}
	if (n > f->answers.n)
		n = f->answers.n;
	if (f->cut_after > 0 && n >= f->cut_after)
		n = f->cut_after - 1;
	if (n == 0)
		return err_set(e, ERR_AGAIN, "the line was cut");
	memcpy(data, f->answers.p, n);
	memmove(f->answers.p, f->answers.p + n, f->answers.n - n);
	f->answers.n -= n;
	if (f->cut_after > 0)
		f->cut_after -= n;
	return (ssize_t)n;
}

static void
fake_start(struct fake *f, const struct trick *trick)
{
	*f = (struct fake){.trick = trick,
	    .stream = {f, fake_read, fake_write}};
}

static void
fake_end(struct fake *f)
{
	buf_clear(&f->asked);
	buf_clear(&f->answers);
	buf_clear(&f->file);
}

/* ----------------------------------------------------- all of it at once */

#define FAKE_SIZE 50000

static int
put_both(struct sftp *s, const unsigned char *data, struct err *e)
{
	struct sftp_job v[2] = {whole("x", data, FAKE_SIZE),
	    whole("d/x", data, FAKE_SIZE)};
	size_t i;

	v[1].look_first = true;
	if (put_jobs(s, v, 2, e) < 0)
		return -1;
	for (i = 0; i < 2; i++)
		if (v[i].error.kind != ERR_NONE) {
			*e = v[i].error;
			return -1;
		}
	return 0;
}

/* Everything that there is to ask. The first failure ends it. */
static int
do_all(struct sftp *s, const unsigned char *data, struct err *e)
{
	struct strv dirs = STRV_INIT, names = STRV_INIT;
	struct sftp_attributes a;
	struct buf b = BUF_INIT;
	int status;

	strv_split(&dirs, "a b");
	status = put_both(s, data, e);
	if (status == 0 && (status = sftp_read(s, "x", MIB, &b, e)) == 0) {
		assert_int_equal(b.n, FAKE_SIZE);
		assert_memory_equal(b.p, data, FAKE_SIZE);
	}
	if (status == 0 && (status = sftp_list(s, "x", &names, e)) == 0)
		assert_int_equal(names.n, 3);
	if (status == 0 && (status = sftp_stat(s, "x", &a, e)) == 0)
		assert_true(a.is_file && a.modified == 4000000000);
	if (status == 0)
		status = sftp_make_dirs(s, &dirs, e);
	if (status == 0)
		status = sftp_rename(s, "x", "y", e);
	if (status == 0)
		status = sftp_remove(s, "x", e);
	if (status == 0)
		status = sftp_remove_dir(s, "x", e);
	if (status == 0)
		status = sftp_sync_dirs(s, &dirs, e);
	strv_clear(&dirs);
	strv_clear(&names);
	buf_clear(&b);
	return status;
}

static int
do_all_with(struct fake *f, const unsigned char *data, struct err *e)
{
	struct sftp *s = sftp_open(&f->stream, e);
	int status = s == NULL ? -1 : do_all(s, data, e);

	assert_true(status == 0 || e->text[0] != '\0');
	sftp_close(s);
	return status;
}

static void
answers_may_come_in_any_order(void **state)
{
	unsigned char *data = noise(FAKE_SIZE, 7);
	struct fake f;
	struct err e = ERR_INIT;

	(void)state;
	fake_start(&f, NULL);
	assert_ok(do_all_with(&f, data, &e), e);
	fake_end(&f);
	fake_start(&f, NULL);
	f.backwards = true;
	assert_ok(do_all_with(&f, data, &e), e);
	assert_int_equal(f.n_open, 0);
	fake_end(&f);
	free(data);
}

static void
what_is_in_flight_is_bounded(void **state)
{
	struct sftp_job *v = mem_zero(500, sizeof(*v));
	unsigned char *data = noise(FAKE_SIZE, 8);
	struct fake f;
	struct sftp *s;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	fake_start(&f, NULL);
	s = sftp_open(&f.stream, &e);
	assert_non_null(s);
	for (i = 0; i < 500; i++)
		v[i] = whole("x", data, FAKE_SIZE);
	assert_ok(put_jobs(s, v, 500, &e), e);
	for (i = 0; i < 500; i++)
		assert_job(&v[i], FAKE_SIZE);
	assert_int_equal(f.most_open, 7);
	assert_true(f.most_in_flight <= SFTP_IN_FLIGHT);
	sftp_close(s);
	fake_end(&f);
	free(v);
	free(data);
}

/* -------------------------------------------------------------- nonsense */

static void
other_id(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	id = htobe32(id + SFTP_IN_FLIGHT);
	memcpy(b->p + 5, &id, sizeof(id));
}

static void
free_id(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	memset(b->p + 5, 0, 4);
}

static void
twice(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	buf_room(b, b->n);
	memcpy(b->p + b->n, b->p, b->n);
	b->n *= 2;
}

static void
other_type(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	b->p[4] = (char)(b->p[4] == PACKET_NAME ? PACKET_ATTRS : PACKET_NAME);
}

static void
is_ok(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	answer_status(b, id, STATUS_OK, "");
	packet_end(b, 0, 0);
}

static void
giant(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	memset(b->p, 0x7f, 4);
}

static void
too_long(struct fake *f, struct buf *b, uint32_t id)
{
	uint32_t n = htobe32(PACKET_LIMIT + 1);

	(void)f;
	(void)id;
	memcpy(b->p, &n, sizeof(n));
}

static void
empty(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	memset(b->p, 0, 4);
}

static void
no_id(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	b->n = 7;
	packet_end(b, 0, 0);
}

static void
more_data(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_DATA, id);
	packet_bytes(b, buf_cstr(&f->file), 8193);
	packet_end(b, 0, 0);
}

static void
less_data(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_DATA, id);
	packet_bytes(b, buf_cstr(&f->file), 5);
	packet_end(b, 0, 0);
}

static void
no_data(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_DATA, id);
	be32_add(b, 0);
	packet_end(b, 0, 0);
}

/* The length within says more than there is. */
static void
data_beyond(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_DATA, id);
	be32_add(b, 8192);
	buf_str(b, "a few");
	packet_end(b, 0, 0);
}

static void
data_far_beyond(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_DATA, id);
	be32_add(b, UINT32_MAX);
	packet_end(b, 0, 0);
}

static void
at_end(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	answer_status(b, id, STATUS_EOF, "");
	packet_end(b, 0, 0);
}

static void
fails(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	answer_status(b, id, STATUS_FAILURE, "bad\n\x1b[1m");
	packet_end(b, 0, 0);
}

static void
unknown_status(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	answer_status(b, id, 4711, "strange");
	packet_end(b, 0, 0);
}

static void
long_handle(struct fake *f, struct buf *b, uint32_t id)
{
	static const char zeros[257];

	(void)f;
	begin_answer(b, PACKET_HANDLE, id);
	packet_bytes(b, zeros, sizeof(zeros));
	packet_end(b, 0, 0);
}

static void
no_handle(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_HANDLE, id);
	be32_add(b, 0);
	packet_end(b, 0, 0);
}

static void
unknown_flags(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_ATTRS, id);
	be32_add(b, 0x40000001);
	be64_add(b, 1);
	packet_end(b, 0, 0);
}

static void
many_extended(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_ATTRS, id);
	be32_add(b, PACKET_HAS_SIZE | PACKET_HAS_MORE);
	be64_add(b, 1);
	be32_add(b, UINT32_MAX);
	packet_end(b, 0, 0);
}

static void
no_size(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_ATTRS, id);
	be32_add(b, 0);
	packet_end(b, 0, 0);
}

static void
one_name(struct buf *b, uint32_t id, uint32_t count, const char *name,
    size_t n)
{
	begin_answer(b, PACKET_NAME, id);
	be32_add(b, count);
	packet_bytes(b, name, n);
	packet_string(b, "");
	be32_add(b, 0);
	packet_end(b, 0, 0);
}

static void
no_names(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_NAME, id);
	be32_add(b, 0);
	packet_end(b, 0, 0);
}

static void
countless_names(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	one_name(b, id, UINT32_MAX, "a", 1);
}

static void
path_for_name(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	one_name(b, id, 1, "../x", 4);
}

static void
zero_in_name(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	one_name(b, id, 1, "a\0b", 3);
}

static void
empty_name(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	one_name(b, id, 1, "", 0);
}

static void
dots_for_ever(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	one_name(b, id, 1, ".", 1);
}

static void
long_name(struct fake *f, struct buf *b, uint32_t id)
{
	char name[256];

	(void)f;
	memset(name, 'a', sizeof(name));
	one_name(b, id, 1, name, sizeof(name));
}

static void
version_2(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	b->p[8] = 2;
}

static void
version_6(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	b->p[8] = 6;
}

static void
greeting(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	b->n = 0;
	buf_str(b, "Welcome to the machine\n");
}

static void
cut_extension(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	b->n -= 3;
	packet_end(b, 0, 0);
}

static void
tiny_limits(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	begin_answer(b, PACKET_EXTENDED_REPLY, id);
	be64_add(b, 1500);
	be64_add(b, 1500);
	be64_add(b, 1);
	be64_add(b, 1);
	packet_end(b, 0, 0);
}

static void
half_limits(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	b->n = 17;
	packet_end(b, 0, 0);
}

static const struct trick tricks[] = {
	{"another id", PACKET_OPEN, other_id, ERR_PROTOCOL, "was not made"},
	{"a free id", PACKET_READ, free_id, ERR_PROTOCOL, "was not made"},
	{"twice", PACKET_WRITE, twice, ERR_PROTOCOL, "was not made"},
	{"id missing", PACKET_WRITE, no_id, ERR_PROTOCOL, "damaged"},
	{"type for open", PACKET_OPEN, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for write", PACKET_WRITE, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for read", PACKET_READ, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for fstat", PACKET_FSTAT, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for lstat", PACKET_LSTAT, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for close", PACKET_CLOSE, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for mkdir", PACKET_MKDIR, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for list", PACKET_READDIR, other_type, ERR_PROTOCOL, ""},
	{"type for hello", PACKET_INIT, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for rename", PACKET_RENAME, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"type for extended", PACKET_EXTENDED, other_type, ERR_PROTOCOL,
	    "unexpected"},
	{"OK for open", PACKET_OPEN, is_ok, ERR_PROTOCOL, "unexpected"},
	{"OK for opendir", PACKET_OPENDIR, is_ok, ERR_PROTOCOL, "unexpected"},
	{"OK for read", PACKET_READ, is_ok, ERR_PROTOCOL, "unexpected"},
	{"OK for fstat", PACKET_FSTAT, is_ok, ERR_PROTOCOL, "unexpected"},
	{"OK for lstat", PACKET_LSTAT, is_ok, ERR_PROTOCOL, "unexpected"},
	{"OK for readdir", PACKET_READDIR, is_ok, ERR_PROTOCOL, "unexpected"},
	{"giant", PACKET_OPEN, giant, ERR_PROTOCOL, "bytes"},
	{"too long", PACKET_OPEN, too_long, ERR_PROTOCOL, "bytes"},
	{"empty", PACKET_OPEN, empty, ERR_PROTOCOL, "of 0 bytes"},
	{"more data", PACKET_READ, more_data, ERR_PROTOCOL, "asked for"},
	{"less data", PACKET_READ, less_data, ERR_IO,
	    "differs from what was sent"},
	{"no data", PACKET_READ, no_data, ERR_PROTOCOL, "asked for"},
	{"data beyond", PACKET_READ, data_beyond, ERR_PROTOCOL, "damaged"},
	{"data far beyond", PACKET_READ, data_far_beyond, ERR_PROTOCOL,
	    "damaged"},
	{"end", PACKET_READ, at_end, ERR_IO, "differs from what was sent"},
	{"failing read", PACKET_READ, fails, ERR_IO, "'bad??[1m'"},
	{"failing write", PACKET_WRITE, fails, ERR_IO,
	    "write to 'x': the server says"},
	{"failing fstat", PACKET_FSTAT, fails, ERR_IO, "stat"},
	{"failing close", PACKET_CLOSE, fails, ERR_IO, "close 'x'"},
	{"failing list", PACKET_READDIR, fails, ERR_IO, "read directory 'x'"},
	{"unknown status", PACKET_WRITE, unknown_status, ERR_IO,
	    "'strange' (4711)"},
	{"end of open", PACKET_OPEN, at_end, ERR_IO, "open 'x'"},
	{"long handle", PACKET_OPEN, long_handle, ERR_PROTOCOL, "257"},
	{"no handle", PACKET_OPENDIR, no_handle, ERR_PROTOCOL, "handle"},
	{"unknown flags", PACKET_FSTAT, unknown_flags, ERR_PROTOCOL, "damaged"},
	{"many extended", PACKET_FSTAT, many_extended, ERR_PROTOCOL, "damaged"},
	{"no size", PACKET_FSTAT, no_size, ERR_PROTOCOL, "sizes"},
	{"no names", PACKET_READDIR, no_names, ERR_PROTOCOL, ""},
	{"countless", PACKET_READDIR, countless_names, ERR_PROTOCOL, "damaged"},
	{"a path", PACKET_READDIR, path_for_name, ERR_PROTOCOL,
	    "an invalid name"},
	{"a zero", PACKET_READDIR, zero_in_name, ERR_PROTOCOL,
	    "an invalid name"},
	{"empty name", PACKET_READDIR, empty_name, ERR_PROTOCOL,
	    "an invalid name"},
	{"long name", PACKET_READDIR, long_name, ERR_PROTOCOL,
	    "an invalid name"},
	{"dots", PACKET_READDIR, dots_for_ever, ERR_DATA, "more than 100000"},
	{"version 2", PACKET_INIT, version_2, ERR_PROTOCOL, "version 2"},
	{"version 6", PACKET_INIT, version_6, ERR_PROTOCOL, "version 6"},
	{"greeting", PACKET_INIT, greeting, ERR_PROTOCOL,
	    "does not speak SFTP"},
	{"cut extension", PACKET_INIT, cut_extension, ERR_PROTOCOL, "damaged"},
	{"tiny limits", PACKET_EXTENDED, tiny_limits, ERR_PROTOCOL,
	    "takes only 1 bytes"},
	{"half limits", PACKET_EXTENDED, half_limits, ERR_PROTOCOL, "damaged"},
};

static void
nonsense_is_refused(void **state)
{
	unsigned char *data = noise(FAKE_SIZE, 9);
	struct fake f;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(tricks); i++) {
		e = (struct err)ERR_INIT;
		fake_start(&f, &tricks[i]);
		if (do_all_with(&f, data, &e) == 0)
			fail_msg("'%s' was believed", tricks[i].name);
		if ((int)e.kind != tricks[i].kind)
			print_error("%s:\n", tricks[i].name);
		check_err(&e, tricks[i].kind, tricks[i].words, __FILE__,
		    __LINE__);
		fake_end(&f);
	}
	free(data);
}

/* The file ends before its size says, while it is read. */
static void
a_file_that_is_shorter_than_it_says(void **state)
{
	static const struct trick short_ones[] = {
		{"", PACKET_READ, less_data, ERR_PROTOCOL, "it ends before"},
		{"", PACKET_READ, at_end, ERR_PROTOCOL, "it ends before"},
		{"", PACKET_READ, fails, ERR_IO, "read 'x'"},
		{"", PACKET_FSTAT, fails, ERR_IO, "stat 'x'"},
	};
	struct buf b = BUF_INIT;
	struct fake f;
	struct sftp *s;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	buf_str(&b, "before");
	for (i = 0; i < COUNT(short_ones); i++) {
		fake_start(&f, &short_ones[i]);
		while (f.file.n < FAKE_SIZE)
			buf_add(&f.file, "x", 1);
		s = sftp_open(&f.stream, &e);
		assert_non_null(s);
		assert_fails(sftp_read(s, "x", MIB, &b, &e), e,
		    short_ones[i].kind, short_ones[i].words);
		assert_string_equal(b.p, "before");
		/* that was all: the connection is as good as before */
		assert_int_equal(f.n_open, 0);
		f.trick = NULL;
		assert_ok(sftp_remove(s, "x", &e), e);
		sftp_close(s);
		fake_end(&f);
	}
	buf_clear(&b);
}

/* Every answer cut short, its length telling so or not. */
static size_t cut_to;

static void
shorten(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	if (b->n <= cut_to)
		return;
	b->n = cut_to;
	packet_end(b, 0, 0);
}

static void
truncated_answers_are_refused(void **state)
{
	static const int types[] = {PACKET_INIT, PACKET_OPEN, PACKET_READ,
	    PACKET_WRITE, PACKET_FSTAT, PACKET_LSTAT, PACKET_CLOSE,
	    PACKET_OPENDIR, PACKET_READDIR, PACKET_MKDIR, PACKET_RENAME,
	    PACKET_REMOVE, PACKET_RMDIR, PACKET_EXTENDED};
	unsigned char *data = noise(FAKE_SIZE, 10);
	struct trick t = {.name = "cut", .play = shorten};
	struct fake f;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(types); i++)
		for (cut_to = 5; cut_to < 60; cut_to++) {
			t.asked = types[i];
			e = (struct err)ERR_INIT;
			fake_start(&f, &t);
			if (do_all_with(&f, data, &e) < 0)
				assert_true(e.kind == ERR_PROTOCOL ||
				    e.kind == ERR_IO);
			else	/* no extensions, no words, or all there */
				assert_true(cut_to >= (types[i] ==
				    PACKET_INIT ? 9 : 13));
			fake_end(&f);
		}
	free(data);
}

static void
a_cut_is_noticed_wherever_it_is(void **state)
{
	unsigned char *data = noise(FAKE_SIZE, 11);
	struct fake f;
	struct err e = ERR_INIT;
	size_t at;

	(void)state;
	for (at = 1; at < 200000; at += at < 3000 ? 1 : 997) {
		fake_start(&f, NULL);
		f.cut_after = at;
		e = (struct err)ERR_INIT;
		if (do_all_with(&f, data, &e) == 0) {
			fake_end(&f);
			break;
		}
		check_err(&e, ERR_AGAIN, "the line was cut", __FILE__,
		    __LINE__);
		fake_end(&f);
	}
	assert_true(at > FAKE_SIZE && at < 200000);
	free(data);
}

static void
silence_ends(void **state)
{
	struct sftp_job job = whole("x", "x", 1);
	struct fake f;
	struct sftp *s;
	struct err e = ERR_INIT;

	(void)state;
	fake_start(&f, NULL);
	s = sftp_open(&f.stream, &e);
	assert_non_null(s);
	sftp_set_silence(s, 20);
	f.is_silent = true;
	assert_fails(put_jobs(s, &job, 1, &e), e, ERR_AGAIN,
	    "nothing for 20 ms");
	assert_int_equal(job.error.kind, ERR_AGAIN);
	sftp_close(s);
	fake_end(&f);
}

static void
without_extensions(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)id;
	b->n = 9;
	packet_end(b, 0, 0);
}

static void
extensions_are_not_needed(void **state)
{
	static const struct trick t = {"", PACKET_INIT, without_extensions, 0,
	    ""};
	unsigned char *data = noise(FAKE_SIZE, 12);
	struct fake f;
	struct err e = ERR_INIT;

	(void)state;
	fake_start(&f, &t);
	assert_ok(do_all_with(&f, data, &e), e);
	assert_int_equal(f.most_data, 32768);
	fake_end(&f);
	free(data);
}

/* ---------------------------------------------------------------- signals */

static void
raise_term(struct fake *f, struct buf *b, uint32_t id)
{
	(void)f;
	(void)b;
	(void)id;
	raise(SIGTERM);
}

/* What tidies up after a signal can still use the connection. */
static int
interrupted(void *arg)
{
	static const struct trick t = {"", PACKET_OPEN, raise_term, 0, ""};
	struct sftp_job job = whole("x", "x", 1);
	struct jobs j = {.v = &job, .n = 1};
	struct fake f;
	struct sftp *s;
	struct err e = ERR_INIT;

	(void)arg;
	cleanup_start();
	fake_start(&f, &t);
	if ((s = sftp_open(&f.stream, &e)) == NULL)
		return 1;
	if (sftp_put(s, next_job, job_done, &j, &e) == 0)
		return 2;
	if (e.kind != ERR_SIGNAL || job.error.kind != ERR_SIGNAL || j.done != 1)
		return 3;
	if (sftp_remove(s, "x", &e) == 0 || e.kind != ERR_SIGNAL)
		return 4;
	cleanup_tidy();
	if (sftp_remove(s, "x", &e) < 0)
		return 5;
	sftp_close(s);
	fake_end(&f);
	return 0;
}

static void
a_signal_is_heard(void **state)
{
	(void)state;
	assert_int_equal(in_child(interrupted, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_all_sizes_are_put),
		cmocka_unit_test(many_small_files_are_put),
		cmocka_unit_test(two_connections_put_ranges_of_one_file),
		cmocka_unit_test(work_is_not_hoarded),
		cmocka_unit_test(what_is_there_is_not_sent),
		cmocka_unit_test(a_range_leaves_the_rest_as_it_is),
		cmocka_unit_test(what_is_read_back_is_compared),
		cmocka_unit_test(duties_are_done_apart),
		cmocka_unit_test(data_is_loaded_by_chunks),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(a_job_that_fails_does_not_stop_the_others),
		cmocka_unit_test(a_server_that_only_reads),
		cmocka_unit_test(directories_are_made_and_listed),
		cmocka_unit_test(renaming_never_replaces),
		cmocka_unit_test(names_are_looked_at_and_removed),
		cmocka_unit_test(hardly_anything_is_waited_for),
		cmocka_unit_test(answers_may_come_in_any_order),
		cmocka_unit_test(what_is_in_flight_is_bounded),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(a_file_that_is_shorter_than_it_says),
		cmocka_unit_test(truncated_answers_are_refused),
		cmocka_unit_test(a_cut_is_noticed_wherever_it_is),
		cmocka_unit_test(silence_ends),
		cmocka_unit_test(extensions_are_not_needed),
		cmocka_unit_test(a_signal_is_heard),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
