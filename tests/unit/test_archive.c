/*
 * lib/data/archive.h: archives that tar and ar made.
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_compressions),
		cmocka_unit_test(reads_ar),
		cmocka_unit_test(reads_only_the_format_that_was_asked_for),
		cmocka_unit_test(the_source_s_failure_is_the_one_told),
		cmocka_unit_test(cut_archives_are_damaged),
	};

	return cmocka_run_group_tests(tests, enter, scratch_leave);
}
