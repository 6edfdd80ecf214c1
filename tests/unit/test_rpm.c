/*
 * lib/rpm/rpm.h: packages made in memory, right ones and wrong ones.
 */
#include "tests/unit/rpm_builder.h"

#include <pthread.h>

#include "lib/sys/cleanup.h"

static void
make_usual(struct buf *file)
{
	struct package p;

	package_usual(&p);
	package_seal(&p);
	package_write(&p, file);
	package_clear(&p);
}

/* ----------------------------------------------------------------- usual */

static void
check_usual(const struct rpm *r, const struct buf *file)
{
	uint8_t identity[HASH_SIZE];
	char *s;

	assert_string_equal(r->name, "x-tool");
	assert_string_equal(r->version, "1.0~rc1");
	assert_string_equal(r->release, "2.el9");
	assert_string_equal(r->arch, "x86_64");
	assert_false(r->has_epoch || r->is_v6);
	assert_int_equal(r->header_start % 8, 0);
	assert_int_equal(r->payload_start,
	    r->header_start + r->header.blob.n);
	assert_int_equal(r->payload_start + r->payload_size, file->n);
	hash_data(file->p + r->header_start, r->header.blob.n, identity);
	assert_memory_equal(r->identity, identity, HASH_SIZE);
	assert_memory_equal(r->lead, file->p, RPM_LEAD);
	s = rpm_file_name(r);
	assert_string_equal(s, "x-tool-1.0~rc1-2.el9.x86_64.rpm");
	free(s);
	s = rpm_evr(r);
	assert_string_equal(s, "1.0~rc1-2.el9");
	free(s);
}

static void
reads_a_package_and_copies_its_payload(void **state)
{
	struct buf file = BUF_INIT, copied = BUF_INIT;
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	struct out *copy;
	int fd;

	(void)state;
	make_usual(&file);
	fd = file_of(file.p, file.n);
	assert_ok(rpm_read(fd, "x.rpm", &r, &e), e);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), r.payload_start);
	copy = out_buf(&copied);
	assert_ok(rpm_read_payload(fd, "x.rpm", copy, &r, &e), e);
	assert_ok(out_commit(copy, &e), e);
	check_usual(&r, &file);
	assert_string_equal(buf_cstr(&copied), "any bytes");
	close(fd);
	rpm_clear(&r);
	rpm_clear(&r);
	buf_clear(&copied);
	buf_clear(&file);
}

struct feed {
	int fd;
	const struct buf *file;
};

static void *
write_bytes(void *arg)
{
	const struct feed *feed = arg;
	size_t i;

	for (i = 0; i < feed->file->n; i++)
		if (write(feed->fd, feed->file->p + i, 1) != 1)
			break;
	close(feed->fd);
	return NULL;
}

/* In packet mode each read returns what one write wrote: a single byte. */
static void
reads_from_a_pipe_byte_by_byte(void **state)
{
	struct buf file = BUF_INIT;
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	struct feed feed;
	pthread_t writer;
	int fds[2];

	(void)state;
	make_usual(&file);
	assert_int_equal(pipe2(fds, O_DIRECT | O_CLOEXEC), 0);
	feed = (struct feed){fds[1], &file};
	assert_int_equal(pthread_create(&writer, NULL, write_bytes, &feed),
	    0);
	assert_ok(rpm_read(fds[0], "x.rpm", &r, &e), e);
	assert_ok(rpm_read_payload(fds[0], "x.rpm", NULL, &r, &e), e);
	pthread_join(writer, NULL);
	close(fds[0]);
	check_usual(&r, &file);
	rpm_clear(&r);
	buf_clear(&file);
}

static void
an_epoch_is_part_of_the_version(void **state)
{
	struct buf file = BUF_INIT;
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	struct package p;
	char *s;

	(void)state;
	package_usual(&p);
	parts_number(&p.main, 1003, 4294967295);
	package_seal(&p);
	package_write(&p, &file);
	package_clear(&p);
	assert_ok(read_package(&file, &r, &e), e);
	assert_true(r.has_epoch);
	assert_int_equal(r.epoch, 4294967295);
	s = rpm_evr(&r);
	assert_string_equal(s, "4294967295:1.0~rc1-2.el9");
	free(s);
	s = rpm_file_name(&r);
	assert_string_equal(s, "x-tool-1.0~rc1-2.el9.x86_64.rpm");
	free(s);
	rpm_clear(&r);
	buf_clear(&file);
	package_usual(&p);
	parts_string(&p.main, 1003, "1");
	assert_package_refused(&p, "the epoch is not one number");
}

static void
a_package_without_files_is_one(void **state)
{
	static const uint32_t tags[] = {1030, 1037, 1039, 1040, 1116, 1117,
	    1118};
	struct package p;
	size_t i;

	(void)state;
	package_usual(&p);
	for (i = 0; i < COUNT(tags); i++)
		parts_drop(&p.main, tags[i]);
	package_payload(&p, "", 8, HASH_SHA256);
	assert_package_accepted(&p);
}

/* ------------------------------------------------- damaged and cut short */

static void
refuses_every_truncation(void **state)
{
	struct buf file = BUF_INIT;

	(void)state;
	make_usual(&file);
	while (file.n-- > 0)
		assert_refused(&file, "");
	buf_clear(&file);
}

static void
says_where_it_is_cut(void **state)
{
	static const struct {
		size_t n;
		const char *message;
	} rows[] = {
		{0, "lead: truncated: the file ends after 0 of 96 bytes"},
		{95, "lead: truncated"},
		{96, "signature header: truncated"},
		{111, "signature header: truncated: the file ends after 15"},
		{112, "signature header: truncated"},
	};
	struct buf file = BUF_INIT;
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	make_usual(&file);
	assert_ok(read_package(&file, &r, &e), e);
	for (i = COUNT(rows); i-- > 0; ) {
		make_usual(&file);
		file.n = rows[i].n;
		assert_refused(&file, rows[i].message);
	}
	make_usual(&file);
	file.n = r.payload_start + 3;
	assert_refused(&file, "truncated");
	file.n = r.payload_start - 1;
	assert_refused(&file, "x.rpm: header: truncated");
	file.n = r.header_start;
	assert_refused(&file, "x.rpm: header: truncated");
	file.n = r.header_start - 1;
	assert_refused(&file, "");
	rpm_clear(&r);
	buf_clear(&file);
}

/* Not one of them goes by unseen, but for what nobody reads in the lead. */
static void
every_changed_byte_is_found(void **state)
{
	static const unsigned char masks[] = {0x01, 0x80, 0xff};
	struct buf file = BUF_INIT;
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	size_t i, k, start;

	(void)state;
	make_usual(&file);
	assert_ok(read_package(&file, &r, &e), e);
	start = r.header_start;
	rpm_clear(&r);
	for (i = 0; i < file.n; i++)
		for (k = 0; k < COUNT(masks); k++) {
			file.p[i] = (char)(file.p[i] ^ masks[k]);
			if (read_package(&file, &r, &e) < 0)
				assert_int_equal(e.kind, ERR_DATA);
			else if (i >= start)
				fail_msg("byte %zu may change", i);
			rpm_clear(&r);
			file.p[i] = (char)(file.p[i] ^ masks[k]);
		}
	buf_clear(&file);
}

static void
the_lead_is_judged(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *message;	/* NULL: rpm does not look at it */
	} rows[] = {
		{0, 0, "not an rpm package"}, {3, 0xee, "not an rpm package"},
		{4, 2, "package format 2 is unknown"}, {4, 4, NULL},
		{4, 5, "package format 5 is unknown"}, {5, 9, NULL},
		{7, 1, "a source package"}, {7, 2, "package type 2"},
		{6, 1, "package type 256"}, {9, 7, NULL}, {10, '/', NULL},
		{77, 3, NULL}, {79, 1, "signature type 1"}, {95, 1, NULL},
	};
	struct buf file = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		make_usual(&file);
		file.p[rows[i].at] = (char)rows[i].value;
		if (rows[i].message != NULL)
			assert_refused(&file, rows[i].message);
		else
			assert_accepted(&file);
	}
	buf_clear(&file);
	buf_str(&file, "!<arch>\ndebian-binary   0           0     0     "
	    "100644  4         `\n2.0\n                                     ");
	assert_refused(&file, "not an rpm package");
	buf_clear(&file);
}

static void
padding_is_zeros(void **state)
{
	struct buf file = BUF_INIT;
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	struct package p;

	(void)state;
	package_usual(&p);
	package_seal(&p);
	parts_set(&p.signature, 1008, RPM_BIN, 1, "", 1);
	package_write(&p, &file);
	assert_ok(read_package(&file, &r, &e), e);
	assert_true(r.header_start > RPM_LEAD + r.signature.blob.n);
	file.p[r.header_start - 1] = 1;
	assert_refused(&file, "followed by bytes that are not zero");
	rpm_clear(&r);
	package_clear(&p);
	buf_clear(&file);
}

/* An intro that asks for 32 MiB, and nothing behind it. */
static void
a_large_size_is_not_believed(void **state)
{
	struct buf file = BUF_INIT;
	struct package p;

	(void)state;
	package_usual(&p);
	package_seal(&p);
	package_write(&p, &file);
	memcpy(file.p + RPM_LEAD + 12, "\0\x80\0\0", 4);
	assert_refused(&file, "signature header: truncated");
	memcpy(file.p + RPM_LEAD + 12, "\0\x80\0\1", 4);
	assert_refused(&file, "signature header: has 8388609 bytes");
	memcpy(file.p + RPM_LEAD + 8, "\0\1\x86\xa0", 4);
	assert_refused(&file, "signature header: has 100000 entries");
	package_clear(&p);
	buf_clear(&file);
}

/* --------------------------------------------------------------- digests */

/* A seal is damaged after it was made: by changing or dropping tags. */
#define seal_and_change(change, judge) do {				\
	struct package p_;						\
	struct buf f_ = BUF_INIT;					\
	struct parts *s;						\
	package_usual(&p_);						\
	package_seal(&p_);						\
	s = &p_.signature;						\
	change;								\
	package_write(&p_, &f_);					\
	judge;								\
	package_clear(&p_);						\
	buf_clear(&f_);							\
} while (0)

#define assert_seal_refused(change, part)				\
	seal_and_change(change, assert_refused(&f_, part))
#define assert_seal_accepted(change)					\
	seal_and_change(change, assert_accepted(&f_))

static char *
hex_of(struct parts *s, uint32_t tag)
{
	size_t i;

	for (i = 0; s->v[i].tag != tag; i++)
		;
	return s->v[i].data.p;
}

static void
make_upper(char *hex)
{
	for (; *hex != '\0'; hex++)
		if (*hex >= 'a')
			*hex = (char)(*hex - 'a' + 'A');
}

/* FIPS 180-4, FIPS 202, RFC 1321: of "abc" */
static void
the_algorithms_are_what_their_names_say(void **state)
{
	static const struct {
		enum hash_algorithm algorithm;
		size_t n;
		const char *hex;	/* how it begins */
	} rows[] = {
		{HASH_MD5, 16, "900150983cd24fb0"},
		{HASH_SHA1, 20, "a9993e364706816a"},
		{HASH_SHA256, 32, "ba7816bf8f01cfea"},
		{HASH_SHA384, 48, "cb00753f45a35e8b"},
		{HASH_SHA512, 64, "ddaf35a193617aba"},
		{HASH_SHA3_256, 32, "3a985da74fe225b2"},
	};
	uint8_t digest[HASH_SIZE_MAX];
	struct hash *h;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		h = hash_open_as(rows[i].algorithm);
		assert_non_null(h);
		hash_add(h, "abc", 3);
		assert_int_equal(hash_finish(h, digest), rows[i].n);
		assert_true(hash_is_hex(rows[i].hex, digest, 8));
		assert_false(hash_is_hex(rows[i].hex, digest, 7));
		assert_false(hash_is_hex(rows[i].hex, digest, 9));
	}
}

static void
digests_of_the_header_are_compared(void **state)
{
	static const char zeros[] = "00000000000000000000000000000000"
	    "00000000000000000000000000000000";

	(void)state;
	assert_seal_refused(parts_drop(s, 273), "older than 4.14");
	assert_seal_refused(parts_string(s, 273, zeros),
	    "the header's SHA-256 is wrong");
	assert_seal_refused(parts_string(s, 273, ""), "SHA-256 is wrong");
	assert_seal_refused(parts_number(s, 273, 1), "SHA-256 is wrong");
	assert_seal_refused(hex_of(s, 273)[63] = '\0', "");
	assert_seal_accepted(make_upper(hex_of(s, 273)));
	assert_seal_refused(parts_string(s, 269, zeros),
	    "the header's SHA-1 is wrong");
	assert_seal_accepted(parts_drop(s, 269));
	assert_seal_refused(parts_string(s, 279, zeros),
	    "the header's SHA3-256 is wrong");
}

static void
a_digest_has_its_length(void **state)
{
	struct buf hex = BUF_INIT;
	const char *wrong = "the header's SHA-256 is wrong";

	(void)state;
	assert_seal_refused((buf_str(&hex, hex_of(s, 273)), buf_str(&hex, "0"),
	    parts_string(s, 273, hex.p)), wrong);
	buf_clear(&hex);
	assert_seal_refused((buf_str(&hex, hex_of(s, 273)), hex.p[63] = '\0',
	    parts_string(s, 273, hex.p)), wrong);
	buf_clear(&hex);
}

static void
sizes_and_md5_are_compared(void **state)
{
	static const uint32_t sizes[] = {0, 1, 0x7fffffff, 0xffffffff};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(sizes); i++) {
		assert_seal_refused(parts_number(s, 1000, sizes[i]),
		    "header and payload are");
		assert_seal_refused(parts_numbers(s, 270, 8, 1, &sizes[i]),
		    "header and payload are");
	}
	assert_seal_refused(parts_string(s, 1000, "1"),
	    "header and payload are");
	assert_seal_refused(parts_set(s, 1004, RPM_BIN, 16,
	    "0123456789abcdef", 16), "the MD5 of header and payload");
	assert_seal_refused(parts_set(s, 1004, RPM_BIN, 15,
	    "0123456789abcdef", 15), "the MD5 of header and payload");
	assert_seal_refused(parts_string(s, 1004, "0123456789abcdef"),
	    "the MD5 of header and payload");
	assert_seal_accepted(parts_drop(s, 1000));
	assert_seal_accepted(parts_drop(s, 1004));
}

static void
the_payload_has_its_digest(void **state)
{
	struct package p;

	(void)state;
	package_usual(&p);
	parts_drop(&p.main, 5092);
	assert_package_refused(&p, "has no digest of its payload");
	package_usual(&p);
	parts_drop(&p.main, 5093);
	assert_package_refused(&p, "of the algorithm 0");
	package_usual(&p);
	package_payload(&p, "x", 2, HASH_SHA1);
	assert_package_refused(&p, "of the algorithm 2; rpm knows SHA-256");
	package_usual(&p);
	package_payload(&p, "x", 9, HASH_SHA384);
	assert_package_refused(&p, "of the algorithm 9");
	package_usual(&p);
	package_payload(&p, "x", 10, HASH_SHA512);
	assert_package_refused(&p, "of the algorithm 10");
	package_usual(&p);
	package_payload(&p, "x", 8, HASH_SHA512);
	assert_package_refused(&p, "the payload's digest is wrong");
	package_usual(&p);
	buf_str(&p.payload, "more");
	assert_package_refused(&p, "the payload's digest is wrong");
}

static void
what_follows_the_payload_is_found(void **state)
{
	struct buf file = BUF_INIT;

	(void)state;
	make_usual(&file);
	buf_add(&file, "", 1);
	assert_refused(&file, "something follows");
	buf_clear(&file);
}

/* -------------------------------------------------------------- format 6 */

#define seal_v6_and_change(change, judge) do {				\
	struct package p_;						\
	struct buf f_ = BUF_INIT;					\
	package_usual(&p_);						\
	parts_number(&p_.main, 5114, 6);				\
	package_seal_v6(&p_);						\
	change;								\
	package_write(&p_, &f_);					\
	judge;								\
	package_clear(&p_);						\
	buf_clear(&f_);							\
} while (0)

#define assert_v6_refused(change, part)					\
	seal_v6_and_change(change, assert_refused(&f_, part))
#define assert_v6_accepted(change)					\
	seal_v6_and_change(change, assert_accepted(&f_))

static void
format_6_has_rules_of_its_own(void **state)
{
	struct package p;

	(void)state;
	assert_v6_accepted((void)0);
	assert_v6_accepted(p_.lead[4] = 4);
	assert_v6_refused(parts_drop(&p_.signature, 279), "has no SHA3-256");
	assert_v6_refused(parts_drop(&p_.signature, 273), "older than 4.14");
	assert_v6_refused(parts_number(&p_.signature, 1000, 1),
	    "has tag 1000 in its signature header");
	assert_v6_refused(buf_str(&p_.payload, "x"),
	    "the payload's digest is wrong");
	package_usual(&p);
	parts_number(&p.main, 5114, 7);
	assert_package_refused(&p, "package format 7 is unknown");
	package_usual(&p);
	parts_string(&p.main, 5114, "6");
	assert_package_refused(&p, "package format 0 is unknown");
}

/* ----------------------------------------------------------- interruptions */

static void
read_errors_are_not_the_package_s_fault(void **state)
{
	struct rpm r = RPM_INIT;
	struct err e;
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_fails(rpm_read(fd, "x.rpm", &r, &e), e, ERR_IO, "x.rpm");
	close(fd);
	rpm_clear(&r);
}

static int
read_after_a_signal(void *arg)
{
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	struct buf *file = arg;
	int fd = file_of(file->p, file->n), headers, payload;

	cleanup_start();
	headers = rpm_read(fd, "x.rpm", &r, &e);
	raise(SIGTERM);
	payload = rpm_read_payload(fd, "x.rpm", NULL, &r, &e);
	rpm_clear(&r);
	if (headers < 0 || payload == 0 || e.kind != ERR_SIGNAL)
		return 1;
	lseek(fd, 0, SEEK_SET);
	return rpm_read(fd, "x.rpm", &r, &e) < 0 && e.kind == ERR_SIGNAL ?
	    0 : 2;
}

static void
a_signal_ends_the_reading(void **state)
{
	struct buf file = BUF_INIT;

	(void)state;
	make_usual(&file);
	assert_int_equal(in_child(read_after_a_signal, &file), 0);
	buf_clear(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_package_and_copies_its_payload),
		cmocka_unit_test(reads_from_a_pipe_byte_by_byte),
		cmocka_unit_test(an_epoch_is_part_of_the_version),
		cmocka_unit_test(a_package_without_files_is_one),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(says_where_it_is_cut),
		cmocka_unit_test(every_changed_byte_is_found),
		cmocka_unit_test(the_lead_is_judged),
		cmocka_unit_test(padding_is_zeros),
		cmocka_unit_test(a_large_size_is_not_believed),
		cmocka_unit_test(the_algorithms_are_what_their_names_say),
		cmocka_unit_test(digests_of_the_header_are_compared),
		cmocka_unit_test(a_digest_has_its_length),
		cmocka_unit_test(sizes_and_md5_are_compared),
		cmocka_unit_test(the_payload_has_its_digest),
		cmocka_unit_test(what_follows_the_payload_is_found),
		cmocka_unit_test(format_6_has_rules_of_its_own),
		cmocka_unit_test(read_errors_are_not_the_package_s_fault),
		cmocka_unit_test(a_signal_ends_the_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
