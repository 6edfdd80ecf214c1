/*
 * lib/data/out.h: files, gzip, digests, tees; failures that stick. And what
 * lib/data/inflate.h makes of gzip again.
 */
#include "tests/unit/support.h"

#include <sys/resource.h>

#include "lib/base/mem.h"
#include "lib/data/inflate.h"
#include "lib/data/out.h"
#include "lib/sys/fs.h"

static int
enter(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	return mkdir("d", 0755);
}

/* An empty directory for one test. */
static int
fresh(void)
{
	int dir;

	run("rm -rf d && mkdir d");
	dir = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return dir;
}

static void
check_file(const char *name, const void *data, size_t n)
{
	struct buf b = BUF_INIT;

	get(name, &b);
	assert_int_equal(b.n, n);
	assert_memory_equal(buf_cstr(&b), data, n);
	buf_clear(&b);
}

/* Bytes that do not compress. */
static void
noise(struct buf *b, size_t n)
{
	uint64_t x = 88172645463325252U;
	size_t i;

	buf_room(b, n);
	for (i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		b->p[b->n + i] = (char)x;
	}
	b->n += n;
	b->p[b->n] = '\0';
}

/* --------------------------------------------------------------- a file */

static void
file_is_there_with_its_name_after_commit(void **state)
{
	struct err e = ERR_INIT;
	struct digest d;
	uint8_t sha256[HASH_SIZE];
	int dir = fresh();
	struct out *o = out_file(dir, "x", 0640, OUT_NOW, &d);
	struct stat st;

	(void)state;
	out_str(o, "hello ");
	out_add(o, "world", 5);
	out_add(o, NULL, 0);
	assert_false(there_is("d/x"));
	assert_ok(out_commit(o, &e), e);
	check_file("d/x", "hello world", 11);
	assert_int_equal(count_names("d"), 1);
	assert_int_equal(stat("d/x", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	hash_data("hello world", 11, sha256);
	assert_memory_equal(sha256, d.sha256, HASH_SIZE);
	assert_int_equal(d.size, 11);
	close(dir);
}

static void
mode_does_not_depend_on_umask(void **state)
{
	struct err e = ERR_INIT;
	int dir = fresh();
	mode_t before = umask(077);
	struct stat st;

	(void)state;
	assert_ok(out_commit(out_file(dir, "x", 0644, OUT_LATER, NULL), &e),
	    e);
	umask(before);
	assert_int_equal(stat("d/x", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	close(dir);
}

static void
file_without_a_name_is_named_by_its_digest(void **state)
{
	struct err e = ERR_INIT;
	int dir = fresh();
	struct out *o = out_file(dir, NULL, 0644, OUT_LATER, NULL);

	(void)state;
	out_str(o, "abc");
	assert_ok(out_commit(o, &e), e);
	check_file("d/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
	    "f20015ad", "abc", 3);
	assert_int_equal(count_names("d"), 1);
	/* once more: it is there already */
	o = out_file(dir, NULL, 0644, OUT_LATER, NULL);
	out_str(o, "abc");
	assert_ok(out_commit(o, &e), e);
	assert_int_equal(count_names("d"), 1);
	close(dir);
}

static void
empty_file(void **state)
{
	struct err e = ERR_INIT;
	struct digest d;
	int dir = fresh();

	(void)state;
	assert_ok(out_commit(out_file(dir, "x", 0644, OUT_LATER, &d), &e), e);
	check_file("d/x", "", 0);
	assert_int_equal(d.size, 0);
	close(dir);
}

/* Around the size of the buffer, in pieces of many sizes. */
static void
files_of_many_sizes(void **state)
{
	static const size_t sizes[] = {
		1, 65535, 65536, 65537, 131072, 131073, 9 << 20,
	};
	static const size_t steps[] = {7001, 65535, 65536, 65537, 200000};
	struct err e = ERR_INIT;
	struct buf data = BUF_INIT;
	uint8_t sha256[HASH_SIZE];
	struct digest d;
	struct out *o;
	size_t i, k, n, at;
	int dir = fresh();

	(void)state;
	noise(&data, 9 << 20);
	for (i = 0; i < COUNT(sizes); i++)
		for (k = 0; k < COUNT(steps); k++) {
			o = out_file(dir, "x", 0644, OUT_LATER, &d);
			for (at = 0; at < sizes[i]; at += n) {
				n = sizes[i] - at < steps[k] ?
				    sizes[i] - at : steps[k];
				out_add(o, data.p + at, n);
			}
			assert_ok(out_commit(o, &e), e);
			check_file("d/x", data.p, sizes[i]);
			hash_data(data.p, sizes[i], sha256);
			assert_memory_equal(d.sha256, sha256, HASH_SIZE);
			assert_int_equal(d.size, sizes[i]);
		}
	buf_clear(&data);
	close(dir);
}

static void
commit_replaces_what_was_there(void **state)
{
	struct err e = ERR_INIT;
	int dir = fresh();
	struct out *o;

	(void)state;
	put_str("d/x", "old");
	o = out_file(dir, "x", 0644, OUT_LATER, NULL);
	out_str(o, "new");
	check_file("d/x", "old", 3);
	assert_ok(out_commit(o, &e), e);
	check_file("d/x", "new", 3);
	close(dir);
}

static void
discard_leaves_no_file(void **state)
{
	int dir = fresh();
	struct out *o = out_file(dir, "x", 0644, OUT_LATER, NULL);
	struct buf data = BUF_INIT;

	(void)state;
	noise(&data, 200000);
	put_str("d/x", "old");
	out_add(o, data.p, data.n);
	out_discard(o);
	check_file("d/x", "old", 3);
	assert_int_equal(count_names("d"), 1);
	out_discard(out_file(dir, "y", 0644, OUT_NOW, NULL));
	out_discard(out_gzip(out_file(dir, "y", 0644, OUT_NOW, NULL)));
	out_discard(out_tee(out_file(dir, "y", 0644, OUT_NOW, NULL),
	    out_gzip(out_file(dir, NULL, 0644, OUT_NOW, NULL))));
	out_discard(NULL);
	assert_int_equal(count_names("d"), 1);
	buf_clear(&data);
	close(dir);
}

static void
file_that_cannot_be_made(void **state)
{
	struct err e;
	struct out *o = out_file(-1, "x", 0644, OUT_LATER, NULL);

	(void)state;
	out_str(o, "hello");
	assert_fails(out_commit(o, &e), e, ERR_IO, "create 'x'");
	out_discard(out_file(-1, "x", 0644, OUT_LATER, NULL));
}

static void
file_that_cannot_be_renamed_is_removed(void **state)
{
	struct err e;
	int dir = fresh();
	struct out *o;

	(void)state;
	o = out_file(dir, "no/where", 0644, OUT_LATER, NULL);
	out_str(o, "hello");
	assert_fails(out_commit(o, &e), e, ERR_MISSING, "no/where");
	assert_int_equal(count_names("d"), 0);
	run("mkdir d/x");
	o = out_file(dir, "x", 0644, OUT_NOW, NULL);
	assert_fails(out_commit(o, &e), e, ERR_IO, "'x'");
	assert_int_equal(count_names("d"), 1);
	close(dir);
}

/* A temporary name that somebody made a link of is not followed. */
static void
links_at_the_temporary_name_are_not_followed(void **state)
{
	struct err e = ERR_INIT;
	char name[64];
	int dir = fresh(), i, failed = 0;
	struct out *o;

	(void)state;
	put_str("victim", "untouched");
	/* names count upwards from what the tests before have used */
	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "d/.out%d.tmp", i);
		assert_int_equal(symlink("../victim", name), 0);
	}
	o = out_file(dir, "x", 0644, OUT_LATER, NULL);
	out_str(o, "evil");
	failed = out_commit(o, &e);
	assert_int_equal(failed, -1);
	check_err(&e, ERR_REFUSED, "create 'x'", __FILE__, __LINE__);
	check_file("victim", "untouched", 9);
	close(dir);
}

static int
write_beyond_the_limit(void *arg)
{
	struct rlimit *limit = arg;
	struct err e = ERR_INIT;
	struct buf data = BUF_INIT;
	int dir = open("d", O_RDONLY | O_DIRECTORY);
	struct out *o;

	signal(SIGXFSZ, SIG_IGN);
	noise(&data, 300000);
	o = out_tee(out_file(dir, "a", 0644, OUT_NOW, NULL),
	    out_gzip(out_file(dir, "b", 0644, OUT_NOW, NULL)));
	if (setrlimit(RLIMIT_FSIZE, limit) < 0)
		return 1;
	out_add(o, data.p, data.n);
	out_add(o, data.p, data.n);
	if (out_commit(o, &e) == 0)
		return 2;
	return e.kind == ERR_IO && count_names("d") == 0 ? 0 : 3;
}

/* As with a full disk: the write fails in the middle. */
static void
file_that_cannot_be_written_leaves_nothing(void **state)
{
	struct rlimit limit = {100000, 100000};

	(void)state;
	close(fresh());
	assert_int_equal(in_child(write_beyond_the_limit, &limit), 0);
	assert_int_equal(count_names("d"), 0);
}

/* ------------------------------------------------------- failures stick */

static void
first_failure_sticks(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];
	struct out *o = out_fd(full, "full");
	struct err e;
	char byte;

	(void)state;
	out_str(o, "a");
	/* what would work now must not be written any more */
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_true(dup2(ends[1], full) >= 0);
	out_str(o, "b");
	assert_int_equal(read(ends[0], &byte, 1), -1);
	assert_fails(out_commit(o, &e), e, ERR_IO, "write 'full': No space");
	close(ends[0]);
	close(ends[1]);
	close(full);
}

static void
failure_passes_through_gzip(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct buf data = BUF_INIT;
	struct err e;
	struct out *o;

	(void)state;
	noise(&data, 1 << 20);
	o = out_gzip(out_fd(full, "full"));
	out_add(o, data.p, data.n);
	assert_fails(out_commit(o, &e), e, ERR_IO, "write 'full'");
	/* little data comes out at the commit only */
	o = out_gzip(out_fd(full, "full"));
	out_str(o, "little");
	assert_fails(out_commit(o, &e), e, ERR_IO, "write 'full'");
	o = out_gzip(out_gzip(out_fd(full, "full")));
	assert_fails(out_commit(o, &e), e, ERR_IO, "write 'full'");
	buf_clear(&data);
	close(full);
}

static void
failure_of_one_fails_both(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int dir = fresh();
	struct err e;
	struct out *o;

	(void)state;
	o = out_tee(out_file(dir, "a", 0644, OUT_LATER, NULL),
	    out_fd(full, "full"));
	out_str(o, "hello");
	assert_fails(out_commit(o, &e), e, ERR_IO, "write 'full'");
	assert_int_equal(count_names("d"), 0);
	o = out_tee(out_fd(full, "full"),
	    out_file(dir, "a", 0644, OUT_LATER, NULL));
	out_str(o, "hello");
	assert_fails(out_commit(o, &e), e, ERR_IO, "write 'full'");
	assert_int_equal(count_names("d"), 0);
	/* nothing was written yet when one of them is not there */
	o = out_tee(out_file(-1, "b", 0644, OUT_LATER, NULL),
	    out_file(dir, "a", 0644, OUT_LATER, NULL));
	assert_fails(out_commit(o, &e), e, ERR_IO, "create 'b'");
	assert_int_equal(count_names("d"), 0);
	close(full);
	close(dir);
}

/* "commit reports it and undoes what was written": of the whole chain. */
static void
failure_at_the_commit_of_one_undoes_the_other(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int dir = fresh();
	struct err e;
	struct out *o;

	(void)state;
	o = out_tee(out_gzip(out_fd(full, "full")),
	    out_file(dir, "a", 0644, OUT_LATER, NULL));
	out_str(o, "little");
	assert_fails(out_commit(o, &e), e, ERR_IO, "write 'full'");
	assert_int_equal(count_names("d"), 0);
	close(full);
	close(dir);
}

/* -------------------------------------------- descriptor, buffer, nowhere */

static void
simple_outputs(void **state)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct digest d;
	uint8_t sha256[HASH_SIZE];
	int fd = file_of("", 0);
	char text[8];
	struct out *o;

	(void)state;
	o = out_tee(out_tee(out_buf(&b), out_nowhere(&d)), out_fd(fd, "f"));
	out_str(o, "ab");
	out_add(o, "c", 1);
	assert_ok(out_commit(o, &e), e);
	assert_string_equal(buf_cstr(&b), "abc");
	hash_data("abc", 3, sha256);
	assert_memory_equal(sha256, d.sha256, HASH_SIZE);
	assert_int_equal(d.size, 3);
	/* the descriptor stays open: it is the caller's */
	assert_int_equal(pread(fd, text, sizeof(text), 0), 3);
	close(fd);
	out_discard(out_nowhere(&d));
	out_discard(out_buf(&b));
	assert_ok(out_commit(out_nowhere(&d), &e), e);
	assert_int_equal(d.size, 0);
	hash_data("", 0, sha256);
	assert_memory_equal(sha256, d.sha256, HASH_SIZE);
	buf_clear(&b);
}

/* ------------------------------------------------------------------ gzip */

static void
pack(struct buf *packed, const void *data, size_t n)
{
	struct err e = ERR_INIT;
	struct out *o = out_gzip(out_buf(packed));

	out_add(o, data, n);
	assert_ok(out_commit(o, &e), e);
}

static void
gzip_unpacks_it(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 65536, 3 << 20};
	struct buf data = BUF_INIT, packed = BUF_INIT;
	size_t i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		buf_clear(&data);
		if (k == 0)
			noise(&data, 3 << 20);
		else
			for (i = 0; data.n < 3 << 20; i++)
				buf_addf(&data, "line %zu\n", i);
		for (i = 0; i < COUNT(sizes); i++) {
			buf_clear(&packed);
			pack(&packed, data.p, sizes[i]);
			put("x.gz", packed.p, packed.n);
			run("gzip -t x.gz && gzip -dc x.gz >x");
			check_file("x", data.p, sizes[i]);
		}
	}
	buf_clear(&data);
	buf_clear(&packed);
}

static void
gzip_header_tells_nothing(void **state)
{
	static const char header[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00";
	struct buf a = BUF_INIT, b = BUF_INIT, data = BUF_INIT;
	struct err e = ERR_INIT;
	struct out *o;
	size_t i;

	(void)state;
	noise(&data, 100000);
	pack(&a, data.p, data.n);
	/* magic, deflate, no flags, no time: RFC 1952 2.3 */
	assert_memory_equal(a.p, header, 8);
	assert_int_equal(a.p[9], 3);
	/* the same bytes in other pieces */
	o = out_gzip(out_buf(&b));
	for (i = 0; i < data.n; i += 1000)
		out_add(o, data.p + i, 1000);
	assert_ok(out_commit(o, &e), e);
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.p, b.p, a.n);
	buf_clear(&a);
	buf_clear(&b);
	buf_clear(&data);
}

static int
append(const void *p, size_t n, void *arg)
{
	buf_add(arg, p, n);
	return 0;
}

static int
refuse(const void *p, size_t n, void *arg)
{
	(void)p;
	(void)n;
	++*(int *)arg;
	return -1;
}

static void
gunzip_reads_what_gzip_writes(void **state)
{
	struct buf data = BUF_INIT, packed = BUF_INIT, again = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	noise(&data, 1 << 20);
	put("x", data.p, data.n);
	run("gzip -9 -c x >x.gz");	/* with name and time */
	get("x.gz", &packed);
	assert_ok(gunzip_whole(packed.p, packed.n, data.n, append, &again, &e),
	    e);
	assert_int_equal(again.n, data.n);
	assert_memory_equal(again.p, data.p, data.n);
	buf_clear(&again);
	buf_clear(&packed);
	pack(&packed, "", 0);
	assert_ok(gunzip_whole(packed.p, packed.n, 0, append, &again, &e), e);
	assert_int_equal(again.n, 0);
	buf_clear(&data);
	buf_clear(&again);
	buf_clear(&packed);
}

static void
gunzip_is_bounded(void **state)
{
	struct buf packed = BUF_INIT, again = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	pack(&packed, "0123456789", 10);
	assert_ok(gunzip_whole(packed.p, packed.n, 10, append, &again, &e), e);
	buf_clear(&again);
	assert_fails(gunzip_whole(packed.p, packed.n, 9, append, &again, &e), e,
	    ERR_DATA, "unpacks to more than 9 bytes");
	assert_fails(gunzip_whole(packed.p, packed.n, 0, append, &again, &e), e,
	    ERR_DATA, "unpacks to more than 0 bytes");
	assert_int_equal(again.n, 0);
	buf_clear(&packed);
	run("truncate -s 100M x && gzip -c x >x.gz && rm x");
	get("x.gz", &packed);
	assert_fails(gunzip_whole(packed.p, packed.n, 1 << 20, append, &again,
	    &e), e, ERR_DATA, "unpacks to more than 1048576 bytes");
	assert_true(again.n <= 1 << 20);
	buf_clear(&packed);
	buf_clear(&again);
}

static void
gunzip_refuses_damage(void **state)
{
	struct buf data = BUF_INIT, packed = BUF_INIT, again = BUF_INIT;
	struct err e;
	size_t n;
	char *copy;

	(void)state;
	noise(&data, 300);
	pack(&packed, data.p, data.n);
	for (n = 0; n < packed.n; n++) {
		copy = malloc(n ? n : 1);
		memcpy(copy, packed.p, n);
		assert_fails(gunzip_whole(copy, n, 1000, append, &again, &e), e,
		    ERR_DATA, "");
		free(copy);
	}
	/* from the length of the stored block on: bits before mean nothing */
	for (n = 11; n < packed.n; n++) {
		packed.p[n] ^= 0x40;
		assert_fails(gunzip_whole(packed.p, packed.n, 1000, append,
		    &again, &e), e, ERR_DATA, "");
		packed.p[n] ^= 0x40;
	}
	buf_str(&packed, "x");
	assert_fails(gunzip_whole(packed.p, packed.n, 1000, append, &again, &e),
	    e, ERR_DATA, "damaged");
	packed.n--;
	n = packed.n;
	buf_room(&packed, n);
	memcpy(packed.p + n, packed.p, n);
	packed.n += n;
	assert_fails(gunzip_whole(packed.p, packed.n, 1000, append, &again, &e),
	    e, ERR_DATA, "damaged");
	assert_fails(gunzip_whole("hello, world", 12, 1000, append, &again, &e),
	    e, ERR_DATA, "damaged");
	/* zlib's own framing is no gzip */
	assert_fails(gunzip_whole("\x78\x9c\x03\x00\x00\x00\x00\x01", 8, 1000,
	    append, &again, &e), e, ERR_DATA, "damaged");
	buf_clear(&data);
	buf_clear(&packed);
	buf_clear(&again);
}

/* A sink that fails stops it: with much data and with the last of it. */
static void
gunzip_fails_with_its_sink(void **state)
{
	struct buf data = BUF_INIT, packed = BUF_INIT;
	struct err e = ERR_INIT;
	int calls = 0;

	(void)state;
	noise(&data, 1 << 20);
	pack(&packed, data.p, data.n);
	assert_int_equal(gunzip_whole(packed.p, packed.n, data.n, refuse,
	    &calls, &e), -1);
	assert_int_equal(calls, 1);
	buf_clear(&packed);
	pack(&packed, "little", 6);
	assert_int_equal(gunzip_whole(packed.p, packed.n, 6, refuse, &calls,
	    &e), -1);
	assert_int_equal(calls, 2);
	buf_clear(&data);
	buf_clear(&packed);
}

/* What the header shows: plain and packed in one pass, named by digest. */
static void
plain_and_packed_in_one_pass(void **state)
{
	struct digest plain, packed;
	struct buf data = BUF_INIT;
	struct err e = ERR_INIT;
	int dir = fresh(), i;
	struct out *o = out_tee(out_file(dir, NULL, 0644, OUT_LATER, &plain),
	    out_gzip(out_file(dir, NULL, 0644, OUT_NOW, &packed)));
	char hex[HASH_HEX], path[128];

	(void)state;
	for (i = 0; i < 50000; i++)
		buf_addf(&data, "Package: p%d\n\n", i);
	out_add(o, data.p, data.n);
	assert_ok(out_commit(o, &e), e);
	assert_int_equal(count_names("d"), 2);
	hash_hex(plain.sha256, hex);
	snprintf(path, sizeof(path), "d/%s", hex);
	check_file(path, data.p, data.n);
	hash_hex(packed.sha256, hex);
	snprintf(path, sizeof(path), "d/%s", hex);
	assert_int_equal(rename(path, "y.gz"), 0);
	run("gzip -dc y.gz >y");
	check_file("y", data.p, data.n);
	assert_true(packed.size < plain.size);
	buf_clear(&data);
	close(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_is_there_with_its_name_after_commit),
		cmocka_unit_test(mode_does_not_depend_on_umask),
		cmocka_unit_test(file_without_a_name_is_named_by_its_digest),
		cmocka_unit_test(empty_file),
		cmocka_unit_test(files_of_many_sizes),
		cmocka_unit_test(commit_replaces_what_was_there),
		cmocka_unit_test(discard_leaves_no_file),
		cmocka_unit_test(file_that_cannot_be_made),
		cmocka_unit_test(file_that_cannot_be_renamed_is_removed),
		cmocka_unit_test(links_at_the_temporary_name_are_not_followed),
		cmocka_unit_test(file_that_cannot_be_written_leaves_nothing),
		cmocka_unit_test(first_failure_sticks),
		cmocka_unit_test(failure_passes_through_gzip),
		cmocka_unit_test(failure_of_one_fails_both),
		cmocka_unit_test(failure_at_the_commit_of_one_undoes_the_other),
		cmocka_unit_test(simple_outputs),
		cmocka_unit_test(gzip_unpacks_it),
		cmocka_unit_test(gzip_header_tells_nothing),
		cmocka_unit_test(gunzip_reads_what_gzip_writes),
		cmocka_unit_test(gunzip_is_bounded),
		cmocka_unit_test(gunzip_refuses_damage),
		cmocka_unit_test(gunzip_fails_with_its_sink),
		cmocka_unit_test(plain_and_packed_in_one_pass),
	};

	return cmocka_run_group_tests(tests, enter, scratch_leave);
}
