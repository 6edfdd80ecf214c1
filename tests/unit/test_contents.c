/*
 * lib/data/contents.h, and lib/data/inflate.h below it: archives that tar, cpio
 * and the packers have made, cut at every byte and changed.
 */
#include "tests/unit/support.h"

#include <sys/resource.h>

#include "lib/base/mem.h"
#include "lib/data/contents.h"

#define TRICKLE 7	/* bytes at once */

struct feed {
	const char *p;
	size_t n;
	size_t step;
};

static ssize_t
read_feed(void *arg, const void **chunk, struct err *e)
{
	struct feed *f = arg;
	size_t n = f->n < f->step ? f->n : f->step;

	(void)e;
	*chunk = f->p;
	f->p += n;
	f->n -= n;
	return (ssize_t)n;
}

static int
check_bytes(const void *data, size_t n, enum unpack_format format,
    enum stream_kind packing, size_t step, struct err *e)
{
	struct feed f = {data, n, step};
	struct contents c = {.format = format, .packing = packing,
	    .source = read_feed, .arg = &f};

	*e = (struct err)ERR_INIT;
	return contents_check(&c, e);
}

static int
check_file(const char *name, enum unpack_format format,
    enum stream_kind packing, struct err *e)
{
	struct buf b = BUF_INIT;
	int status;

	get(name, &b);
	status = check_bytes(b.p, b.n, format, packing, TRICKLE, e);
	buf_clear(&b);
	return status;
}

/* What dpkg and rpm pack with, and the archives within. */
static const struct {
	const char *name;
	enum stream_kind packing;
} packed[] = {
	{"a.tar", STREAM_PLAIN}, {"a.tar.gz", STREAM_GZIP},
	{"a.tar.xz", STREAM_XZ}, {"a.tar.zst", STREAM_ZSTD},
	{"a.tar.bz2", STREAM_BZIP2}, {"a.tar.lzma", STREAM_LZMA},
};

static int
make_archives(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	run("mkdir -p t/usr/bin && cd t && "
	    "head -c 5000 /dev/urandom >usr/bin/x && ln usr/bin/x usr/bin/y "
	    "&& ln -s /etc/passwd usr/bin/z && echo '..' >'usr/a b..c' "
	    "&& : >usr/empty");
	run("tar -C t --sort=name -b1 -cf a.tar .");
	run("gzip -nk a.tar; xz -k a.tar; xz -k --format=lzma a.tar");
	run("zstd -q a.tar; bzip2 -k a.tar");
	run("(cd t && find . | sort | cpio -o -H newc --quiet) >a.cpio");
	return 0;
}

static void
what_the_packers_make_is_right(void **state)
{
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(packed); i++)
		assert_ok(check_file(packed[i].name, UNPACK_TAR,
		    packed[i].packing, &e), e);
	assert_ok(check_file("a.cpio", UNPACK_CPIO, STREAM_PLAIN, &e), e);
	/* pigz and bgzip make several streams of one file */
	run("head -c 3000 a.tar | gzip -n >two; "
	    "tail -c +3001 a.tar | gzip -n >>two");
	assert_ok(check_file("two", UNPACK_TAR, STREAM_GZIP, &e), e);
	/* and none is taken for another */
	assert_fails(check_file("a.tar.xz", UNPACK_TAR, STREAM_GZIP, &e), e,
	    ERR_DATA, "damaged gzip");
	assert_fails(check_file("a.tar.gz", UNPACK_TAR, STREAM_XZ, &e), e,
	    ERR_DATA, "");
	assert_fails(check_file("a.tar.gz", UNPACK_TAR, STREAM_PLAIN, &e), e,
	    ERR_DATA, "");
}

/* Wherever it is cut, it is noticed: between two members, too. */
static void
cut_at_every_byte(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;
	size_t i, n;

	(void)state;
	for (i = 0; i < COUNT(packed); i++) {
		buf_clear(&b);
		get(packed[i].name, &b);
		/* of the packed ones the last bytes, and some before */
		for (n = 0; n < b.n; n += i > 0 && n + 40 < b.n ? 37 : 1)
			assert_fails(check_bytes(b.p, n, UNPACK_TAR,
			    packed[i].packing, 4096, &e), e, ERR_DATA, "");
	}
	buf_clear(&b);
	get("a.cpio", &b);
	/* the trailer's header is followed by padding to a block */
	for (n = 0; n + 512 < b.n; n++)
		assert_fails(check_bytes(b.p, n, UNPACK_CPIO, STREAM_PLAIN,
		    4096, &e), e, ERR_DATA, "");
	buf_clear(&b);
}

static void
what_follows_is_noticed(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(packed); i++) {
		buf_clear(&b);
		get(packed[i].name, &b);
		/* libarchive passes over it, as bzip2(1) does */
		if (packed[i].packing == STREAM_BZIP2 ||
		    packed[i].packing == STREAM_LZMA)
			continue;
		buf_str(&b, "something that follows");
		if (check_bytes(b.p, b.n, UNPACK_TAR, packed[i].packing, b.n,
		    &e) == 0)
			fail_msg("%s and something more", packed[i].name);
		assert_int_equal(e.kind, ERR_DATA);
	}
	buf_clear(&b);
	get("a.cpio", &b);
	get("a.cpio", &b);
	assert_fails(check_bytes(b.p, b.n, UNPACK_CPIO, STREAM_PLAIN, 4096,
	    &e), e, ERR_DATA, "something follows the end");
	buf_clear(&b);
}

/* Where a checksum covers every byte, every change is noticed. */
static void
one_byte_is_another(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;
	size_t i, k, passed;

	(void)state;
	for (i = 1; i < COUNT(packed) - 1; i++) {
		buf_clear(&b);
		get(packed[i].name, &b);
		for (k = passed = 0; k < b.n; k += 97) {
			b.p[k] ^= 0x55;
			passed += check_bytes(b.p, b.n, UNPACK_TAR,
			    packed[i].packing, 4096, &e) == 0;
			b.p[k] ^= 0x55;
		}
		/* the time in a gzip header, say */
		if (passed > 2)
			fail_msg("%s: %zu changes", packed[i].name, passed);
	}
	buf_clear(&b);
}

#define TAR "tar -C t -Pcf bad.tar --transform "
#define assert_tar_refused(command, part) do {				\
	struct err e_;							\
	run(command);							\
	assert_fails(check_file("bad.tar", UNPACK_TAR, STREAM_PLAIN,	\
	    &e_), e_, ERR_DATA, part);					\
} while (0)

static void
members_that_do_not_stay_below_the_root(void **state)
{
	(void)state;
	assert_tar_refused(TAR "'s,^,/,' usr/empty",
	    "'/usr/empty' is not a path below");
	assert_tar_refused(TAR "'s,^,../,' usr/empty",
	    "'../usr/empty' is not a path below");
	assert_tar_refused(TAR "'s,^usr,./usr/..,' usr/empty",
	    "'./usr/../empty' is not a path below");
	assert_tar_refused(TAR "'flags=h;s,usr/bin/x,/etc/x,' usr/bin/x "
	    "usr/bin/y", "'usr/bin/y' is a link to '/etc/x', which is not");
	assert_tar_refused(TAR "'flags=h;s,usr/bin/x,../x,' usr/bin/x "
	    "usr/bin/y", "'usr/bin/y' is a link to '../x', which is not");
}

static void
members_that_no_package_needs(void **state)
{
	struct err e;

	(void)state;
	assert_tar_refused("mkfifo f && tar -cf bad.tar f",
	    "'f' is not a file, directory or link");
	/* of a device there is a name in every /dev */
	assert_tar_refused("tar -C / -cf bad.tar dev/null",
	    "'dev/null' is not a file");
	run("(cd / && echo dev/null | cpio -o -H newc --quiet) >bad.cpio");
	assert_fails(check_file("bad.cpio", UNPACK_CPIO, STREAM_PLAIN, &e), e,
	    ERR_DATA, "'dev/null' is not a file");
	run("(cd t && echo usr/empty | cpio -o -H newc --quiet) | "
	    "sed 's,usr/empty,../.empty,' >bad.cpio");
	assert_fails(check_file("bad.cpio", UNPACK_CPIO, STREAM_PLAIN, &e), e,
	    ERR_DATA, "'../.empty' is not a path");
}

/* Of rpm's own cpio the names are in the header. */
static void
a_stripped_cpio_is_only_unpacked(void **state)
{
	struct err e;

	(void)state;
	put_str("stripped", "07070X00000000and the bytes of a file");
	assert_ok(check_file("stripped", UNPACK_CPIO, STREAM_PLAIN, &e), e);
	run("gzip -nk stripped");
	assert_ok(check_file("stripped.gz", UNPACK_CPIO, STREAM_GZIP, &e), e);
	run("head -c -3 stripped.gz >bad");
	assert_fails(check_file("bad", UNPACK_CPIO, STREAM_GZIP, &e), e,
	    ERR_DATA, "end too early");
}

/* 256 MiB of nothing: kilobytes of the packed, and no more of memory. */
static int
unpack_much(void *arg)
{
	struct rusage before, after;
	struct err e;

	getrusage(RUSAGE_SELF, &before);
	if (check_file(arg, UNPACK_TAR, STREAM_XZ, &e) < 0)
		return 1;
	getrusage(RUSAGE_SELF, &after);
	/* KiB: xz -0 has a window of 256 */
	return after.ru_maxrss - before.ru_maxrss > 8192 ? 2 : 0;
}

static void
memory_is_bounded(void **state)
{
	static char name[] = "zeros.tar.xz";

	(void)state;
	run("truncate -s 256M zeros && tar -cf - zeros | xz -0 >zeros.tar.xz "
	    "&& rm zeros");
	assert_int_equal(in_child(unpack_much, name), 0);
}

/* What the source tells of is what is said. */
static ssize_t
fail_to_read(void *arg, const void **chunk, struct err *e)
{
	(void)arg;
	(void)chunk;
	return err_set(e, ERR_IO, "the disk is gone");
}

static void
a_source_that_fails(void **state)
{
	struct contents c = {.format = UNPACK_TAR, .source = fail_to_read};
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(packed); i++) {
		e = (struct err)ERR_INIT;
		c.packing = packed[i].packing;
		assert_fails(contents_check(&c, &e), e, ERR_IO,
		    "the disk is gone");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_packers_make_is_right),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(what_follows_is_noticed),
		cmocka_unit_test(one_byte_is_another),
		cmocka_unit_test(members_that_do_not_stay_below_the_root),
		cmocka_unit_test(members_that_no_package_needs),
		cmocka_unit_test(a_stripped_cpio_is_only_unpacked),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(a_source_that_fails),
	};

	return cmocka_run_group_tests(tests, make_archives, scratch_leave);
}
