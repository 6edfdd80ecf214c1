/*
 * The signature header, lib/rpm/rpm.h: signatures put in, found again, removed.
 */
#include "lib/base/text.h"
#include "tests/unit/rpm_builder.h"

static char bytes[10000];	/* stands for signatures: any bytes do */

static int
fill(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + 1);
	return 0;
}

/* The file with this signature of n bytes; the lead and the rest stay. */
static int
sign(struct buf *file, size_t n, struct err *e)
{
	struct rpm r = RPM_INIT;
	struct buf after = BUF_INIT;
	int status;

	assert_ok(read_package(file, &r, e), *e);
	buf_add(&after, file->p, RPM_LEAD);
	status = rpm_signature_replace(&r, bytes, n, &after, e);
	if (status == 0) {
		assert_int_equal(after.n % 8, 0);
		buf_add(&after, file->p + r.header_start,
		    file->n - r.header_start);
		buf_clear(file);
		*file = after;
	} else {
		assert_int_equal(after.n, RPM_LEAD);
		buf_clear(&after);
	}
	rpm_clear(&r);
	return status;
}

/* It can be read, has this signature and this much reserved space. */
static void
check_signed(const struct buf *file, size_t n, uint32_t tag, size_t reserved)
{
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	struct buf found = BUF_INIT;

	assert_ok(read_package(file, &r, &e), e);
	assert_ok(rpm_signature_read(&r, &found, &e), e);
	assert_int_equal(found.n, n);
	assert_memory_equal(found.p, bytes, n);
	assert_int_equal(rpm_header_count(&r.signature, tag), reserved);
	buf_clear(&found);
	rpm_clear(&r);
}

static void
make_v4(struct buf *file, size_t reserved)
{
	struct package p;

	package_usual(&p);
	package_seal(&p);
	parts_drop(&p.signature, 1008);
	if (reserved > 0)
		parts_set(&p.signature, 1008, RPM_BIN, (uint32_t)reserved,
		    bytes, reserved);
	package_write(&p, file);
	package_clear(&p);
}

static void
make_v6(struct buf *file, bool with_reserved)
{
	struct package p;

	package_usual(&p);
	parts_number(&p.main, 5114, 6);
	package_seal_v6(&p);
	if (!with_reserved)
		parts_drop(&p.signature, 999);
	package_write(&p, file);
	package_clear(&p);
}

/* An entry of the index is 16 bytes. */
static void
reserved_space_makes_up_for_the_signature(void **state)
{
	struct buf file = BUF_INIT;
	struct err e = ERR_INIT;
	size_t size;

	(void)state;
	make_v4(&file, 1000);
	size = file.n;
	assert_ok(sign(&file, 456, &e), e);
	assert_int_equal(file.n, size);
	check_signed(&file, 456, 1008, 1000 - 16 - 456);
	assert_ok(sign(&file, 100, &e), e);
	assert_int_equal(file.n, size);
	check_signed(&file, 100, 1008, 1000 - 16 - 100);
	/* tag 1000 is moved by one more, to where numbers may stand */
	assert_ok(sign(&file, 455, &e), e);
	assert_int_equal(file.n, size);
	check_signed(&file, 455, 1008, 1000 - 16 - 456);
	buf_clear(&file);
}

static void
signing_twice_is_signing_once(void **state)
{
	struct buf file = BUF_INIT, before = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	make_v4(&file, 1000);
	assert_ok(sign(&file, 455, &e), e);
	buf_add(&before, file.p, file.n);
	assert_ok(sign(&file, 455, &e), e);
	assert_int_equal(file.n, before.n);
	assert_memory_equal(file.p, before.p, file.n);
	buf_clear(&before);
	buf_clear(&file);
}

/* rpm takes no entry without a byte. */
static void
reserved_space_that_is_used_up_goes(void **state)
{
	static const struct {
		size_t signature;
		size_t reserved;
		int growth;
	} rows[] = {
		{180, 4, 0}, {184, 0, -16}, {192, 0, -8}, {200, 0, 0},
		{208, 0, 8}, {400, 0, 200},
	};
	struct buf file = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i, size;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		make_v4(&file, 200);
		size = file.n;
		assert_ok(sign(&file, rows[i].signature, &e), e);
		check_signed(&file, rows[i].signature, 1008,
		    rows[i].reserved);
		assert_int_equal((int)file.n - (int)size, rows[i].growth);
	}
	buf_clear(&file);
}

static void
without_reserved_space_the_header_grows_and_shrinks(void **state)
{
	struct buf file = BUF_INIT;
	struct err e = ERR_INIT;
	size_t size;

	(void)state;
	make_v4(&file, 0);
	size = file.n;
	assert_ok(sign(&file, 455, &e), e);
	check_signed(&file, 455, 1008, 0);
	assert_true(file.n > size + 455);
	assert_ok(sign(&file, 8, &e), e);
	check_signed(&file, 8, 1008, 0);
	assert_true(file.n < size + 100);
	buf_clear(&file);
}

static void
all_other_signatures_go(void **state)
{
	static const uint32_t tags[] = {267, 268, 278, 1002, 1005, 1006};
	struct rpm r = RPM_INIT;
	struct buf file = BUF_INIT, found = BUF_INIT;
	struct err e = ERR_INIT;
	struct package p;
	size_t i;

	(void)state;
	package_usual(&p);
	package_seal(&p);
	for (i = 0; i < COUNT(tags); i++)
		parts_set(&p.signature, tags[i], RPM_BIN, 30, "old old old "
		    "old old old old old", 30);
	parts_number(&p.signature, 1007, 99);
	package_write(&p, &file);
	assert_ok(sign(&file, 64, &e), e);
	check_signed(&file, 64, 1008, 200 + 6 * (16 + 30) - 16 - 64);
	assert_ok(read_package(&file, &r, &e), e);
	for (i = 0; i < COUNT(tags); i++)
		assert_int_equal(rpm_header_count(&r.signature, tags[i]),
		    tags[i] == 268 ? 64 : 0);
	assert_int_equal(rpm_header_number(&r.signature, 1007, 0, 0), 99);
	assert_null(memmem(file.p, file.n, "old", 3));
	rpm_clear(&r);
	buf_clear(&file);
	buf_clear(&found);
	package_clear(&p);
}

/* What is reserved does not leak what stood there. */
static void
reserved_space_is_zeros(void **state)
{
	struct rpm r = RPM_INIT;
	struct buf file = BUF_INIT;
	struct err e = ERR_INIT;
	const uint8_t *data;
	size_t i, n;

	(void)state;
	make_v4(&file, 1000);
	assert_ok(sign(&file, 455, &e), e);
	assert_ok(read_package(&file, &r, &e), e);
	data = rpm_header_bytes(&r.signature, 1008, &n);
	for (i = 0; i < n; i++)
		assert_int_equal(data[i], 0);
	rpm_clear(&r);
	buf_clear(&file);
}

/* rpm 4.14, of Enterprise Linux 8, reads 8192 bytes of data. */
static void
refuses_what_an_old_rpm_would_not_read(void **state)
{
	struct buf file = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	make_v4(&file, 0);
	assert_fails(sign(&file, 0, &e), e, ERR_DATA, "of 0 bytes");
	assert_fails(sign(&file, 8192, &e), e, ERR_DATA,
	    "rpm 4.14 reads at most 8192");
	assert_fails(sign(&file, 10000, &e), e, ERR_DATA, "of 10000 bytes");
	assert_ok(sign(&file, 8000, &e), e);
	check_signed(&file, 8000, 1008, 0);
	buf_clear(&file);
}

/* What was reserved, and what is signed of single files, gives way. */
static void
what_is_too_large_makes_room(void **state)
{
	struct rpm r = RPM_INIT;
	struct buf file = BUF_INIT, hex = BUF_INIT;
	struct err e = ERR_INIT;
	struct package p;
	size_t i;

	(void)state;
	make_v4(&file, 9000);
	assert_ok(sign(&file, 455, &e), e);
	assert_ok(read_package(&file, &r, &e), e);
	assert_int_equal(r.signature.data_n, 8192);
	rpm_clear(&r);
	for (i = 0; i < 9000; i++)
		buf_str(&hex, "0");
	package_usual(&p);
	package_seal(&p);
	parts_set(&p.signature, 274, RPM_STRING_ARRAY, 1, buf_cstr(&hex),
	    hex.n + 1);
	parts_number(&p.signature, 275, 4500);
	package_write(&p, &file);
	package_clear(&p);
	assert_ok(sign(&file, 455, &e), e);
	assert_ok(read_package(&file, &r, &e), e);
	assert_int_equal(rpm_header_count(&r.signature, 274), 0);
	assert_int_equal(rpm_header_count(&r.signature, 268), 455);
	rpm_clear(&r);
	buf_clear(&hex);
	buf_clear(&file);
}

static void
refuses_one_entry_too_many(void **state)
{
	struct buf file = BUF_INIT;
	struct err e = ERR_INIT;
	struct package p;
	uint32_t tag;

	(void)state;
	package_usual(&p);
	package_seal(&p);
	parts_drop(&p.signature, 1008);
	for (tag = 300; p.signature.n < 30; tag++)
		parts_number(&p.signature, tag, 1);
	package_write(&p, &file);
	assert_ok(sign(&file, 100, &e), e);
	check_signed(&file, 100, 1008, 0);
	parts_number(&p.signature, tag, 1);
	package_write(&p, &file);
	assert_fails(sign(&file, 100, &e), e, ERR_DATA, "33 entries");
	package_clear(&p);
	buf_clear(&file);
}

/* ------------------------------------------------------------- format 6 */

static void
format_6_has_it_as_text_and_for_old_readers(void **state)
{
	struct buf file = BUF_INIT;
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	const uint8_t *data;
	size_t size, n;

	(void)state;
	make_v6(&file, true);
	size = file.n;
	assert_ok(sign(&file, 100, &e), e);
	assert_int_equal(file.n, size);
	check_signed(&file, 100, 999, 400 - 16 - 100 - 16 - 137);
	assert_ok(read_package(&file, &r, &e), e);
	data = rpm_header_bytes(&r.signature, 268, &n);
	assert_int_equal(n, 100);
	assert_memory_equal(data, bytes, 100);
	assert_int_equal(rpm_header_count(&r.signature, 278), 1);
	assert_int_equal(strlen(rpm_header_string(&r.signature, 278)), 136);
	rpm_clear(&r);
	make_v6(&file, false);
	assert_ok(sign(&file, 100, &e), e);
	check_signed(&file, 100, 999, 0);
	buf_clear(&file);
}

static void
every_length_survives_base64(void **state)
{
	struct buf file = BUF_INIT;
	struct err e = ERR_INIT;
	size_t n;

	(void)state;
	make_v6(&file, true);
	for (n = 1; n < 70; n++) {
		assert_ok(sign(&file, n, &e), e);
		check_signed(&file, n, 999, 400 - 16 - n - 16 -
		    ((n + 2) / 3 * 4 + 1));
	}
	buf_clear(&file);
}

/* What text says, and what comes of it; NULL: it is refused. */
static void
base64_is_read_strictly(void **state)
{
	static const struct {
		const char *text;
		const char *data;
	} rows[] = {
		/* RFC 4648 10 */
		{"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
		{"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"}, {"Zm9v\nYmFy\n", "foobar"},
		{"", NULL}, {"\n", NULL}, {"Z", NULL}, {"Zg", NULL},
		{"Zg=", NULL}, {"Zg===", NULL}, {"=", NULL}, {"====", NULL},
		{"Zg==Zg==", NULL}, {"Zm8=x", NULL}, {"Zm8=\n", "fo"},
		{"Zh==", NULL}, {"Zm9=", NULL}, {"Z===", NULL},
		{"Zm9v ", NULL}, {"Zm9-", NULL}, {"Zm9v\xff", NULL},
		{"-----BEGIN PGP SIGNATURE-----", NULL},
	};
	struct buf found = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		buf_clear(&found);
		assert_int_equal(base64_read(rows[i].text,
		    strlen(rows[i].text), &found), rows[i].data != NULL);
		if (rows[i].data != NULL)
			assert_string_equal(buf_cstr(&found), rows[i].data);
	}
	buf_clear(&found);
}

static void
no_signature_is_a_refusal(void **state)
{
	struct rpm r = RPM_INIT;
	struct buf file = BUF_INIT, found = BUF_INIT;
	struct err e = ERR_INIT;
	struct package p;

	(void)state;
	make_v4(&file, 100);
	assert_ok(read_package(&file, &r, &e), e);
	assert_fails(rpm_signature_read(&r, &found, &e), e, ERR_REFUSED,
	    "not signed");
	rpm_clear(&r);
	make_v6(&file, true);
	assert_ok(read_package(&file, &r, &e), e);
	assert_fails(rpm_signature_read(&r, &found, &e), e, ERR_REFUSED,
	    "not signed");
	rpm_clear(&r);
	package_usual(&p);
	package_seal(&p);
	parts_string(&p.signature, 268, "text");
	package_write(&p, &file);
	assert_fails(read_package(&file, &r, &e), e, ERR_DATA,
	    "tag 268 of the signature header is of type 6, not 7");
	assert_int_equal(found.n, 0);
	package_clear(&p);
	rpm_clear(&r);
	buf_clear(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_space_makes_up_for_the_signature),
		cmocka_unit_test(signing_twice_is_signing_once),
		cmocka_unit_test(reserved_space_that_is_used_up_goes),
		cmocka_unit_test(
		    without_reserved_space_the_header_grows_and_shrinks),
		cmocka_unit_test(all_other_signatures_go),
		cmocka_unit_test(reserved_space_is_zeros),
		cmocka_unit_test(refuses_what_an_old_rpm_would_not_read),
		cmocka_unit_test(what_is_too_large_makes_room),
		cmocka_unit_test(refuses_one_entry_too_many),
		cmocka_unit_test(format_6_has_it_as_text_and_for_old_readers),
		cmocka_unit_test(every_length_survives_base64),
		cmocka_unit_test(base64_is_read_strictly),
		cmocka_unit_test(no_signature_is_a_refusal),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
