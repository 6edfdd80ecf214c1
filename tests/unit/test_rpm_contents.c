/*
 * rpm_check_contents of lib/rpm/rpm.h: payloads that have the digest that the
 * header says, and are no payloads all the same.
 */
#include "tests/unit/rpm_builder.h"

#include "lib/sys/reader.h"

static void
set_payload(struct package *p, const char *file)
{
	buf_clear(&p->payload);
	get(file, &p->payload);
	add_hex(&p->main, 5092, HASH_SHA256, &p->payload);
	parts_number(&p->main, 5093, 8);
}

/* The file of the payload, in place of those of the usual package. */
static void
list_file(struct package *p)
{
	static const uint32_t size = 3000, mode = 0100644, zero = 0, sha256 = 8;
	struct buf data = BUF_INIT;
	size_t i;

	get("t/usr/bin/a", &data);
	add_hex(&p->main, 1035, HASH_SHA256, &data);
	for (i = 0; p->main.v[i].tag != 1035; i++)
		;
	p->main.v[i].type = RPM_STRING_ARRAY;
	parts_numbers(&p->main, 1028, 4, 1, &size);
	parts_numbers(&p->main, 1030, 2, 1, &mode);
	parts_numbers(&p->main, 1037, 4, 1, &zero);
	parts_strings(&p->main, 1039, "root ");
	parts_strings(&p->main, 1040, "root ");
	parts_numbers(&p->main, 1116, 4, 1, &zero);
	parts_strings(&p->main, 1117, "a ");
	parts_strings(&p->main, 1118, "/usr/bin/ ");
	parts_numbers(&p->main, 5011, 4, 1, &sha256);
	buf_clear(&data);
}

static int
check(struct package *p, struct err *e)
{
	struct buf file = BUF_INIT;
	struct rpm r = RPM_INIT;
	int fd, status;

	*e = (struct err)ERR_INIT;
	package_seal(p);
	package_write(p, &file);
	fd = file_of(file.p, file.n);
	assert_ok(rpm_read(fd, "x.rpm", &r, e), *e);
	assert_ok(rpm_read_payload(fd, "x.rpm", NULL, &r, e), *e);
	status = rpm_check_contents(fd, "x.rpm", &r, e);
	close(fd);
	rpm_clear(&r);
	buf_clear(&file);
	return status;
}

#define assert_bad(p, part) do {					\
	struct err e_;							\
	assert_fails(check(p, &e_), e_, ERR_DATA, part);		\
	check_err(&e_, ERR_DATA, "x.rpm: payload: ", __FILE__,		\
	    __LINE__);							\
} while (0)

#define assert_good(p) do {						\
	struct err e_;							\
	assert_ok(check(p, &e_), e_);					\
} while (0)

static int
make_payloads(void **state)
{
	struct err e = ERR_INIT;

	if (reader_start(&e) < 0 || scratch_enter(state) < 0)
		return -1;
	run("mkdir -p t/usr/bin && head -c 3000 /dev/urandom >t/usr/bin/a");
	run("(cd t && echo ./usr/bin/a | cpio -o -H newc --quiet) >cpio");
	run("gzip -nk cpio; xz -k cpio; xz -k --format=lzma cpio; "
	    "zstd -q cpio; bzip2 -k cpio");
	return 0;
}

static const struct {
	const char *name, *file;
} compressors[] = {
	{"gzip", "cpio.gz"}, {"xz", "cpio.xz"}, {"zstd", "cpio.zst"},
	{"bzip2", "cpio.bz2"}, {"lzma", "cpio.lzma"},
};

static void
every_compressor_of_rpm(void **state)
{
	struct package p;
	size_t i;

	(void)state;
	package_usual(&p);
	list_file(&p);
	parts_string(&p.main, 1124, "cpio");
	for (i = 0; i < COUNT(compressors); i++) {
		parts_string(&p.main, 1125, compressors[i].name);
		set_payload(&p, compressors[i].file);
		assert_good(&p);
		set_payload(&p, "cpio");
		assert_bad(&p, "");
	}
	/* none is named: gzip, or as it is */
	parts_drop(&p.main, 1125);
	assert_good(&p);
	set_payload(&p, "cpio.gz");
	assert_good(&p);
	set_payload(&p, "cpio.xz");
	assert_bad(&p, "");
	parts_string(&p.main, 1125, "lz4");
	assert_bad(&p, "compressed by 'lz4'");
	parts_string(&p.main, 1125, "xz");
	parts_string(&p.main, 1124, "drpm");
	assert_bad(&p, "its format is 'drpm'");
	package_clear(&p);
}

static void
payloads_that_end_early(void **state)
{
	struct package p;

	(void)state;
	package_usual(&p);
	list_file(&p);
	parts_string(&p.main, 1125, "gzip");
	run("head -c -1 cpio.gz >cut && head -c 2000 cpio | gzip -n >early");
	set_payload(&p, "cut");
	assert_bad(&p, "end too early");
	set_payload(&p, "early");
	assert_bad(&p, "");
	run(": >none");
	set_payload(&p, "none");
	assert_bad(&p, "");
	package_clear(&p);
}

/* rpm is content with 5092, whatever 5097 says; or with 5097 alone. */
static void
one_right_digest_suffices(void **state)
{
	struct package p;
	struct buf plain = BUF_INIT;

	(void)state;
	package_usual(&p);
	list_file(&p);
	parts_string(&p.main, 1125, "zstd");
	set_payload(&p, "cpio.zst");
	get("cpio", &plain);
	add_hex(&p.main, 5097, HASH_SHA256, &plain);
	assert_good(&p);
	add_hex(&p.main, 5097, HASH_SHA256, &p.payload);
	assert_good(&p);
	parts_drop(&p.main, 5092);
	assert_good(&p);
	buf_clear(&plain);
	package_clear(&p);
}

/* The payload has what the header lists, and nothing else. */
static void
files_are_those_of_the_header(void **state)
{
	static const uint32_t size = 2999, mode = 0140644;
	struct package p;

	(void)state;
	run("(cd t && find . | cpio -o -H newc --quiet) >more");
	run("(cd t/usr/bin && echo /tmp/../$PWD/a | cpio -o -H newc --quiet) "
	    ">far");
	package_usual(&p);
	list_file(&p);
	parts_drop(&p.main, 1125);
	set_payload(&p, "more");
	assert_bad(&p, "is not in the header");
	set_payload(&p, "far");
	assert_bad(&p, "is not in the header");
	set_payload(&p, "cpio");
	assert_good(&p);
	parts_strings(&p.main, 1118, "usr/bin/ ");
	assert_bad(&p, "is not below the root");
	parts_strings(&p.main, 1118, "/bin/ ");
	assert_bad(&p, "is not in the header");
	list_file(&p);
	parts_strings(&p.main, 1117, ".. ");
	assert_bad(&p, "is no name of a file");
	list_file(&p);
	parts_numbers(&p.main, 1028, 4, 1, &size);
	assert_bad(&p, "has 3000 bytes, but 2999 by the header");
	list_file(&p);
	parts_numbers(&p.main, 1030, 2, 1, &mode);
	assert_bad(&p, "of no kind of file");
	list_file(&p);
	parts_strings(&p.main, 1035, "00 ");
	assert_bad(&p, "does not have the digest");
	package_clear(&p);
}

static int
leave(void **state)
{
	reader_stop();
	return scratch_leave(state);
}

/* A package of many files has more of it than a reader takes at once. */
static void
a_header_of_a_megabyte(void **state)
{
	struct package p;
	char *text = mem_format("%0*d", 1 << 20, 7);

	(void)state;
	package_usual(&p);
	list_file(&p);
	parts_string(&p.main, 1125, "gzip");
	parts_string(&p.main, 1005, text);
	set_payload(&p, "cpio.gz");
	assert_good(&p);
	parts_strings(&p.main, 1035, "00 ");
	assert_bad(&p, "does not have the digest");
	package_clear(&p);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_compressor_of_rpm),
		cmocka_unit_test(payloads_that_end_early),
		cmocka_unit_test(one_right_digest_suffices),
		cmocka_unit_test(files_are_those_of_the_header),
		cmocka_unit_test(a_header_of_a_megabyte),
	};

	return cmocka_run_group_tests(tests, make_payloads, leave);
}
