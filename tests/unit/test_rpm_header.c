/*
 * lib/rpm/header.h: right headers, and every lie that one can tell.
 */
#include "tests/unit/rpm_builder.h"

static uint32_t
get32(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3];
}

static void
set32(char *p, uint32_t value)
{
	p[0] = (char)(value >> 24);
	p[1] = (char)(value >> 16);
	p[2] = (char)(value >> 8);
	p[3] = (char)value;
}

/* One entry of each type. */
static void
make_usual(struct parts *s)
{
	static const uint32_t numbers[] = {7, 0xfffffffe, 9};

	s->n = 0;
	parts_strings(s, 100, "C de ");
	parts_string(s, 1000, "name");
	parts_numbers(s, 1010, 2, 3, numbers);
	parts_numbers(s, 1020, 4, 3, numbers);
	parts_numbers(s, 1030, 8, 3, numbers);
	parts_set(s, 1040, RPM_INT8, 2, "\1\xff", 2);
	parts_set(s, 1050, RPM_CHAR, 1, "x", 1);
	parts_set(s, 1060, RPM_BIN, 5, "\0\1\2\3\4", 5);
	parts_strings(s, 1070, "one two  three ");
	parts_set(s, 1080, RPM_I18NSTRING, 2, "word\0Wort", 10);
}

/* check on a copy that ends where the bytes end, for the address sanitizer */
static int
check_bytes(const void *data, size_t n, enum rpm_header_kind kind,
    struct err *e)
{
	struct rpm_header h = RPM_HEADER_INIT;
	char *p = mem_alloc(n + 1);
	int status;

	memcpy(p, data, n);
	h.blob = (struct buf){p, n, n + 1};
	status = rpm_header_check(&h, kind, e);
	if (status < 0)
		assert_int_equal(h.n, 0);
	rpm_header_clear(&h);
	return status;
}

static void
write_usual(struct buf *b)
{
	struct parts s;

	make_usual(&s);
	buf_clear(b);
	parts_write(&s, 63, b);
	parts_clear(&s);
}

#define assert_bad(b, part) do {					\
	struct err e_;							\
	assert_fails(check_bytes((b)->p, (b)->n, RPM_MAIN, &e_), e_,	\
	    ERR_DATA, part);						\
} while (0)

/* The field of an entry of the index: 0 tag, 1 type, 2 offset, 3 count. */
static char *
field_of(struct buf *b, size_t entry, size_t field)
{
	return b->p + RPM_INTRO + entry * 16 + field * 4;
}

/* ----------------------------------------------------------------- usual */

static void
reads_every_type(void **state)
{
	struct rpm_header h = RPM_HEADER_INIT;
	struct err e = ERR_INIT;
	struct rpm_entry entry;
	const char **v;
	const uint8_t *bytes;
	size_t n;

	(void)state;
	write_usual(&h.blob);
	assert_ok(rpm_header_size((uint8_t *)h.blob.p, RPM_MAIN, &n, &e), e);
	assert_int_equal(n, h.blob.n);
	assert_ok(rpm_header_check(&h, RPM_MAIN, &e), e);
	assert_int_equal(h.n, 11);
	assert_string_equal(rpm_header_string(&h, 1000), "name");
	assert_string_equal(rpm_header_string(&h, 100), "C");
	assert_string_equal(rpm_header_string(&h, 1080), "word");
	assert_int_equal(rpm_header_number(&h, 1010, 2, 5), 9);
	assert_int_equal(rpm_header_number(&h, 1010, 1, 5), 0xfffe);
	assert_int_equal(rpm_header_number(&h, 1020, 1, 5), 0xfffffffe);
	assert_int_equal(rpm_header_number(&h, 1030, 0, 5), 7);
	assert_int_equal(rpm_header_number(&h, 1040, 1, 5), 255);
	assert_int_equal(rpm_header_number(&h, 1050, 0, 5), 'x');
	v = rpm_header_strings(&h, 1070, &n);
	assert_int_equal(n, 4);
	assert_string_equal(v[1], "two");
	assert_string_equal(v[2], "");
	assert_string_equal(v[3], "three");
	free(v);
	bytes = rpm_header_bytes(&h, 1060, &n);
	assert_int_equal(n, 5);
	assert_memory_equal(bytes, "\0\1\2\3\4", 5);
	assert_true(rpm_header_find(&h, 1070, &entry));
	assert_int_equal(entry.data_n, 15);
	assert_int_equal(entry.count, 4);
	rpm_header_entry(&h, 0, &entry);
	assert_int_equal(entry.tag, 63);
	assert_int_equal(entry.data_n, 16);
	rpm_header_clear(&h);
}

static void
what_is_not_there_is_nothing(void **state)
{
	struct rpm_header h = RPM_HEADER_INIT;
	struct err e = ERR_INIT;
	struct rpm_entry entry;
	size_t n;

	(void)state;
	assert_null(rpm_header_string(&h, 1000));
	assert_int_equal(rpm_header_count(&h, 1000), 0);
	write_usual(&h.blob);
	assert_ok(rpm_header_check(&h, RPM_MAIN, &e), e);
	assert_null(rpm_header_string(&h, 1001));
	assert_null(rpm_header_string(&h, 1020));
	assert_null(rpm_header_strings(&h, 1020, &n));
	assert_int_equal(n, 0);
	assert_null(rpm_header_strings(&h, 4000000000, &n));
	assert_null(rpm_header_bytes(&h, 1000, &n));
	assert_null(rpm_header_bytes(&h, 0, &n));
	assert_int_equal(rpm_header_number(&h, 1000, 0, 5), 5);
	assert_int_equal(rpm_header_number(&h, 1020, 3, 5), 5);
	assert_int_equal(rpm_header_number(&h, 1060, 0, 5), 5);
	assert_int_equal(rpm_header_number(&h, 9, 0, 5), 5);
	assert_false(rpm_header_find(&h, 99, &entry));
	rpm_header_clear(&h);
	rpm_header_clear(&h);
}

static void
a_header_may_have_its_region_alone(void **state)
{
	struct parts s = {.n = 0};
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	parts_write(&s, 62, &b);
	assert_ok(check_bytes(b.p, b.n, RPM_SIGNATURE, &e), e);
	assert_fails(check_bytes(b.p, b.n, RPM_MAIN, &e), e, ERR_DATA,
	    "not the region, tag 63");
	buf_clear(&b);
}

/* ------------------------------------------------------------------ lies */

struct lie {
	const char *name;
	uint32_t value;
	bool is_relative;
};

static const struct lie lies[] = {
	{"=0", 0, false}, {"=1", 1, false}, {"=7fffffff", 0x7fffffff, false},
	{"=ffffffff", 0xffffffff, false}, {"+1", 1, true},
	{"-1", 0xffffffff, true},
};

/*
 * The lies that are none: the header says something else, and that holds. A
 * tag between its neighbours, a type of the same size or a smaller one, bytes
 * that begin later and end in time, fewer items.
 */
static const char harmless[] =
    "1.tag=7fffffff 1.tag=ffffffff 1.tag+1 1.type=1 1.type+1 1.type-1 "
    "1.offset=1 1.offset+1 "
    "1.count=1 1.count-1 "
    "2.tag=7fffffff 2.tag=ffffffff 2.tag+1 2.tag-1 2.type=1 2.type+1 "
    "2.offset+1 "
    "3.tag=7fffffff 3.tag=ffffffff 3.tag+1 3.tag-1 3.type=1 3.type-1 "
    "3.count=1 3.count-1 "
    "4.tag=7fffffff 4.tag=ffffffff 4.tag+1 4.tag-1 4.type=1 4.type-1 "
    "4.count=1 4.count+1 "
    "4.count-1 "
    "5.tag=7fffffff 5.tag=ffffffff 5.tag+1 5.tag-1 5.type=1 5.type-1 "
    "5.count=1 5.count-1 "
    "6.tag=7fffffff 6.tag=ffffffff 6.tag+1 6.tag-1 6.type=1 6.type-1 "
    "6.count=1 6.count-1 "
    "7.tag=7fffffff 7.tag=ffffffff 7.tag+1 7.tag-1 7.type+1 "
    "8.tag=7fffffff 8.tag=ffffffff 8.tag+1 8.tag-1 8.type=1 8.count=1 "
    "8.count-1 "
    "9.tag=7fffffff 9.tag=ffffffff 9.tag+1 9.tag-1 9.type=1 9.type+1 "
    "9.type-1 9.offset+1 "
    "9.count=1 9.count-1 "
    "10.tag=7fffffff 10.tag=ffffffff 10.tag+1 10.tag-1 "
    "10.type=1 10.type-1 10.offset+1 10.count=1 10.count-1 ";

static void
a_lie_in_any_field_is_found_or_harmless(void **state)
{
	static const char *const fields[] = {"tag", "type", "offset",
	    "count"};
	struct buf b = BUF_INIT, accepted = BUF_INIT;
	struct err e;
	size_t i, k, f;
	uint32_t was, value;
	char *p;

	(void)state;
	write_usual(&b);
	for (i = 0; i <= 10; i++)
		for (f = 0; f < 4; f++)
			for (k = 0; k < COUNT(lies); k++) {
				p = field_of(&b, i, f);
				was = get32(p);
				value = lies[k].value +
				    (lies[k].is_relative ? was : 0);
				set32(p, value);
				e = (struct err)ERR_INIT;
				if (value != was && check_bytes(b.p, b.n,
				    RPM_MAIN, &e) == 0)
					buf_addf(&accepted, "%zu.%s%s ", i,
					    fields[f], lies[k].name);
				set32(p, was);
			}
	assert_string_equal(buf_cstr(&accepted), harmless);
	buf_clear(&accepted);
	buf_clear(&b);
}

static void
every_lie_in_intro_and_trailer_is_found(void **state)
{
	struct buf b = BUF_INIT;
	size_t at[8], i, k;
	uint32_t was, value;

	(void)state;
	write_usual(&b);
	for (i = 0; i < 4; i++) {
		at[i] = 4 * i;
		at[4 + i] = b.n - 16 + 4 * i;
	}
	for (i = 0; i < COUNT(at); i++)
		for (k = 0; k < COUNT(lies); k++) {
			was = get32(b.p + at[i]);
			value = lies[k].value +
			    (lies[k].is_relative ? was : 0);
			set32(b.p + at[i], value);
			if (value != was)
				assert_bad(&b, "");
			set32(b.p + at[i], was);
		}
	buf_clear(&b);
}

static void
refuses_every_truncation_and_more_bytes(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;
	size_t n;

	(void)state;
	write_usual(&b);
	for (n = 0; n < b.n; n++)
		assert_fails(check_bytes(b.p, n, RPM_MAIN, &e), e, ERR_DATA,
		    "");
	buf_str(&b, "x");
	assert_bad(&b, "bytes, not");
	buf_clear(&b);
}

static void
survives_every_changed_byte(void **state)
{
	static const unsigned char masks[] = {0x01, 0x10, 0x80, 0xff};
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i, k;

	(void)state;
	write_usual(&b);
	for (i = 0; i < b.n; i++)
		for (k = 0; k < COUNT(masks); k++) {
			b.p[i] = (char)(b.p[i] ^ masks[k]);
			if (check_bytes(b.p, b.n, RPM_MAIN, &e) < 0)
				assert_int_equal(e.kind, ERR_DATA);
			else
				assert_true(i >= RPM_INTRO);
			b.p[i] = (char)(b.p[i] ^ masks[k]);
		}
	buf_clear(&b);
}

/* Each is one field of the usual header. */
static const struct {
	size_t entry;
	size_t field;
	uint32_t value;
	const char *message;
} wrong[] = {
	{0, 0, 62, "not the region, tag 63"},
	{0, 1, 6, "not the region"},
	{0, 3, 32, "not the region"},
	{0, 2, 0, "trailer is at byte 0"},
	{0, 2, 0xfffffff0, "trailer is at byte"},
	{1, 0, 63, "tag 63 has no place"},
	{1, 0, 99, "tag 99 has no place"},
	{2, 0, 100, "tag 100 appears twice"},
	{3, 0, 1000, "tag 1000 appears twice"},
	{2, 0, 1010, "tag 1010 appears twice"},
	{3, 1, 0, "tag 1010 has the unknown type 0"},
	{3, 1, 10, "tag 1010 has the unknown type 10"},
	{3, 3, 0, "tag 1010 has 0 items"},
	{2, 3, 2, "tag 1000 has 2 items"},
	{3, 2, 11, "tag 1010 is not aligned"},
	{4, 2, 18, "tag 1020 is not aligned"},
	{5, 2, 36, "tag 1030 is not aligned"},
	{4, 2, 12, "tag 1020 overlaps"},
	{9, 2, 0, "tag 1070 overlaps"},
	{3, 2, 0x80000000, "tag 1010 begins beyond"},
	{4, 3, 0x40000001, "tag 1020 runs beyond"},
	{5, 3, 0x20000001, "tag 1030 runs beyond"},
	{8, 3, 0xffffffff, "tag 1060 runs beyond"},
	{8, 3, 6, "tag 1070 overlaps"},
	{9, 3, 1048577, "1048577 items, more than 1048575"},
	{10, 3, 3, "tag 1080 has a string without an end"},
};

static void
the_message_says_which_tag(void **state)
{
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(wrong); i++) {
		write_usual(&b);
		set32(field_of(&b, wrong[i].entry, wrong[i].field),
		    wrong[i].value);
		assert_bad(&b, wrong[i].message);
	}
	buf_clear(&b);
}

static void
the_last_string_must_end_before_the_trailer(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	write_usual(&b);
	b.p[b.n - 17] = 'x';
	assert_bad(&b, "tag 1080 has a string without an end");
	buf_clear(&b);
}

/*
 * rpm takes entries behind the region; a signature of the region would not
 * cover them.
 */
static void
refuses_entries_behind_the_region(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	write_usual(&b);
	set32(b.p + b.n - 8, (uint32_t)-(16 * 10));
	assert_bad(&b, "covers 160 bytes of index, but there are 176");
	buf_clear(&b);
}

/* ---------------------------------------------------------------- limits */

static void
make_intro(uint8_t intro[RPM_INTRO], uint32_t n, uint32_t data_n)
{
	set32((char *)intro, 0x8eade801);
	set32((char *)intro + 4, 0);
	set32((char *)intro + 8, n);
	set32((char *)intro + 12, data_n);
}

static void
sizes_are_limited(void **state)
{
	static const struct {
		enum rpm_header_kind kind;
		uint32_t n;
		uint32_t data_n;
		bool is_fine;
	} rows[] = {
		{RPM_MAIN, 1, 16, true}, {RPM_MAIN, 0, 16, false},
		{RPM_MAIN, 1, 15, false}, {RPM_MAIN, 1, 0, false},
		{RPM_MAIN, 65535, 33554432, true},
		{RPM_MAIN, 65536, 16, false},
		{RPM_MAIN, 1, 33554433, false},
		{RPM_MAIN, 100000, 16, false},
		{RPM_MAIN, 0xffffffff, 0xffffffff, false},
		{RPM_SIGNATURE, 32, 8388608, true},
		{RPM_SIGNATURE, 33, 16, false},
		{RPM_SIGNATURE, 1, 8388609, false},
	};
	uint8_t intro[RPM_INTRO];
	struct err e = ERR_INIT;
	size_t i, n;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		make_intro(intro, rows[i].n, rows[i].data_n);
		if (rows[i].is_fine) {
			assert_ok(rpm_header_size(intro, rows[i].kind, &n,
			    &e), e);
			assert_int_equal(n, 16 + 16 * (size_t)rows[i].n +
			    rows[i].data_n);
		} else {
			assert_fails(rpm_header_size(intro, rows[i].kind, &n,
			    &e), e, ERR_DATA, "must be");
		}
	}
}

/* n entries of one byte each. */
static void
make_many(struct buf *b, uint32_t n)
{
	uint32_t i;

	buf_clear(b);
	put32(b, 0x8eade801);
	put32(b, 0);
	put32(b, n + 1);
	put32(b, n + 16);
	put32(b, 63);
	put32(b, RPM_BIN);
	put32(b, n);
	put32(b, 16);
	for (i = 0; i < n; i++) {
		put32(b, 1000 + i);
		put32(b, RPM_BIN);
		put32(b, i);
		put32(b, 1);
	}
	memset(buf_room(b, n), 'x', n);
	b->n += n;
	put32(b, 63);
	put32(b, RPM_BIN);
	put32(b, 0 - (n + 1) * 16);
	put32(b, 16);
}

static void
very_many_entries_are_refused(void **state)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	make_many(&b, 65534);
	assert_ok(check_bytes(b.p, b.n, RPM_MAIN, &e), e);
	make_many(&b, 65535);
	assert_bad(&b, "65536 entries");
	make_many(&b, 100000);
	assert_bad(&b, "100001 entries");
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_type),
		cmocka_unit_test(what_is_not_there_is_nothing),
		cmocka_unit_test(a_header_may_have_its_region_alone),
		cmocka_unit_test(a_lie_in_any_field_is_found_or_harmless),
		cmocka_unit_test(every_lie_in_intro_and_trailer_is_found),
		cmocka_unit_test(refuses_every_truncation_and_more_bytes),
		cmocka_unit_test(survives_every_changed_byte),
		cmocka_unit_test(the_message_says_which_tag),
		cmocka_unit_test(the_last_string_must_end_before_the_trailer),
		cmocka_unit_test(refuses_entries_behind_the_region),
		cmocka_unit_test(sizes_are_limited),
		cmocka_unit_test(very_many_entries_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
