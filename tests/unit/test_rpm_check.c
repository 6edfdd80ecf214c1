/*
 * What an .rpm says of itself, lib/rpm/package.c and lib/rpm/check.c:
 * kind and names, arrays that belong together.
 */
#include "tests/unit/rpm_builder.h"

static void
source_packages_are_refused(void **state)
{
	struct package p;

	(void)state;
	package_usual(&p);
	parts_number(&p.main, 1106, 1);
	assert_package_refused(&p, "a source package by its header");
	package_usual(&p);
	parts_drop(&p.main, 1044);
	assert_package_refused(&p, "a source package by its header");
}

static void
names_are_fit_for_a_file(void **state)
{
	static const struct {
		uint32_t tag;
		const char *text;
		const char *message;	/* NULL: it is fine */
	} rows[] = {
		{1000, "../x", "bad name '../x'"},
		{1000, "a/b", "bad name"}, {1000, "", "bad name"},
		{1000, ".a", "bad name"}, {1000, "-a", "bad name"},
		{1000, "a b", "bad name"}, {1000, "a\nb", "bad name"},
		{1000, "a:b", "bad name"}, {1000, "a\xc3\xa4", "bad name"},
		{1000, "a%b", "bad name"}, {1000, "gtk+2-x_y.z", NULL},
		{1001, "1-2", "bad version '1-2'"}, {1001, "", "bad version"},
		{1001, "1/../../2", "bad version"},
		{1001, "1.0^git~a+b_", NULL},
		{1002, "1-2", "bad release"}, {1002, "..", "bad release"},
		{1022, "x/y", "bad architecture"},
		{1022, "", "bad architecture"}, {1022, "noarch", NULL},
	};
	struct package p;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		package_usual(&p);
		parts_string(&p.main, rows[i].tag, rows[i].text);
		if (rows[i].message != NULL)
			assert_package_refused(&p, rows[i].message);
		else
			assert_package_accepted(&p);
	}
}

static void
every_part_of_the_name_is_needed(void **state)
{
	static const struct {
		uint32_t tag;
		const char *message;
	} rows[] = {
		{1000, "has no name"}, {1001, "has no version"},
		{1002, "has no release"}, {1022, "has no architecture"},
	};
	struct package p;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		package_usual(&p);
		parts_drop(&p.main, rows[i].tag);
		assert_package_refused(&p, rows[i].message);
		package_usual(&p);
		parts_number(&p.main, rows[i].tag, 1);
		assert_package_refused(&p, rows[i].message);
		package_usual(&p);
		parts_strings(&p.main, rows[i].tag, "a b ");
		assert_package_refused(&p, rows[i].message);
	}
}

/* name-1.0~rc1-2.el9.x86_64.rpm: 25 more than the name */
static void
file_names_have_255_characters(void **state)
{
	char name[232];
	struct package p;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[230] = '\0';
	package_usual(&p);
	parts_string(&p.main, 1000, name);
	assert_package_accepted(&p);
	name[230] = 'a';
	name[231] = '\0';
	package_usual(&p);
	parts_string(&p.main, 1000, name);
	assert_package_refused(&p, "256 characters, more than 255");
}

static void
arrays_that_belong_together_are_as_long(void **state)
{
	static const uint32_t tables[][3] = {
		{1047, 1112, 1113}, {1049, 1048, 1050}, {1054, 1053, 1055},
		{1090, 1114, 1115}, {5046, 5048, 5047}, {5049, 5051, 5050},
		{5052, 5054, 5053}, {5055, 5057, 5056}, {1081, 1080, 1082},
	};
	static const uint32_t two[] = {0, 0};
	struct package p;
	size_t i, k, wrong;

	(void)state;
	for (i = 0; i < COUNT(tables); i++)
		for (wrong = 0; wrong < 7; wrong++) {
			package_usual(&p);
			parts_strings(&p.main, tables[i][0], "a b ");
			parts_numbers(&p.main, tables[i][1], 4, 2, two);
			parts_strings(&p.main, tables[i][2], "c d ");
			k = wrong % 3;
			if (wrong == 6) {
				assert_package_accepted(&p);
				continue;
			}
			if (wrong >= 3)
				parts_drop(&p.main, tables[i][k]);
			else if (k == 1)
				parts_number(&p.main, tables[i][k], 0);
			else
				parts_strings(&p.main, tables[i][k], "a ");
			assert_package_refused(&p, " items, but tag ");
		}
}

static void
arrays_have_their_type(void **state)
{
	static const uint32_t numbers[] = {0, 1, 0};
	struct package p;

	(void)state;
	package_usual(&p);
	parts_numbers(&p.main, 1117, 4, 3, numbers);
	assert_package_refused(&p, "tag 1117 is of type 4, not 8");
	package_usual(&p);
	parts_numbers(&p.main, 1116, 8, 3, numbers);
	assert_package_refused(&p, "tag 1116 is of type 5, not 4");
	package_usual(&p);
	parts_numbers(&p.main, 1113, 4, 2, numbers);
	assert_package_refused(&p, "tag 1113 is of type 4, not 8");
	package_usual(&p);
	parts_numbers(&p.main, 1030, 4, 3, numbers);
	assert_package_refused(&p, "tag 1030 is of type 4, not 3");
	package_usual(&p);
	parts_string(&p.main, 1118, "/usr/");
	assert_package_refused(&p, "tag 1118 is of type 6, not 8");
}

static void
files_have_all_that_files_have(void **state)
{
	static const uint32_t tags[] = {1030, 1037, 1116, 1028, 1034};
	static const uint32_t numbers[] = {0, 1, 0, 1};
	static const uint32_t far[] = {0, 2, 0}, farther[] = {0, 0, ~0U};
	struct package p;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(tags); i++) {
		package_usual(&p);
		parts_numbers(&p.main, tags[i], i == 0 ? 2 : 4, 4, numbers);
		assert_package_refused(&p, "tag 1117 has 3 items, but tag");
	}
	package_usual(&p);
	parts_numbers(&p.main, 1116, 4, 3, far);
	assert_package_refused(&p, "file 1 is in directory 2 of 2");
	package_usual(&p);
	parts_numbers(&p.main, 1116, 4, 3, farther);
	assert_package_refused(&p, "file 2 is in directory 4294967295");
	package_usual(&p);
	parts_drop(&p.main, 1118);
	assert_package_refused(&p, "file 0 is in directory 0 of 0");
	package_usual(&p);
	parts_drop(&p.main, 1117);
	assert_package_refused(&p, "tag 1117 has 0 items");
	package_usual(&p);
	parts_strings(&p.main, 1027, "/a ");
	assert_package_refused(&p, "made by an rpm older than 4,");
}

/* No rpm has ShortCircuited: rpmbuild marks so what it did not build whole. */
static void
no_more_is_required_of_rpm_than_it_can_do(void **state)
{
	static const struct {
		const char *name;
		uint32_t flags;
		bool is_accepted;
	} rows[] = {
		{"rpmlib(FileDigests) ", 0x100000a, true},
		{"rpmlib(PayloadIsZstd) ", 0x100000c, true},
		{"rpmlib(ShortCircuited) ", 0x100000a, false},
		{"rpmlib(ShortCircuited) ", 0x108000a, true},
		{"rpmlib(ShortCircuited) ", 0xa, true},
		{"rpmlib(FileDigest) ", 0x100000a, false},
		{"rpmlib(FileDigestss) ", 0x100000a, false},
		{"rpmlib(FileDigests)) ", 0x100000a, false},
		{"FileDigests ", 0x100000a, false},
		{"rpmlib(FileDigests) ", 0x1000008, true},
		{"rpmlib(CaretInVersions) ", 0x1000008, false},
		{"rpmlib(CaretInVersions) ", 0x1000002, false},
		{"rpmlib(CaretInVersions) ", 0x1000000, true},
		{"rpmlib(CaretInVersions) ", 0x100000c, true},
	};
	struct package p;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		package_usual(&p);
		parts_strings(&p.main, 1049, rows[i].name);
		parts_number(&p.main, 1048, rows[i].flags);
		parts_strings(&p.main, 1050, "4.6.0-1 ");
		if (rows[i].is_accepted)
			assert_package_accepted(&p);
		else
			assert_package_refused(&p, "no rpm has in that");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_packages_are_refused),
		cmocka_unit_test(names_are_fit_for_a_file),
		cmocka_unit_test(every_part_of_the_name_is_needed),
		cmocka_unit_test(file_names_have_255_characters),
		cmocka_unit_test(arrays_that_belong_together_are_as_long),
		cmocka_unit_test(arrays_have_their_type),
		cmocka_unit_test(files_have_all_that_files_have),
		cmocka_unit_test(no_more_is_required_of_rpm_than_it_can_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
