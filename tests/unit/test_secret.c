/*
 * lib/sys/secret.h.
 */
#include "tests/unit/support.h"

#include <sys/resource.h>

#include "lib/base/mem.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/secret.h"

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

/* Status 0 where the signal, which came before the wait, ends it. */
static int
read_for_ever(void *arg)
{
	struct secret s = SECRET_INIT;
	struct err e = ERR_INIT;

	cleanup_start();
	raise(SIGTERM);
	if (secret_read_file(&s, arg, &e) == 0)
		return 1;
	return e.kind == ERR_SIGNAL && s.p == NULL ? 0 : 2;
}

/* One that has no writer yet, and one whose writer never closes it. */
static void
a_signal_ends_the_wait_for_a_pipe(void **state)
{
	char path[32];
	int ends[2];

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(in_child(read_for_ever, (void *)"fifo"), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "half", 4), 4);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_int_equal(in_child(read_for_ever, path), 0);
	close(ends[0]);
	close(ends[1]);
}

/* Its writer comes later, and in pieces. */
static void
a_fifo_is_waited_for(void **state)
{
	struct secret s = SECRET_INIT;
	struct err e = ERR_INIT;
	pid_t pid = fork();
	int fd;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		usleep(150000);
		fd = open("fifo", O_WRONLY | O_CLOEXEC);
		if (write(fd, "ses", 3) != 3)
			_exit(1);
		usleep(150000);
		_exit(write(fd, "ame", 3) != 3);
	}
	assert_ok(secret_read_file(&s, "fifo", &e), e);
	assert_string_equal(s.p, "sesame");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	secret_clear(&s);
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

/* Status 0, or the number of what is not so. */
static int
harden_without_descriptors(void *arg)
{
	char byte;
	int fd;

	(void)arg;
	close(0);
	close(1);
	close(2);
	secret_harden_process();
	fd = open(".", O_RDONLY | O_CLOEXEC);
	if (fd <= 2)
		return 1;
	if (read(0, &byte, 1) >= 0 || errno != EBADF)
		return 2;
	if (write(1, "x", 1) >= 0 || errno != EBADF)
		return 3;
	return write(2, "x", 1) >= 0 || errno != EBADF ? 4 : 0;
}

static int
harden_with_descriptors(void *arg)
{
	struct stat before[3], after;
	int fd;

	(void)arg;
	for (fd = 0; fd < 3; fd++)
		if (fstat(fd, &before[fd]) < 0)
			return 1;
	secret_harden_process();
	for (fd = 0; fd < 3; fd++)
		if (fstat(fd, &after) < 0 || after.st_ino != before[fd].st_ino)
			return 2;
	return 0;
}

static void
no_file_becomes_a_standard_descriptor(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden_without_descriptors, NULL), 0);
	assert_int_equal(in_child(harden_with_descriptors, NULL), 0);
}

/* What docker, podman and curl are told by, and what none of them reads. */
static int
harden_engines(void *arg)
{
	static const char *const kept[] = {
		"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
		"DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "CONTAINER_HOST",
		"CONTAINERS_CONF", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
		"XDG_RUNTIME_DIR", "all_proxy", "ALL_PROXY", "http_proxy",
		"https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY",
	};
	/* HTTP_PROXY is what a web server makes of a request's "Proxy:" */
	static const char *const gone[] = {
		"HTTP_PROXY", "DOCKER_AUTH_CONFIG", "CI_REGISTRY_PASSWORD",
	};
	size_t i;

	(void)arg;
	for (i = 0; i < COUNT(kept); i++)
		setenv(kept[i], "x", 1);
	for (i = 0; i < COUNT(gone); i++)
		setenv(gone[i], "x", 1);
	secret_harden_process();
	for (i = 0; i < COUNT(kept); i++)
		if (getenv(kept[i]) == NULL)
			return 1 + (int)i;
	for (i = 0; i < COUNT(gone); i++)
		if (getenv(gone[i]) != NULL)
			return 100 + (int)i;
	return 0;
}

static void
engines_find_what_they_are_told_by(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden_engines, NULL), 0);
}

static void
a_hardened_process_has_little_environment(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden, NULL), 0);
}

static void
joins_text_and_secret(void **state)
{
	char *text = mem_zero(SECRET_LIMIT + 1, 1);
	struct secret s = SECRET_INIT, tail = SECRET_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_ok(secret_join(&tail, "sesame", NULL, &e), e);
	assert_string_equal(tail.p, "sesame");
	assert_ok(secret_join(&s, "Bearer ", &tail, &e), e);
	assert_string_equal(s.p, "Bearer sesame");
	assert_int_equal(s.n, 13);
	/* what was there goes */
	assert_ok(secret_join(&s, "", NULL, &e), e);
	assert_int_equal(s.n, 0);
	assert_string_equal(s.p, "");
	memset(text, 'x', SECRET_LIMIT - 1);
	assert_ok(secret_join(&s, text, NULL, &e), e);
	assert_int_equal(strlen(s.p), SECRET_LIMIT - 1);
	assert_fails(secret_join(&s, text, &tail, &e), e, ERR_DATA,
	    "more than 262143 bytes");
	assert_null(s.p);
	text[SECRET_LIMIT - 1] = 'x';
	assert_fails(secret_join(&s, text, NULL, &e), e, ERR_DATA, "more");
	secret_clear(&tail);
	free(text);
}

/* --------------------------------------------------------- the environment */

/* Status 0, or the number of what is not so. */
static int
take_tokens(void *arg)
{
	struct secret s = SECRET_INIT;
	const char *before;
	size_t i;

	(void)arg;
	setenv("GITLAB_TOKEN", "glpat-1", 1);
	setenv("DIGITALOCEAN_ACCESS_TOKEN", "", 1);
	setenv("OTHER_TOKEN", "x", 1);
	setenv("GITLAB_TOKENS", "x", 1);
	before = getenv("GITLAB_TOKEN");
	if (secret_take_variable(&s, "GITLAB_TOKEN"))
		return 1;	/* before the hardening, it is not ours */
	secret_harden_process();
	if (getenv("GITLAB_TOKEN") != NULL)
		return 2;
	for (i = 0; i < 7; i++)
		if (before[i] != '\0')
			return 3;
	if (secret_take_variable(&s, "DIGITALOCEAN_ACCESS_TOKEN") ||
	    secret_take_variable(&s, "OTHER_TOKEN") ||
	    secret_take_variable(&s, "GITLAB_TOKENS") ||
	    secret_take_variable(&s, "") || s.p != NULL)
		return 4;
	if (!secret_take_variable(&s, "GITLAB_TOKEN") || s.n != 7 ||
	    strcmp(s.p, "glpat-1") != 0)
		return 5;
	if (secret_take_variable(&s, "GITLAB_TOKEN"))
		return 6;
	secret_clear(&s);
	return 0;
}

static void
tokens_are_taken_once(void **state)
{
	(void)state;
	assert_int_equal(in_child(take_tokens, NULL), 0);
}

/*
 * This program, begun anew with tokens in its environment: the kernel has put
 * them where /proc shows them. It is opened first: afterwards it is root's.
 */
static int
look_into_proc(void)
{
	int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
	static char text[65536];
	struct secret s = SECRET_INIT;
	ssize_t n;

	secret_harden_process();
	n = pread(fd, text, sizeof(text), 0);
	if (n <= 0 || memmem(text, (size_t)n, "GITLAB_TOKEN=", 13) == NULL)
		return 1;
	if (memmem(text, (size_t)n, "sesame", 6) != NULL)
		return 2;
	/* of two the first, as getenv(3) has it */
	if (!secret_take_variable(&s, "GITLAB_TOKEN") ||
	    strcmp(s.p, "sesame-1") != 0)
		return 3;
	secret_clear(&s);
	if (!secret_take_variable(&s, "DIGITALOCEAN_ACCESS_TOKEN") ||
	    strcmp(s.p, "sesame=2") != 0)
		return 4;
	secret_clear(&s);
	return 0;
}

static int
begin_anew(void *arg)
{
	static const char *const args[] = {"test_secret", "proc", NULL};
	static const char *const variables[] = {
		"GITLAB_TOKEN=sesame-1", "PATH=/usr/bin",
		"DIGITALOCEAN_ACCESS_TOKEN=sesame=2", "GITLAB_TOKEN=sesame-3",
		NULL,
	};

	(void)arg;
	execve("/proc/self/exe", (char *const *)(uintptr_t)args,
	    (char *const *)(uintptr_t)variables);
	return 9;
}

static void
proc_does_not_show_tokens(void **state)
{
	(void)state;
	assert_int_equal(in_child(begin_anew, NULL), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_private_file),
		cmocka_unit_test(refuses_a_file_that_others_can_read),
		cmocka_unit_test(refuses_what_is_no_file),
		cmocka_unit_test(reads_a_pipe),
		cmocka_unit_test(a_signal_ends_the_wait_for_a_pipe),
		cmocka_unit_test(a_fifo_is_waited_for),
		cmocka_unit_test(empty_and_largest),
		cmocka_unit_test(one_newline_is_cut_off),
		cmocka_unit_test(pages_are_left_out_of_core_dumps),
		cmocka_unit_test(a_hardened_process_has_little_environment),
		cmocka_unit_test(no_file_becomes_a_standard_descriptor),
		cmocka_unit_test(engines_find_what_they_are_told_by),
		cmocka_unit_test(joins_text_and_secret),
		cmocka_unit_test(tokens_are_taken_once),
		cmocka_unit_test(proc_does_not_show_tokens),
	};

	if (argc == 2 && strcmp(argv[1], "proc") == 0)
		return look_into_proc();

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
