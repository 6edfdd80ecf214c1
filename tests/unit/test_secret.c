/*
 * lib/secret.h.
 */
#include "tests/unit/support.h"

#include <sys/resource.h>

#include "lib/mem.h"
#include "lib/secret.h"

static void
put_secret(const char *text, size_t n, mode_t mode)
{
	put("x", text, n);
	assert_int_equal(chmod("x", mode), 0);
}

static void
reads_a_private_file(void **state)
{
	static const mode_t modes[] = {0600, 0400, 0700};
	struct secret s = SECRET_INIT;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	secret_clear(&s);
	for (i = 0; i < COUNT(modes); i++) {
		put_secret("sesame\n", 7, modes[i]);
		assert_ok(secret_read_file(&s, "x", &e), e);
		assert_int_equal(s.n, 7);
		assert_string_equal(s.p, "sesame\n");
		run("rm -f x");
	}
	/* what was there goes */
	put_secret("other", 5, 0600);
	assert_ok(secret_read_file(&s, "x", &e), e);
	assert_string_equal(s.p, "other");
	secret_clear(&s);
	assert_null(s.p);
	assert_int_equal(s.n, 0);
	secret_clear(&s);
}

static void
refuses_a_file_that_others_can_read(void **state)
{
	static const mode_t modes[] = {
		0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666, 0777,
	};
	struct secret s = SECRET_INIT;
	char wanted[64];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(modes); i++) {
		put_secret("sesame\n", 7, modes[i]);
		snprintf(wanted, sizeof(wanted),
		    "open to others (mode %03o): chmod 600 'x'",
		    (unsigned)modes[i]);
		assert_fails(secret_read_file(&s, "x", &e), e, ERR_REFUSED,
		    wanted);
		assert_null(s.p);
		assert_null(strstr(e.text, "sesame"));
	}
	if (geteuid() != 0)
		return;
	put_secret("sesame\n", 7, 0600);
	assert_int_equal(chown("x", 65534, (gid_t)-1), 0);
	assert_fails(secret_read_file(&s, "x", &e), e, ERR_REFUSED,
	    "belongs to another user");
	run("rm -f x");
}

static void
refuses_what_is_no_file(void **state)
{
	struct secret s = SECRET_INIT;
	struct err e;

	(void)state;
	assert_fails(secret_read_file(&s, "no", &e), e, ERR_MISSING, "'no'");
	assert_fails(secret_read_file(&s, ".", &e), e, ERR_MISSING,
	    "is a directory");
	assert_fails(secret_read_file(&s, "", &e), e, ERR_MISSING, "");
	assert_null(s.p);
}

static void
reads_a_pipe(void **state)
{
	struct secret s = SECRET_INIT;
	struct err e = ERR_INIT;
	int ends[2];
	char path[32];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "token", 5), 5);
	close(ends[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_ok(secret_read_file(&s, path, &e), e);
	assert_string_equal(s.p, "token");
	secret_clear(&s);
	close(ends[0]);
}

static void
empty_and_largest(void **state)
{
	char *data = mem_zero(SECRET_LIMIT, 1);
	struct secret s = SECRET_INIT;
	struct err e = ERR_INIT;

	(void)state;
	put_secret("", 0, 0600);
	assert_ok(secret_read_file(&s, "x", &e), e);
	assert_int_equal(s.n, 0);
	assert_string_equal(s.p, "");
	secret_trim_newline(&s);
	assert_int_equal(s.n, 0);
	memset(data, 'x', SECRET_LIMIT);
	put_secret(data, SECRET_LIMIT - 1, 0600);
	assert_ok(secret_read_file(&s, "x", &e), e);
	assert_int_equal(s.n, SECRET_LIMIT - 1);
	assert_int_equal(strlen(s.p), SECRET_LIMIT - 1);
	put_secret(data, SECRET_LIMIT, 0600);
	assert_fails(secret_read_file(&s, "x", &e), e, ERR_DATA,
	    "larger than 262143 bytes");
	assert_null(s.p);
	free(data);
}

static void
one_newline_is_cut_off(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{"a\n", "a"}, {"a\n\n", "a\n"}, {"a\r\n", "a"}, {"\n", ""},
		{"\r\n", ""}, {"a", "a"}, {" a \n", " a "}, {"a\nb", "a\nb"},
	};
	struct secret s = SECRET_INIT;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	secret_trim_newline(&s);
	for (i = 0; i < COUNT(cases); i++) {
		put_secret(cases[i].text, strlen(cases[i].text), 0600);
		assert_ok(secret_read_file(&s, "x", &e), e);
		secret_trim_newline(&s);
		assert_int_equal(s.n, strlen(cases[i].wanted));
		assert_string_equal(s.p, cases[i].wanted);
	}
	put_secret("a\0b\n", 4, 0600);
	assert_ok(secret_read_file(&s, "x", &e), e);
	secret_trim_newline(&s);
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b\0", 4);
	secret_clear(&s);
}

/* The flags of the pages, as the kernel tells them: "dd" is do not dump. */
static void
pages_are_left_out_of_core_dumps(void **state)
{
	struct secret s = SECRET_INIT;
	struct err e = ERR_INIT;
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	unsigned long from, to;
	bool is_ours = false, is_seen = false;

	(void)state;
	assert_non_null(f);
	put_secret("sesame", 6, 0600);
	assert_ok(secret_read_file(&s, "x", &e), e);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			is_ours = (uintptr_t)s.p >= from &&
			    (uintptr_t)s.p < to;
		if (is_ours && strncmp(line, "VmFlags:", 8) == 0) {
			is_seen = true;
			assert_non_null(strstr(line, " dd"));
		}
	}
	fclose(f);
	assert_true(is_seen);
	secret_clear(&s);
}

static int
harden(void *arg)
{
	struct rlimit core;

	(void)arg;
	setenv("CI_JOB_TOKEN", "secret", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	setenv("LD_PRELOAD", "", 1);
	setenv("PATHS", "x", 1);
	setenv("LC_ALL", "C", 1);
	setenv("HOME", "/home/me", 1);
	secret_harden_process();
	if (getenv("CI_JOB_TOKEN") || getenv("AWS_SECRET_ACCESS_KEY") ||
	    getenv("LD_PRELOAD") || getenv("PATHS"))
		return 1;
	if (!getenv("HOME") || !getenv("PATH") || !getenv("LC_ALL"))
		return 2;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return 3;
	return 0;
}

static void
a_hardened_process_has_little_environment(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_private_file),
		cmocka_unit_test(refuses_a_file_that_others_can_read),
		cmocka_unit_test(refuses_what_is_no_file),
		cmocka_unit_test(reads_a_pipe),
		cmocka_unit_test(empty_and_largest),
		cmocka_unit_test(one_newline_is_cut_off),
		cmocka_unit_test(pages_are_left_out_of_core_dumps),
		cmocka_unit_test(a_hardened_process_has_little_environment),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
