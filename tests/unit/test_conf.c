/*
 * lib/frame/conf.h: the INI file, its mistakes, and overrides.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/frame/conf.h"

static const struct strv none = STRV_INIT;

static struct conf *
load(const char *text, struct err *e)
{
	*e = (struct err)ERR_INIT;
	put_str("x.conf", text);
	return conf_load("x.conf", &none, e);
}

static struct conf *
load_good(const char *text)
{
	struct err e;
	struct conf *c = load(text, &e);

	if (c == NULL)
		fail_msg("%s", e.text);
	return c;
}

static void
check_refused(const char *text, const char *part, int line)
{
	struct err e;
	struct conf *c = load(text, &e);

	if (c != NULL) {
		conf_free(c);
		print_error("accepted: %s\n", text);
		_fail(__FILE__, line);
	}
	check_err(&e, ERR_CONFIG, part, __FILE__, line);
}

#define assert_bad(text, part) check_refused(text, part, __LINE__)

static struct conf *
load_with(const char *override, struct err *e)
{
	struct strv overrides = STRV_INIT;
	struct conf *c;

	*e = (struct err)ERR_INIT;
	strv_add(&overrides, override);
	c = conf_load("x.conf", &overrides, e);
	strv_clear(&overrides);
	return c;
}

static void
check_override_refused(const char *text, const char *part, int line)
{
	struct err e;
	struct conf *c = load_with(text, &e);

	if (c != NULL) {
		conf_free(c);
		print_error("accepted: -o %s\n", text);
		_fail(__FILE__, line);
	}
	check_err(&e, ERR_CONFIG, part, __FILE__, line);
	check_err(&e, ERR_CONFIG, "-o '", __FILE__, line);
}

#define assert_bad_override(text, part) \
	check_override_refused(text, part, __LINE__)

/* ---------------------------------------------------------------- usual */

static void
reads_a_file(void **state)
{
	struct conf *c = load_good("# a comment\n; another\n"
	    "[release]\nbuilds = amd64-deb\npackages=a b\tc\n\n"
	    "[suite stable]\norigin = An Origin\nkeep = 7\n"
	    "valid-for = 14d\n[suite nightly]\ngrace=90\n"
	    "[repository]\r\nurl = https://packages.example.org/x\r\n"
	    "[deploy]\nkeep : 3\n");
	struct strv words = STRV_INIT;

	(void)state;
	assert_string_equal(conf_get(c, "suite stable", "origin"),
	    "An Origin");
	assert_string_equal(conf_get(c, "repository", "url"),
	    "https://packages.example.org/x");
	assert_int_equal(conf_number(c, "suite stable", "keep"), 7);
	assert_int_equal(conf_number(c, "deploy", "keep"), 3);
	assert_int_equal(conf_duration(c, "suite stable", "valid-for"),
	    14 * 86400);
	assert_int_equal(conf_duration(c, "suite nightly", "grace"), 90);
	conf_list(c, "release", "packages", &words);
	assert_int_equal(words.n, 3);
	assert_string_equal(words.v[2], "c");
	strv_clear(&words);
	conf_list(c, "release", "builds", &words);
	assert_int_equal(words.n, 1);
	strv_clear(&words);
	conf_names(c, "suite", &words);
	assert_int_equal(words.n, 2);
	assert_string_equal(words.v[0], "stable");
	assert_string_equal(words.v[1], "nightly");
	strv_clear(&words);
	conf_names(c, "suit", &words);
	conf_names(c, "machine", &words);
	assert_int_equal(words.n, 0);
	conf_free(c);
}

static void
defaults_stand_where_nothing_is_said(void **state)
{
	struct conf *c = load_good("");
	struct strv words = STRV_INIT;

	(void)state;
	assert_string_equal(conf_get(c, "deploy", "root"), "/srv");
	assert_string_equal(conf_get(c, "rpm", "builder"), "native");
	assert_null(conf_get(c, "deploy", "url"));
	assert_null(conf_path(c, "signing", "key-file"));
	assert_int_equal(conf_number(c, "suite any", "keep"), 5);
	assert_int_equal(conf_duration(c, "suite any", "grace"), 7 * 86400);
	assert_int_equal(conf_duration(c, "suite any", "valid-for"), 0);
	conf_list(c, "release", "builds", &words);
	assert_int_equal(words.n, 3);
	conf_list(c, "digitalocean", "ssh-keys", &words);
	assert_int_equal(words.n, 3);
	strv_clear(&words);
	conf_free(c);
	conf_free(NULL);
}

/* The schema's own defaults must have the form that it asks for. */
static void
defaults_are_well_formed(void **state)
{
	const struct conf_key *k;
	char *text, *section;
	struct conf *c;
	struct err e;

	(void)state;
	put_str("x.conf", "");
	for (k = conf_schema; k->section != NULL; k++) {
		if (k->value == NULL)
			continue;
		section = mem_dup(k->section);
		text = mem_format("%s.%s=%s", section, k->key, k->value);
		c = load_with(text, &e);
		if (c == NULL)
			fail_msg("%s", e.text);
		conf_free(c);
		free(text);
		free(section);
	}
}

static void
lists_continue_on_indented_lines(void **state)
{
	struct conf *c = load_good("[release]\npackages = a\n  b c\n\td\n"
	    "builds =\n  amd64-deb\n  arm64-deb\n");
	struct strv words = STRV_INIT;

	(void)state;
	conf_list(c, "release", "packages", &words);
	assert_int_equal(words.n, 4);
	assert_string_equal(words.v[3], "d");
	strv_clear(&words);
	conf_list(c, "release", "builds", &words);
	assert_int_equal(words.n, 2);
	assert_string_equal(words.v[0], "amd64-deb");
	strv_clear(&words);
	conf_free(c);
}

static void
home_is_put_in_place_of_the_tilde(void **state)
{
	struct conf *c = load_good("[deploy]\ntrusted-key = ~/k.asc\n"
	    "root = /srv/~x\n[signing]\nkey-file = ~other/k\n");
	char *path;

	(void)state;
	setenv("HOME", "/home/me", 1);
	path = conf_path(c, "deploy", "trusted-key");
	assert_string_equal(path, "/home/me/k.asc");
	free(path);
	path = conf_path(c, "deploy", "root");
	assert_string_equal(path, "/srv/~x");
	free(path);
	path = conf_path(c, "signing", "key-file");
	assert_string_equal(path, "~other/k");
	free(path);
	conf_free(c);
}

static void
overrides_win(void **state)
{
	struct conf *c;
	struct err e;

	(void)state;
	put_str("x.conf", "[deploy]\nkeep = 3\n[release]\nbuilds = a b\n");
	c = load_with("deploy.keep=9", &e);
	assert_non_null(c);
	assert_int_equal(conf_number(c, "deploy", "keep"), 9);
	conf_free(c);
	c = load_with("suite a.b.origin=x = y.z", &e);
	assert_non_null(c);
	assert_string_equal(conf_get(c, "suite a.b", "origin"), "x = y.z");
	conf_free(c);
	/* a list is replaced, not continued */
	c = load_with("release.builds=c", &e);
	assert_non_null(c);
	assert_string_equal(conf_get(c, "release", "builds"), "c");
	conf_free(c);
	c = load_with("release.builds=", &e);
	assert_non_null(c);
	assert_string_equal(conf_get(c, "release", "builds"), "");
	conf_free(c);
}

static void
a_needed_value_is_asked_for_by_name(void **state)
{
	struct conf *c = load_good("[suite s]\norigin = \n[deploy]\nkeep=1\n");
	struct err e = ERR_INIT;

	(void)state;
	assert_string_equal(conf_need(c, "deploy", "keep", &e), "1");
	assert_string_equal(conf_need(c, "deploy", "root", &e), "/srv");
	assert_null(conf_need(c, "deploy", "url", &e));
	check_err(&e, ERR_CONFIG, "[deploy] url is not set: set it in x.conf",
	    __FILE__, __LINE__);
	assert_null(conf_need(c, "suite s", "origin", &e));
	conf_free(c);
}

static void
the_file_is_looked_for(void **state)
{
	struct err e = ERR_INIT;
	struct conf *c;

	(void)state;
	put_str("named.conf", "[deploy]\nkeep = 11\n");
	put_str("x.conf", "[deploy]\nkeep = 12\n");
	run("mkdir -p home/.config");
	put_str("home/.config/veilid-cicd.conf", "[deploy]\nkeep = 13\n");
	setenv("VEILID_CICD_CONF", "named.conf", 1);
	setenv("HOME", scratch_path, 1);
	c = conf_load(NULL, &none, &e);
	assert_non_null(c);
	assert_int_equal(conf_number(c, "deploy", "keep"), 11);
	conf_free(c);
	c = conf_load("x.conf", &none, &e);
	assert_non_null(c);
	assert_int_equal(conf_number(c, "deploy", "keep"), 12);
	conf_free(c);
	setenv("VEILID_CICD_CONF", "not-there.conf", 1);
	assert_null(conf_load(NULL, &none, &e));
	check_err(&e, ERR_CONFIG, "not-there.conf", __FILE__, __LINE__);
	setenv("VEILID_CICD_CONF", "", 1);
	setenv("HOME", "home", 1);	/* relative: not taken */
	run("mv home/.config .");
	setenv("HOME", scratch_path, 1);
	c = conf_load(NULL, &none, &e);
	assert_non_null(c);
	assert_int_equal(conf_number(c, "deploy", "keep"), 13);
	conf_free(c);
	unsetenv("VEILID_CICD_CONF");
}

/* -------------------------------------------------------------- mistakes */

static void
unknown_names_are_errors_with_file_and_line(void **state)
{
	(void)state;
	assert_bad("[deploy]\nkeep = 3\n\n[deplay]\nkeep = 1\n",
	    "x.conf:4: unknown section [deplay]: did you mean [deploy]?");
	assert_bad("[deploy]\nkep = 3\n",
	    "x.conf:2: unknown key 'kep' in [deploy]: did you mean 'keep'?");
	assert_bad("keep = 3\n", "x.conf:1: unknown section []");
	assert_bad("[suite]\nkeep = 1\n", "unknown section [suite]");
	assert_bad("[suite ]\nkeep = 1\n", "unknown section");
	assert_bad("[suite ../x]\nkeep = 1\n", "unknown section");
	assert_bad("[suite a b]\nkeep = 1\n", "unknown section");
	assert_bad("[suite a/b]\nkeep = 1\n", "unknown section");
	assert_bad("[Deploy]\nkeep = 1\n", "unknown section [Deploy]");
	assert_bad("[deploy]\nKeep = 1\n", "unknown key 'Keep'");
}

static void
lines_in_no_form_are_errors(void **state)
{
	(void)state;
	assert_bad("[deploy]\nkeep 3\n", "x.conf:2:");
	assert_bad("[deploy\nkeep = 3\n", "x.conf:1:");
	assert_bad("hello\n", "x.conf:1:");
	assert_bad("[deploy]\nkeep = 3\nhello\n", "x.conf:3:");
}

static void
a_key_stands_once(void **state)
{
	(void)state;
	assert_bad("[deploy]\nkeep = 3\nkeep = 4\n",
	    "x.conf:3: 'keep' in [deploy] is already set in line 2");
	assert_bad("[deploy]\nkeep = 3\n[rpm]\nbuilder = native\n[deploy]\n"
	    "keep = 3\n", "x.conf:6:");
	assert_bad("[deploy]\nkeep = 3\n  4\n", "x.conf:3:");
}

static void
values_have_the_form_of_their_type(void **state)
{
	(void)state;
	assert_bad("[deploy]\nkeep =\n", "must be a number");
	assert_bad("[deploy]\nkeep = -1\n", "must be a number");
	assert_bad("[deploy]\nkeep = 1.5\n", "must be a number");
	assert_bad("[deploy]\nkeep = 0x10\n", "must be a number");
	assert_bad("[deploy]\nkeep = 1234567890\n", "must be a number");
	assert_bad("[suite a]\ngrace = 7 d\n", "must be a time");
	assert_bad("[suite a]\ngrace = \n", "must be a time");
	assert_bad("[deploy]\nroot = /srv/a b\n", "must be one word");
	assert_bad("[deploy]\nroot = \n", "must be one word");
	assert_bad("[repository]\nprefix = a b\n", "must be one word");
	assert_bad("[repository]\nurl = ftp://x\n", "must be a URL");
	assert_bad("[repository]\nurl = x\n", "must be a URL");
	assert_bad("[repository]\nurl = https://user:word@x\n",
	    "must be a URL");
	assert_bad("[rpm]\nbuilder = vm\n", "must be native container");
	assert_bad("[rpm]\nbuilder = native container\n", "must be native");
	assert_bad("[rpm]\nbuilder = \n", "must be native container");
	conf_free(load_good("[deploy]\nkeep = 999999999\n"));
	conf_free(load_good("[deploy]\nkeep = 0\n"));
}

static void
overrides_are_checked_too(void **state)
{
	(void)state;
	put_str("x.conf", "");
	assert_bad_override("", "must be SECTION.KEY=VALUE");
	assert_bad_override("deploy", "must be SECTION.KEY=VALUE");
	assert_bad_override("deploy.keep", "must be SECTION.KEY=VALUE");
	assert_bad_override("keep=3", "must be SECTION.KEY=VALUE");
	assert_bad_override("keep=3.4", "must be SECTION.KEY=VALUE");
	assert_bad_override("deploy.keep=x", "must be a number");
	assert_bad_override("deploy.kep=3", "unknown key 'kep'");
	assert_bad_override("deplay.keep=3", "unknown section [deplay]");
	assert_bad_override(".keep=3", "unknown section []");
	assert_bad_override("deploy.=3", "unknown key ''");
	assert_bad_override("suite.keep=3", "unknown section [suite]");
}

/* ------------------------------------------------------- largest, hostile */

static void
lines_are_bounded(void **state)
{
	char text[512], line[256];
	struct conf *c;

	(void)state;
	/* 198 bytes and the newline */
	memset(line, 'x', sizeof(line));
	memcpy(line, "origin=", 7);
	line[198] = '\0';
	snprintf(text, sizeof(text), "[suite s]\n%s\n", line);
	c = load_good(text);
	assert_int_equal(strlen(conf_get(c, "suite s", "origin")), 191);
	conf_free(c);
	line[198] = 'x';
	line[199] = '\0';
	snprintf(text, sizeof(text), "[suite s]\n%s\n", line);
	assert_bad(text, "x.conf:2: the line is longer than 198 bytes");
	/* the end of the file leaves room for one byte more */
	snprintf(text, sizeof(text), "[suite s]\n%s", line);
	c = load_good(text);
	assert_int_equal(strlen(conf_get(c, "suite s", "origin")), 192);
	conf_free(c);
}

static void
long_section_names_are_not_cut(void **state)
{
	struct strv names = STRV_INIT;
	char text[256], name[101];
	struct conf *c;
	struct err e;
	size_t n;

	(void)state;
	for (n = 1; n <= 100; n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		snprintf(text, sizeof(text), "[suite %s]\nkeep = 1\n", name);
		c = load(text, &e);
		if (c == NULL) {
			check_err(&e, ERR_CONFIG, "x.conf:", __FILE__,
			    __LINE__);
			continue;
		}
		conf_names(c, "suite", &names);
		assert_int_equal(names.n, 1);
		assert_string_equal(names.v[0], name);
		strv_clear(&names);
		conf_free(c);
	}
}

static void
long_lists_are_read_whole(void **state)
{
	struct buf text = BUF_INIT;
	struct strv words = STRV_INIT;
	struct conf *c;
	int i;

	(void)state;
	buf_str(&text, "[release]\npackages =\n");
	for (i = 0; i < 1000; i++)
		buf_addf(&text, "  package-%d\n", i);
	c = load_good(text.p);
	conf_list(c, "release", "packages", &words);
	assert_int_equal(words.n, 1000);
	assert_string_equal(words.v[999], "package-999");
	strv_clear(&words);
	conf_free(c);
	buf_clear(&text);
}

static void
a_file_that_cannot_be_read_is_an_error(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_null(conf_load("not-there.conf", &none, &e));
	check_err(&e, ERR_CONFIG, "open configuration 'not-there.conf'",
	    __FILE__, __LINE__);
}

/* fopen opens a directory; it is the reading that fails. */
static void
a_directory_is_no_empty_configuration(void **state)
{
	struct err e = ERR_INIT;
	struct conf *c;

	(void)state;
	run("mkdir -p dir.conf");
	c = conf_load("dir.conf", &none, &e);
	conf_free(c);
	assert_null(c);
	check_err(&e, ERR_CONFIG, "read configuration 'dir.conf': Is a "
	    "directory", __FILE__, __LINE__);
}

static void
odd_bytes_do_no_harm(void **state)
{
	struct err e = ERR_INIT;
	struct conf *c;
	char text[4];
	int i, k;

	(void)state;
	for (i = 0; i < 256; i++)
		for (k = 0; k < 4; k++) {
			memcpy(text, "[a\n", 4);
			text[k] = (char)i;
			put("x.conf", text, 4);
			c = conf_load("x.conf", &none, &e);
			conf_free(c);
		}
}

/* ------------------------------------------------------------- durations */

static void
durations(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = {
		{"0", 0}, {"90", 90}, {"90s", 90}, {"15m", 900},
		{"6h", 21600}, {"7d", 604800}, {"2w", 1209600},
		{"999999999", 999999999}, {"007", 7},
		{"999999999w", 999999999LL * 604800},
	};
	static const char *const bad[] = {
		"", "s", "-1", "+1", " 1", "1 ", "1 d", "1y", "1D", "1.5h",
		"1h30m", "1000000000", "99999999999999999999", "0x1", "1\n",
	};
	int64_t seconds;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		assert_true(conf_parse_duration(good[i].text, &seconds));
		assert_true(seconds == good[i].seconds);
	}
	for (i = 0; i < COUNT(bad); i++)
		if (conf_parse_duration(bad[i], &seconds))
			fail_msg("'%s' is accepted", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_file),
		cmocka_unit_test(defaults_stand_where_nothing_is_said),
		cmocka_unit_test(defaults_are_well_formed),
		cmocka_unit_test(lists_continue_on_indented_lines),
		cmocka_unit_test(home_is_put_in_place_of_the_tilde),
		cmocka_unit_test(overrides_win),
		cmocka_unit_test(a_needed_value_is_asked_for_by_name),
		cmocka_unit_test(the_file_is_looked_for),
		cmocka_unit_test(unknown_names_are_errors_with_file_and_line),
		cmocka_unit_test(lines_in_no_form_are_errors),
		cmocka_unit_test(a_key_stands_once),
		cmocka_unit_test(values_have_the_form_of_their_type),
		cmocka_unit_test(overrides_are_checked_too),
		cmocka_unit_test(lines_are_bounded),
		cmocka_unit_test(long_section_names_are_not_cut),
		cmocka_unit_test(long_lists_are_read_whole),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(a_directory_is_no_empty_configuration),
		cmocka_unit_test(odd_bytes_do_no_harm),
		cmocka_unit_test(durations),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
