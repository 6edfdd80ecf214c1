/*
 * lib/base/path.h.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/base/path.h"

static const char *const good_names[] = {
	"a", "A", "0", "a.b", "a..", "a-", "_a", "~a", "+a", "^a", ":", "@",
	",", "%3a", "=", "veilid-server_0.3.4-1~rc1+b1_amd64.deb",
};

static const char *const bad_names[] = {
	"", ".", "..", "...", ".a", "-", "-a", "--help", "a b", " a", "a ",
	"a\tb", "a\nb", "a\\b", "a'b", "a\"b", "a*b", "a?b", "a[b", "a$b",
	"a`b", "a;b", "a|b", "a&b", "a<b", "a>b", "a(b", "a{b", "a!b", "a#b",
	"\x7f", "a\x80", "\xc3\xa4", "\x01", "a\x1b[2J",
};

static void
names(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good_names); i++)
		if (!path_is_name(good_names[i]) ||
		    !path_is_safe(good_names[i]))
			fail_msg("'%s' is refused", good_names[i]);
	for (i = 0; i < COUNT(bad_names); i++)
		if (path_is_name(bad_names[i]) || path_is_safe(bad_names[i]))
			fail_msg("'%s' is accepted", bad_names[i]);
	assert_false(path_is_name("a/b"));
}

/* Each name as a component: at the begin, in the middle, at the end. */
static void
components(void **state)
{
	char *path;
	size_t i, k;

	(void)state;
	for (k = 0; k < 4; k++) {
		for (i = 0; i < COUNT(good_names) + COUNT(bad_names); i++) {
			bool is_good = i < COUNT(good_names);
			const char *name = is_good ? good_names[i] :
			    bad_names[i - COUNT(good_names)];

			path = k == 0 ? mem_format("%s/b", name) :
			    k == 1 ? mem_format("b/%s/b", name) :
			    k == 2 ? mem_format("b/%s", name) :
			    mem_format("%s/%s", name, name);
			if (path_is_safe(path) != is_good)
				fail_msg("'%s'", path);
			assert_false(path_is_name(path));
			free(path);
		}
	}
	assert_false(path_is_safe("/"));
	assert_false(path_is_safe("//"));
	assert_false(path_is_safe("/etc/passwd"));
	assert_false(path_is_safe("a//b"));
	assert_false(path_is_safe("a/"));
	assert_false(path_is_safe("a/../../b"));
}

static void
every_byte(void **state)
{
	static const char plain[] = "._-+~^:@,%=/";
	char name[4] = "axa";
	bool wanted;
	int c;

	(void)state;
	for (c = 1; c < 256; c++) {
		name[1] = (char)c;
		wanted = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr(plain, c) != NULL;
		if (path_is_safe(name) != wanted)
			fail_msg("byte 0x%02x", (unsigned)c);
	}
}

static void
lengths(void **state)
{
	char path[PATH_LIMIT + 2];
	size_t i;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[255] = '\0';
	assert_true(path_is_name(path));
	path[255] = 'a';
	path[256] = '\0';
	assert_false(path_is_name(path));
	path[256] = 'a';
	for (i = 200; i < PATH_LIMIT; i += 200)
		path[i] = '/';
	path[PATH_LIMIT] = '\0';
	assert_true(path_is_safe(path));
	path[PATH_LIMIT] = 'a';
	path[PATH_LIMIT + 1] = '\0';
	assert_false(path_is_safe(path));
}

static void
parts_of_a_path(void **state)
{
	(void)state;
	assert_string_equal(path_base("a/b/c"), "c");
	assert_string_equal(path_base("c"), "c");
	assert_string_equal(path_base(""), "");
	assert_string_equal(path_base("a/"), "");
	assert_true(path_ends_with("x.deb", ".deb"));
	assert_true(path_ends_with(".deb", ".deb"));
	assert_true(path_ends_with("x", ""));
	assert_false(path_ends_with("deb", ".deb"));
	assert_false(path_ends_with("", "x"));
	assert_false(path_ends_with("x.deb.gz", ".deb"));
	assert_true(path_starts_with("pool/x", "pool/"));
	assert_true(path_starts_with("x", ""));
	assert_false(path_starts_with("", "x"));
	assert_false(path_starts_with("poo", "pool"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(components),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(lengths),
		cmocka_unit_test(parts_of_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
