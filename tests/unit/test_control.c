/*
 * lib/deb/control.h: deb822 text, and versions with dpkg as the judge.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/deb/control.h"

/* ---------------------------------------------------------------- fields */

static int
next(const char **p, const char *end, struct field *f, struct err *e)
{
	*e = (struct err)ERR_INIT;
	return control_next(p, end, f, e);
}

static void
check_field(const struct field *f, const char *name, const char *value)
{
	assert_true(field_is(f, name));
	assert_int_equal(f->value_n, strlen(value));
	assert_memory_equal(f->value, value, f->value_n);
}

static void
reads_fields(void **state)
{
	static const char text[] = "Package: aa\nEmpty:\nTight:x\n"
	    "Tabs:\t y \nLong: one\n two\n\tthree\nFolded:\n a\n\nNext: z\n";
	const char *p = text, *end = text + sizeof(text) - 1;
	struct field f;
	struct err e;

	(void)state;
	assert_int_equal(next(&p, end, &f, &e), 1);
	check_field(&f, "package", "aa");
	assert_false(field_is(&f, "Packag"));
	assert_false(field_is(&f, "Package:"));
	assert_int_equal(next(&p, end, &f, &e), 1);
	check_field(&f, "Empty", "");
	assert_int_equal(next(&p, end, &f, &e), 1);
	check_field(&f, "Tight", "x");
	assert_int_equal(next(&p, end, &f, &e), 1);
	check_field(&f, "Tabs", "y");
	assert_int_equal(next(&p, end, &f, &e), 1);
	check_field(&f, "Long", "one\n two\n\tthree");
	assert_int_equal(next(&p, end, &f, &e), 1);
	check_field(&f, "Folded", "\n a");
	assert_int_equal(next(&p, end, &f, &e), 0);
	assert_int_equal(*p, '\n');
	assert_int_equal(next(&p, end, &f, &e), 0);
	p++;
	assert_int_equal(next(&p, end, &f, &e), 1);
	check_field(&f, "Next", "z");
	assert_int_equal(next(&p, end, &f, &e), 0);
	assert_ptr_equal(p, end);
}

static void
values_may_hold_colons(void **state)
{
	static const char text[] = "Homepage: https://example.org:1/a";
	const char *p = text, *end = text + sizeof(text) - 1;
	struct field f;
	struct err e;

	(void)state;
	assert_int_equal(next(&p, end, &f, &e), 1);
	check_field(&f, "Homepage", "https://example.org:1/a");
	assert_ptr_equal(p, end);
}

static void
refuses_malformed_lines(void **state)
{
	static const char *const lines[] = {
		"no field", "no field\nA: b\n", ": x", "-: x", "-a: x", "#a: x",
		" a: x", "\ta: x", "a b: x", "a\tb: x", "\x80: x", "a\x7f: x",
		"a\x01: x", "word\n: x",
	};
	struct field f;
	struct err e;
	const char *p;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lines); i++) {
		p = lines[i];
		if (next(&p, lines[i] + strlen(lines[i]), &f, &e) != -1)
			fail_msg("'%s' is taken for a field", lines[i]);
		assert_int_equal(e.kind, ERR_DATA);
	}
}

/* Texts end where they end, not at a NUL. */
static void
every_beginning_of_a_text_is_safe_to_read(void **state)
{
	static const char text[] = "A: b\n c\n\nD:\n e\nF: g\n\n\n";
	const char *p, *from, *to;
	struct field f;
	struct err e;
	size_t n;
	char *copy;

	(void)state;
	for (n = 0; n < sizeof(text); n++) {
		copy = malloc(n ? n : 1);
		memcpy(copy, text, n);
		p = copy;
		while (control_next_stanza(&p, copy + n, &from, &to)) {
			assert_true(from < to && to <= copy + n);
			while (next(&from, to, &f, &e) > 0)
				assert_true(f.value + f.value_n <= copy + n);
		}
		assert_true(p <= copy + n);
		free(copy);
	}
}

static void
reads_stanzas(void **state)
{
	static const char text[] = "\n\nA: b\nC: d\n\n\n\nE: f\n g\n\nH: i";
	const char *p = text, *end = text + sizeof(text) - 1, *from, *to;

	(void)state;
	assert_true(control_next_stanza(&p, end, &from, &to));
	assert_int_equal(to - from, 10);
	assert_memory_equal(from, "A: b\nC: d\n", 10);
	assert_true(control_next_stanza(&p, end, &from, &to));
	assert_memory_equal(from, "E: f\n g\n", (size_t)(to - from));
	assert_true(control_next_stanza(&p, end, &from, &to));
	assert_int_equal(to - from, 4);
	assert_ptr_equal(to, end);
	assert_false(control_next_stanza(&p, end, &from, &to));
	p = text;
	assert_false(control_next_stanza(&p, text, &from, &to));
	assert_false(control_next_stanza(&p, text + 2, &from, &to));
}

static void
gets_one_field(void **state)
{
	static const char text[] = "A: b\nLong: c\n d\nA: second\n\nX: y\n";
	const char *end = text + sizeof(text) - 1;
	char *value;

	(void)state;
	value = control_get(text, end, "a");
	assert_string_equal(value, "b");
	free(value);
	value = control_get(text, end, "LONG");
	assert_string_equal(value, "c\n d");
	free(value);
	assert_null(control_get(text, end, "X"));
	assert_null(control_get(text, text, "A"));
	assert_null(control_get(text, end, ""));
}

static void
a_long_text_is_read(void **state)
{
	struct buf text = BUF_INIT;
	struct field f;
	struct err e;
	const char *p;
	int i, n = 0;

	(void)state;
	for (i = 0; i < 100000; i++)
		buf_addf(&text, "Field-%d: %d\n continued\n", i, i);
	p = text.p;
	while (next(&p, text.p + text.n, &f, &e) > 0)
		n++;
	assert_int_equal(n, 100000);
	assert_ptr_equal(p, text.p + text.n);
	buf_clear(&text);
}

/* ----------------------------------------------------------------- names */

static void
package_names(void **state)
{
	static const char *const good[] = {
		"aa", "a0", "0ad", "lib+x-y.z", "g++", "a.",
	};
	static const char *const bad[] = {
		"", "a", "A", "Aa", "aA", "-a", ".a", "+a", "a_b", "a/b",
		"a b", "a\n", "../a", "a:b", "\xc3\xa4", "a\x80",
	};
	char name[130];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (!control_is_package(good[i]))
			fail_msg("'%s' is refused", good[i]);
	for (i = 0; i < COUNT(bad); i++)
		if (control_is_package(bad[i]))
			fail_msg("'%s' is accepted", bad[i]);
	memset(name, 'a', sizeof(name));
	name[128] = '\0';
	assert_true(control_is_package(name));
	name[128] = 'a';
	name[129] = '\0';
	assert_false(control_is_package(name));
}

static void
architecture_names(void **state)
{
	static const char *const good[] = {
		"all", "amd64", "arm64", "kfreebsd-amd64", "i386",
	};
	static const char *const bad[] = {
		"", "-a", "Amd64", "a_b", "a/b", "a b", "a.b", "../a",
		"012345678901234567890123456789012",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (!control_is_architecture(good[i]))
			fail_msg("'%s' is refused", good[i]);
	for (i = 0; i < COUNT(bad); i++)
		if (control_is_architecture(bad[i]))
			fail_msg("'%s' is accepted", bad[i]);
	assert_true(control_is_architecture(
	    "01234567890123456789012345678901"));
}

/* -------------------------------------------------------------- versions */

static bool
dpkg(const char *a, const char *operator, const char *b)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		if (b != NULL)
			execlp("dpkg", "dpkg", "--compare-versions", a,
			    operator, b, NULL);
		else
			execlp("dpkg", "dpkg", "--validate-version", a, NULL);
		_exit(9);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 2);
	return WEXITSTATUS(status) == 0;
}

static const char *const versions[] = {
	"0", "00", "0:0", "0-0", "0.0", "1", "1.0", "1.00", "1.0-0", "1.0-1",
	"1.0-1+b1", "1.0-1~bpo12+1", "1.0-10", "1.0-9", "1.0~rc1-1",
	"1.0~rc1", "1.0~", "1.0~~", "1.0~~a", "1.0a", "1.0+", "1.0.",
	"1.0-", "1.0+git20260101.abcdef-1", "1:0.1", "2:0", "10:1",
	"1.0-1-2", "1.0--1", "0.3.4", "0.3.10", "0.3.4-nightly",
	"1a1", "1aa", "1A", "1z", "1.0-1.1", "1.0.1-1", "1-1a", "1-1-",
	"123456789012345678901234567890", "123456789012345678901234567891",
	"000123", "123", "1.001", "1.1", "1.0-~",
};

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

static void
versions_compare_as_dpkg_does(void **state)
{
	const char *a, *b;
	size_t i, k;
	int ours, theirs;

	(void)state;
	for (i = 0; i < COUNT(versions); i++)
		for (k = i; k < COUNT(versions); k++) {
			a = versions[i];
			b = versions[k];
			if (!control_is_version(a) || !control_is_version(b))
				continue;
			ours = sign(control_compare_versions(a, b));
			assert_int_equal(ours,
			    -sign(control_compare_versions(b, a)));
			/* one question is enough where dpkg agrees */
			if (dpkg(a, ours < 0 ? "lt" : ours > 0 ? "gt" : "eq",
			    b))
				continue;
			theirs = dpkg(a, "lt", b) ? -1 : dpkg(a, "gt", b);
			fail_msg("'%s' and '%s': %d, dpkg says %d", a, b,
			    ours, theirs);
		}
}

static void
what_is_a_version_is_one_for_dpkg(void **state)
{
	static const char *const more[] = {
		"", "a", ":1", "1:", "a:1", "-1", "1 ", " 1", "1/2", "1_2",
		"1:2:3", "1\n", "~1", "1\xc3\xa4", "999999999:1",
		"2147483648:1", "-1:1", "1:-1", "1-a_b", "1.0-1:2",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(versions); i++)
		if (control_is_version(versions[i]) !=
		    dpkg(versions[i], NULL, NULL))
			fail_msg("'%s': dpkg does not agree", versions[i]);
	for (i = 0; i < COUNT(more); i++)
		if (control_is_version(more[i]) && !dpkg(more[i], NULL, NULL))
			fail_msg("'%s': dpkg does not agree", more[i]);
}

static void
versions_that_are_not_safe_are_none(void **state)
{
	static const char *const bad[] = {
		"", "a1", "1/2", "../1", "1 2", "1_2", "1:", ":1", "x:1",
		"1:a", "1:2:3", "1-", "1.0\n", "1\t", "1:-1",
		"1234567890:1",
	};
	char text[140];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		if (control_is_version(bad[i]))
			fail_msg("'%s' is accepted", bad[i]);
	memset(text, '1', sizeof(text));
	text[128] = '\0';
	assert_true(control_is_version(text));
	text[128] = '1';
	text[129] = '\0';
	assert_false(control_is_version(text));
	assert_true(control_is_version("123456789:1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fields),
		cmocka_unit_test(values_may_hold_colons),
		cmocka_unit_test(refuses_malformed_lines),
		cmocka_unit_test(every_beginning_of_a_text_is_safe_to_read),
		cmocka_unit_test(reads_stanzas),
		cmocka_unit_test(gets_one_field),
		cmocka_unit_test(a_long_text_is_read),
		cmocka_unit_test(package_names),
		cmocka_unit_test(architecture_names),
		cmocka_unit_test(versions_compare_as_dpkg_does),
		cmocka_unit_test(what_is_a_version_is_one_for_dpkg),
		cmocka_unit_test(versions_that_are_not_safe_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
