/*
 * lib/deb/relation.h: values of fields. tests/e2e/judge_debs.sh asks dpkg and
 * apt; here is what they said, and the words of ours.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/deb/relation.h"

/* In an allocation of its own, which ends where the value ends. */
static int
judge(const char *name, const char *value, struct err *e)
{
	char *copy = mem_dupn(value, strlen(value)), *exact;
	struct field f = {name, strlen(name), copy, strlen(value)};
	int status;

	exact = malloc(f.value_n ? f.value_n : 1);
	memcpy(exact, copy, f.value_n);
	free(copy);
	f.value = exact;
	*e = (struct err)ERR_INIT;
	status = field_judge(&f, e);
	free(exact);
	return status;
}

#define assert_good(name, value) do {					\
	struct err e_;							\
	assert_ok(judge(name, value, &e_), e_);				\
} while (0)

#define assert_bad(name, value, part) do {				\
	struct err e_;							\
	assert_fails(judge(name, value, &e_), e_, ERR_DATA, part);	\
} while (0)

static void
relations_that_are_right(void **state)
{
	static const char *const good[] = {
		"aa", "aa, bb", "aa,bb", "aa ,bb", "aa|bb", "aa | bb, cc",
		"aa (>= 1)", "aa(>=1)", "aa (<< 1~)", "aa (<= 1:1-1)",
		"aa (= 1+b1)", "aa (>> 1)", "aa (< 1)", "aa (> 1)",
		"aa  ( =  1 )", "aa:any", "aa:amd64 (= 1) | bb:native", "",
		"aa,\n bb,\n\tcc (= 1)", "aa\n (>= 1\n )", "Aa_b", "a",
		"aa (>= 1:2:3)", "aa (>= 2147483647:1)", "aa (=10)",
		"aa (12.3)",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		assert_good("Depends", good[i]);
	assert_good("pre-depends", "aa | bb");
	assert_good("Enhances", "aa | bb");
	assert_good("Breaks", "aa (<< 1), bb:any");
	assert_good("Provides", "aa, bb (= 1)");
	assert_good("Conflicts", "");
	assert_good("Built-Using", "gcc-12 (= 12.2.0-14), aa (= 1)");
}

static void
relations_that_are_wrong(void **state)
{
	static const struct {
		const char *value, *part;
	} bad[] = {
		{"aa |", "field Depends: a package's name is missing at its "
		    "end"},
		{"aa,", "missing at its end"}, {",aa", "missing at ',aa'"},
		{"|aa", "missing at '|aa'"}, {"aa,,bb", "missing at ',bb'"},
		{"aa || bb", "missing at '| bb'"}, {",", "missing"},
		{"\n aa", "missing"},
		{"aa bb", "unexpected 'bb'"}, {"aa (= 1)b", "unexpected 'b'"},
		{"aa [amd64]", "unexpected '[amd64]'"},
		{"aa <!x>", "unexpected '<!x>'"},
		{"${x:Depends}", "bad package name '${x'"},
		{"aa (= ${v})", "bad version '${v}'"},
		{"-a", "bad package name '-a'"}, {"a/b", "bad package name"},
		{"aa>=1", "bad package name 'aa>=1'"},
		{"\xc3\xa4", "bad package name"},
		{"aa:", "bad architecture ''"}, {"aa:a_b", "bad architecture"},
		{"aa: any", "bad architecture ''"}, {"aa:a:b", "bad arch"},
		{"aa (=> 1)", "unknown operator '=>'"},
		{"aa (== 1)", "unknown operator '=='"},
		{"aa (!= 1)", "unknown operator '!='"},
		{"aa (>= x)", "bad version 'x'"}, {"aa ()", "write '(= "},
		{"aa (= )", "write"}, {"aa (=1)", "write '(= VERSION)'"},
		{"aa (10)", "write '(= VERSION)' for apt, not '10)'"},
		{"aa (", "write"}, {"aa (>= 1", "no ')'"},
		{"aa (>= 1.2", "no ')' after version '1.2'"},
		{"aa (>= 1 2)", "no ')'"}, {"aa (>= 1(2))", "no ')'"},
		{"aa (>= 1-)", "bad version"}, {"aa (>= :1)", "bad version"},
		{"aa (>= 1:)", "bad version"}, {"aa (>= 1_2)", "bad version"},
		{"aa (>= 2147483648:1)", "bad version"},
		{"aa (>= 1-1_1)", "bad version"}, {"aa (>= -1)", "bad ver"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		assert_bad("Depends", bad[i].value, bad[i].part);
	assert_bad("Conflicts", "aa | bb", "alternatives are not allowed: "
	    "'| bb'");
	assert_bad("Provides", "aa | bb", "alternatives");
	assert_bad("Provides", "aa (>= 1)", "only '=' is allowed, not '>='");
	assert_bad("Provides", "", "field Provides: ");
	assert_bad("Static-Built-Using", "aa (<< 1)", "only '='");
}

static void
other_fields(void **state)
{
	(void)state;
	assert_good("Essential", "Yes");
	assert_bad("Essential", "true", "field Essential: 'true' is none of: "
	    "yes no");
	assert_good("Multi-Arch", "same");
	assert_bad("Multi-Arch", "Same", "none of: no same foreign allowed");
	assert_good("Priority", "Optional");
	assert_good("Priority", "high");
	assert_bad("Priority", "optional x", "none of: required");
	assert_good("Source", "src (1:1-1)");
	assert_good("Source", "");
	assert_bad("Source", "src (x)", "bad version 'x'");
	assert_bad("Source", "src (= 1)", "bad version '='");
	assert_bad("Source", "a b", "unexpected 'b'");
	assert_bad("Source", "(1)", "bad name of a source package ''");
	assert_bad("Source", "src (1) x", "unexpected");
	assert_bad("Source", "src (1", "unexpected");
	assert_bad("Status", "", "Status, which belongs to dpkg's database");
	assert_bad("SIZE", "1", "Size, which belongs to an index");
	assert_bad("Package_Revision", "1", "is obsolete");
	assert_bad("X", "1", "two letters");
	assert_good("X-Anything", "at all | (");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relations_that_are_right),
		cmocka_unit_test(relations_that_are_wrong),
		cmocka_unit_test(other_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
