/*
 * lib/data/archive.h: archives that tar and ar made, tars that tar reads.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/data/archive.h"

/* A source that gives n bytes at a time, and fails at the end if told so. */
struct bytes {
	struct buf data;
	size_t at;
	size_t step;
	bool fails;
};

static ssize_t
next_bytes(void *arg, const void **chunk, struct err *e)
{
	struct bytes *b = arg;
	size_t n = b->data.n - b->at;

	if (n == 0 && b->fails)
		return err_set(e, ERR_IO, "the disk is gone");
	if (n > b->step)
		n = b->step;
	*chunk = buf_cstr(&b->data) + b->at;
	b->at += n;
	return (ssize_t)n;
}

/* The archives of these tests: a format and a filter. */
enum shape { SHAPE_AR, SHAPE_TAR, SHAPE_TAR_XZ, SHAPE_TAR_ZST };

static struct unpack *
open_shape(enum shape shape, unpack_source *source, void *arg)
{
	static const enum unpack_filter filters[] = {UNPACK_PLAIN,
	    UNPACK_PLAIN, UNPACK_XZ, UNPACK_ZSTD};

	return unpack_open(shape == SHAPE_AR ? UNPACK_AR : UNPACK_TAR,
	    filters[shape], source, arg);
}

static struct unpack *
open_file(struct bytes *b, enum shape format, const char *name,
    size_t step)
{
	*b = (struct bytes){.step = step};
	get(name, &b->data);
	return open_shape(format, next_bytes, b);
}

static int
enter(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	run("mkdir t && printf hello >t/a && : >t/empty && ln -s a t/link && "
	    "ln t/a t/zhard && mkfifo t/fifo && "
	    "head -c 100000 /dev/urandom >big");
	run("tar --sort=name -cf x.tar t && gzip -nk x.tar && xz -k x.tar && "
	    "zstd -qk x.tar && tar -cf big.tar big && ar rcSU x.ar big");
	return 0;
}

/* ----------------------------------------------------------------- reading */

static void
reads_all_compressions(void **state)
{
	static const struct {
		enum shape format;
		const char *name;
	} archives[] = {
		{SHAPE_TAR, "x.tar"},
		{SHAPE_TAR_XZ, "x.tar.xz"}, {SHAPE_TAR_ZST, "x.tar.zst"},
	};
	static const struct {
		const char *path;
		enum member_type type;
		uint64_t size;
	} wanted[] = {
		{"t/", MEMBER_DIR, 0}, {"t/a", MEMBER_FILE, 5},
		{"t/empty", MEMBER_FILE, 0}, {"t/fifo", MEMBER_OTHER, 0},
		{"t/link", MEMBER_OTHER, 0}, {"t/zhard", MEMBER_OTHER, 0},
	};
	static const size_t steps[] = {1, 7, 512, 100000};
	struct err e = ERR_INIT;
	struct member m;
	struct unpack *u;
	struct bytes b;
	char text[16];
	size_t i, k, n;

	(void)state;
	for (i = 0; i < COUNT(archives); i++)
		for (k = 0; k < COUNT(steps); k++) {
			u = open_file(&b, archives[i].format,
			    archives[i].name, steps[k]);
			for (n = 0; n < COUNT(wanted); n++) {
				assert_int_equal(unpack_next(u, &m, &e), 1);
				assert_string_equal(m.path, wanted[n].path);
				assert_int_equal(m.type, wanted[n].type);
				assert_int_equal(m.size, wanted[n].size);
				if (n != 1)
					continue;
				assert_int_equal(unpack_read(u, text,
				    sizeof(text), &e), 5);
				assert_memory_equal(text, "hello", 5);
				assert_int_equal(unpack_read(u, text,
				    sizeof(text), &e), 0);
			}
			assert_int_equal(unpack_next(u, &m, &e), 0);
			unpack_close(u);
			buf_clear(&b.data);
		}
	unpack_close(NULL);
}

static void
reads_ar(void **state)
{
	struct buf big = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;
	struct member m;
	struct bytes b;
	struct unpack *u = open_file(&b, SHAPE_AR, "x.ar", 999);
	ssize_t n;

	(void)state;
	get("big", &big);
	assert_int_equal(unpack_next(u, &m, &e), 1);
	assert_string_equal(m.path, "big");
	assert_int_equal(m.type, MEMBER_FILE);
	assert_int_equal(m.size, 100000);
	while ((n = unpack_read(u, buf_room(&got, 777), 777, &e)) > 0)
		got.n += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(got.n, big.n);
	assert_memory_equal(got.p, big.p, big.n);
	assert_int_equal(unpack_next(u, &m, &e), 0);
	unpack_close(u);
	buf_clear(&b.data);
	buf_clear(&big);
	buf_clear(&got);
}

/* What the archive is not said to be is refused, whatever it is. */
static void
reads_only_the_format_that_was_asked_for(void **state)
{
	static const struct {
		enum shape format;
		const char *name;
	} pairs[] = {
		{SHAPE_AR, "x.tar"}, {SHAPE_AR, "x.tar.gz"},
		{SHAPE_TAR, "x.ar"}, {SHAPE_TAR, "x.tar.gz"},
		{SHAPE_TAR, "x.tar.xz"}, {SHAPE_TAR_ZST, "x.tar.xz"},
		{SHAPE_TAR_XZ, "x.tar.zst"}, {SHAPE_TAR_XZ, "x.tar.gz"},
		{SHAPE_TAR_ZST, "x.tar.gz"}, {SHAPE_TAR_ZST, "x.ar"},
		{SHAPE_TAR, "big"}, {SHAPE_AR, "big"},
		{SHAPE_TAR_XZ, "x.tar"}, {SHAPE_TAR_ZST, "x.tar"},
	};
	struct member m;
	struct err e;
	struct unpack *u;
	struct bytes b;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(pairs); i++) {
		u = open_file(&b, pairs[i].format, pairs[i].name, 4096);
		assert_fails(unpack_next(u, &m, &e), e, ERR_DATA, "");
		unpack_close(u);
		buf_clear(&b.data);
	}
}

static void
the_source_s_failure_is_the_one_told(void **state)
{
	struct err e = ERR_INIT;
	struct member m;
	struct bytes b;
	struct unpack *u = open_file(&b, SHAPE_TAR, "big.tar", 512);
	char chunk[4096];
	ssize_t n;

	(void)state;
	b.fails = true;
	b.data.n = 50000;
	assert_int_equal(unpack_next(u, &m, &e), 1);
	while ((n = unpack_read(u, chunk, sizeof(chunk), &e)) > 0)
		;
	assert_int_equal(n, -1);
	check_err(&e, ERR_IO, "the disk is gone", __FILE__, __LINE__);
	unpack_close(u);
	b.at = 0;
	b.data.n = 100;
	u = open_shape(SHAPE_TAR, next_bytes, &b);
	assert_fails(unpack_next(u, &m, &e), e, ERR_IO, "the disk is gone");
	unpack_close(u);
	b.at = b.data.n = 0;
	u = open_shape(SHAPE_TAR_XZ, next_bytes, &b);
	assert_fails(unpack_next(u, &m, &e), e, ERR_IO, "the disk is gone");
	unpack_close(u);
	buf_clear(&b.data);
}

static void
cut_archives_are_damaged(void **state)
{
	struct err e;
	struct member m;
	struct unpack *u;
	struct bytes b;
	char chunk[4096];
	size_t n;
	ssize_t got;
	int status;

	(void)state;
	/* within the contents: 512 of header, 100000 of file */
	for (n = 1; n < 100512; n += n < 1024 ? 61 : 9973) {
		b = (struct bytes){.step = 4096};
		get("big.tar", &b.data);
		b.data.n = n;
		u = open_shape(SHAPE_TAR, next_bytes, &b);
		e = (struct err)ERR_INIT;
		got = 0;
		while ((status = unpack_next(u, &m, &e)) > 0)
			while ((got = unpack_read(u, chunk, sizeof(chunk),
			    &e)) > 0)
				;
		if (status == 0 && got == 0)
			fail_msg("nothing wrong with %zu bytes", n);
		assert_int_equal(e.kind, ERR_DATA);
		unpack_close(u);
		buf_clear(&b.data);
	}
}

/* ----------------------------------------------------------------- writing */

static void
writes_what_tar_reads(void **state)
{
	char long_path[300];
	struct err e = ERR_INIT;
	struct tar *t = tar_open(out_file(scratch, "w.tar", 0644, OUT_LATER,
	    NULL), 1795359845);
	struct buf big = BUF_INIT;
	size_t i;

	(void)state;
	memset(long_path, 'd', sizeof(long_path));
	for (i = 99; i < 299; i += 100)
		long_path[i] = '/';
	long_path[299] = '\0';
	get("big", &big);
	tar_add_header(t, "w/a", 5);
	tar_add_data(t, "he", 2);
	tar_add_data(t, "llo", 3);
	tar_add_header(t, "w/empty", 0);
	tar_add_header(t, "w/big", big.n);
	tar_add_data(t, big.p, big.n);
	tar_add_header(t, long_path, 1);
	tar_add_data(t, "x", 1);
	assert_ok(tar_commit(t, &e), e);
	run("mkdir u && tar -xpf w.tar -C u --no-same-owner && "
	    "test $(cat u/w/a) = hello && test -f u/w/empty && "
	    "! test -s u/w/empty && cmp big u/w/big");
	put_str("long", long_path);
	run("test -f u/$(cat long)");
	run("test $(stat -c %a u/w/a) = 644 && "
	    "test $(stat -c %Y u/w/a) = 1795359845");
	run("test \"$(tar --numeric-owner -tvf w.tar | "
	    "awk '{print $2}' | sort -u)\" = 0/0");
	buf_clear(&big);
}

static void
writes_the_same_bytes_for_the_same_input(void **state)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct err e = ERR_INIT;
	struct tar *t;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		t = tar_open(out_buf(i ? &second : &first), 7);
		tar_add_header(t, "a", 3);
		tar_add_data(t, "abc", 3);
		assert_ok(tar_commit(t, &e), e);
	}
	assert_int_equal(first.n, second.n);
	assert_memory_equal(first.p, second.p, first.n);
	buf_clear(&first);
	buf_clear(&second);
}

static void
writes_an_empty_archive(void **state)
{
	struct err e = ERR_INIT;
	struct member m;
	struct unpack *u;
	struct bytes b;

	(void)state;
	assert_ok(tar_commit(tar_open(out_file(scratch, "e.tar", 0644,
	    OUT_LATER, NULL), 0), &e), e);
	run("test -z \"$(tar -tf e.tar)\"");
	u = open_file(&b, SHAPE_TAR, "e.tar", 512);
	assert_int_equal(unpack_next(u, &m, &e), 0);
	unpack_close(u);
	buf_clear(&b.data);
}

static void
failures_of_the_output_are_told(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct tar *t = tar_open(out_fd(full, "full"), 0);
	struct err e;

	(void)state;
	tar_add_header(t, "a", 3);
	tar_add_data(t, "abc", 3);
	assert_fails(tar_commit(t, &e), e, ERR_IO, "write 'full'");
	close(full);
}

/* More than the header said must not become the next header. */
static void
more_data_than_was_said_is_an_error(void **state)
{
	struct buf text = BUF_INIT;
	struct tar *t = tar_open(out_buf(&text), 0);
	struct err e;

	(void)state;
	tar_add_header(t, "a", 3);
	tar_add_data(t, "abcdef", 6);
	assert_fails(tar_commit(t, &e), e, ERR_IO, "write tar");
	buf_clear(&text);
}

static void
discard_leaves_nothing(void **state)
{
	size_t before = count_names(".");
	struct tar *t = tar_open(out_file(scratch, "d.tar", 0644, OUT_NOW,
	    NULL), 0);

	(void)state;
	tar_add_header(t, "a", 300);
	tar_add_data(t, "abc", 3);
	tar_discard(t);
	tar_discard(NULL);
	tar_discard(tar_open(out_file(scratch, "d.tar", 0644, OUT_NOW, NULL),
	    0));
	assert_int_equal(count_names("."), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_compressions),
		cmocka_unit_test(reads_ar),
		cmocka_unit_test(reads_only_the_format_that_was_asked_for),
		cmocka_unit_test(the_source_s_failure_is_the_one_told),
		cmocka_unit_test(cut_archives_are_damaged),
		cmocka_unit_test(writes_what_tar_reads),
		cmocka_unit_test(writes_the_same_bytes_for_the_same_input),
		cmocka_unit_test(writes_an_empty_archive),
		cmocka_unit_test(failures_of_the_output_are_told),
		cmocka_unit_test(more_data_than_was_said_is_an_error),
		cmocka_unit_test(discard_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, enter, scratch_leave);
}
