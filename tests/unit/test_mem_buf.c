/*
 * lib/base/mem.h and lib/base/buf.h.
 */
#include "tests/unit/support.h"

#include <sys/resource.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"

/* malloc answers NULL, as it does without the sanitizers. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static volatile size_t huge = SIZE_MAX / 4;

/* ------------------------------------------------------------------- mem */

static void
memory_of_no_size_is_memory(void **state)
{
	char *p = mem_alloc(0), *q = mem_zero(0, 8);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	p = mem_resize(p, 0, 0);
	assert_non_null(p);
	free(p);
	free(q);
}

static void
copies_and_formats(void **state)
{
	char *p;

	(void)state;
	p = mem_dup("");
	assert_string_equal(p, "");
	free(p);
	p = mem_dupn("abc", 2);
	assert_string_equal(p, "ab");
	free(p);
	p = mem_dupn(NULL, 0);
	assert_string_equal(p, "");
	free(p);
	p = mem_format("%s-%05d", "x", 42);
	assert_string_equal(p, "x-00042");
	free(p);
	p = mem_format("%0*d", 100000, 7);
	assert_int_equal(strlen(p), 100000);
	free(p);
	p = mem_zero(1000, 7);
	assert_int_equal(p[6999], 0);
	free(p);
}

static void
capacity_doubles(void **state)
{
	(void)state;
	assert_int_equal(mem_grow(0, 1), 16);
	assert_int_equal(mem_grow(16, 17), 32);
	assert_int_equal(mem_grow(16, 16), 16);
	assert_int_equal(mem_grow(3, 1000), 1536);
	assert_true(mem_grow(1, (size_t)1 << 62) >= (size_t)1 << 62);
}

static int
alloc_too_much(void *arg)
{
	(void)arg;
	free(mem_alloc(huge));
	return 0;
}

static int
zero_too_much(void *arg)
{
	(void)arg;
	free(mem_zero(huge, 3));
	return 0;
}

/* The product is more than a size_t: it must not wrap to a little. */
static int
resize_too_much(void *arg)
{
	(void)arg;
	free(mem_resize(NULL, huge, 8));
	return 0;
}

static int
grow_too_much(void *arg)
{
	(void)arg;
	return (int)(mem_grow(16, SIZE_MAX) & 1);
}

static int
arena_too_much(void *arg)
{
	struct arena a = ARENA_INIT;

	(void)arg;
	arena_alloc(&a, SIZE_MAX - 3);
	return 0;
}

static void
no_memory_ends_the_process_with_71(void **state)
{
	static int (*const parts[])(void *) = {
		alloc_too_much, zero_too_much, resize_too_much, grow_too_much,
		arena_too_much,
	};
	struct buf text = BUF_INIT;
	int status, saved;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(parts); i++) {
		saved = mute_stderr("stderr");
		status = in_child(parts[i], NULL);
		unmute_stderr(saved);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 71)
			fail_msg("part %zu: status %x", i, (unsigned)status);
		buf_clear(&text);
		get("stderr", &text);
		assert_non_null(strstr(text.p, "out of memory\n"));
	}
	buf_clear(&text);
}

static int
wait_for_memory(void *arg)
{
	const struct rlimit little = {(rlim_t)16 << 20, RLIM_INFINITY};

	(void)arg;
	mem_be_patient();
	setrlimit(RLIMIT_AS, &little);
	free(mem_alloc((size_t)64 << 20));
	free(mem_zero(64, (size_t)1 << 20));
	return 0;
}

/* Waits until the process sleeps, which it does in nothing but no_memory. */
static void
await_sleep(pid_t pid)
{
	char path[64], state = 'R';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	while (state != 'S') {
		f = fopen(path, "r");
		assert_non_null(f);
		assert_int_equal(fscanf(f, "%*d %*s %c", &state), 1);
		fclose(f);
		usleep(1000);
	}
}

static void
a_patient_process_waits_for_memory(void **state)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	pid_t pid;
	int status;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* their tables are larger than any limit */
	skip();
#endif
	pid = fork();
	if (pid == 0)
		_exit(wait_for_memory(NULL));
	await_sleep(pid);
	assert_int_equal(prlimit(pid, RLIMIT_AS, &all, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ----------------------------------------------------------------- arena */

static void
arena_gives_pieces_of_all_sizes(void **state)
{
	struct arena a = ARENA_INIT;
	char *pieces[3000], *p;
	size_t i, n;

	(void)state;
	arena_clear(&a);
	for (i = 0; i < COUNT(pieces); i++) {
		n = i * i % 997 + (i % 100 == 7 ? 100000 : 0);
		pieces[i] = arena_alloc(&a, n);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t),
		    0);
		memset(pieces[i], (int)i, n);
	}
	/* none was written over by another */
	for (i = 0; i < COUNT(pieces); i++) {
		n = i * i % 997 + (i % 100 == 7 ? 100000 : 0);
		for (p = pieces[i]; p < pieces[i] + n; p++)
			if (*p != (char)i)
				fail_msg("piece %zu was changed", i);
	}
	arena_clear(&a);
	assert_null(a.last);
	p = arena_dupn(&a, "again", 5);
	assert_string_equal(p, "again");
	arena_clear(&a);
}

static void
arena_strings(void **state)
{
	struct arena a = ARENA_INIT;
	char *p;

	(void)state;
	p = arena_dupn(&a, "abc\0def", 7);
	assert_memory_equal(p, "abc\0def\0", 8);
	p = arena_dupn(&a, NULL, 0);
	assert_string_equal(p, "");
	p = arena_format(&a, "%s %d", "n", 3);
	assert_string_equal(p, "n 3");
	p = arena_format(&a, "%0*d", 70000, 1);
	assert_int_equal(strlen(p), 70000);
	arena_clear(&a);
}

/* ------------------------------------------------------------------- buf */

static void
buf_grows(void **state)
{
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	assert_string_equal(buf_cstr(&b), "");
	buf_clear(&b);
	for (i = 0; i < 100000; i++) {
		buf_add(&b, &(char){(char)('a' + i % 26)}, 1);
		assert_int_equal(b.p[b.n], '\0');
	}
	assert_int_equal(b.n, 100000);
	for (i = 0; i < b.n; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	buf_clear(&b);
	assert_null(b.p);
	buf_str(&b, "usable again");
	assert_string_equal(buf_cstr(&b), "usable again");
	buf_clear(&b);
}

static void
buf_takes_anything(void **state)
{
	struct buf b = BUF_INIT;
	char *p;

	(void)state;
	buf_add(&b, NULL, 0);
	assert_string_equal(b.p, "");
	buf_add(&b, "a\0b", 3);
	buf_str(&b, "");
	buf_addf(&b, "%s", "");
	buf_addf(&b, "-%d%%", 7);
	assert_int_equal(b.n, 6);
	assert_memory_equal(b.p, "a\0b-7%\0", 7);
	p = buf_take(&b);
	assert_memory_equal(p, "a\0b-7%\0", 7);
	free(p);
	assert_int_equal(b.n, 0);
	p = buf_take(&b);
	assert_string_equal(p, "");
	free(p);
}

static void
buf_formats_long_texts(void **state)
{
	struct buf b = BUF_INIT;
	int n;

	(void)state;
	for (n = 0; n < 300; n++) {
		buf_clear(&b);
		buf_str(&b, "x");
		buf_addf(&b, "%0*d|", n, 1);
		assert_int_equal(b.n, 1 + (n ? n : 1) + 1);
		assert_int_equal(b.p[b.n - 1], '|');
		assert_int_equal(strlen(b.p), b.n);
	}
	buf_clear(&b);
}

static void
buf_makes_room(void **state)
{
	struct buf b = BUF_INIT;
	char *room;

	(void)state;
	room = buf_room(&b, 0);
	assert_ptr_equal(room, b.p);
	buf_str(&b, "ab");
	room = buf_room(&b, 5000);
	assert_string_equal(b.p, "ab");
	memset(room, 'c', 5000);
	b.n += 5000;
	buf_str(&b, "d");
	assert_int_equal(strlen(b.p), 5003);
	buf_clear(&b);
}

static void
buf_wipes(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_wipe(&b);
	assert_null(b.p);
	buf_str(&b, "sesame");
	buf_wipe(&b);
	assert_null(b.p);
	assert_int_equal(b.n, 0);
	assert_int_equal(b.cap, 0);
	buf_str(&b, "usable again");
	buf_wipe(&b);
}

static int
room_too_much(void *arg)
{
	struct buf b = BUF_INIT;

	(void)arg;
	signal(SIGABRT, SIG_DFL);
	buf_room(&b, SIZE_MAX - 1);
	return 0;
}

static void
buf_never_wraps_around(void **state)
{
	int status = in_child(room_too_much, NULL);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ------------------------------------------------------------------ strv */

static void
strv_splits_at_blanks(void **state)
{
	struct strv s = STRV_INIT;

	(void)state;
	strv_clear(&s);
	strv_split(&s, "");
	strv_split(&s, " \t\r\n ");
	assert_int_equal(s.n, 0);
	strv_split(&s, "one");
	strv_split(&s, "  two\tthree\r\n four ");
	assert_int_equal(s.n, 4);
	assert_string_equal(s.v[0], "one");
	assert_string_equal(s.v[2], "three");
	assert_string_equal(s.v[3], "four");
	assert_true(strv_has(&s, "two"));
	assert_false(strv_has(&s, "tw"));
	assert_false(strv_has(&s, ""));
	strv_clear(&s);
	assert_false(strv_has(&s, "two"));
}

static void
strv_sorts_by_bytes(void **state)
{
	struct strv s = STRV_INIT;
	int i;

	(void)state;
	strv_sort(&s);
	strv_split(&s, "b a B \xc3\xa4 a- a.b a/b 10 9");
	strv_sort(&s);
	assert_string_equal(s.v[0], "10");
	assert_string_equal(s.v[1], "9");
	assert_string_equal(s.v[2], "B");
	assert_string_equal(s.v[3], "a");
	assert_string_equal(s.v[4], "a-");
	assert_string_equal(s.v[5], "a.b");
	assert_string_equal(s.v[6], "a/b");
	assert_string_equal(s.v[8], "\xc3\xa4");
	strv_clear(&s);
	for (i = 9999; i >= 0; i--)
		strv_take(&s, mem_format("%05d", i));
	strv_add(&s, "last");
	strv_sort(&s);
	assert_int_equal(s.n, 10001);
	for (i = 0; i < 10000; i++)
		assert_int_equal(atoi(s.v[i]), i);
	strv_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_of_no_size_is_memory),
		cmocka_unit_test(copies_and_formats),
		cmocka_unit_test(capacity_doubles),
		cmocka_unit_test(no_memory_ends_the_process_with_71),
		cmocka_unit_test(a_patient_process_waits_for_memory),
		cmocka_unit_test(arena_gives_pieces_of_all_sizes),
		cmocka_unit_test(arena_strings),
		cmocka_unit_test(buf_grows),
		cmocka_unit_test(buf_takes_anything),
		cmocka_unit_test(buf_formats_long_texts),
		cmocka_unit_test(buf_makes_room),
		cmocka_unit_test(buf_wipes),
		cmocka_unit_test(buf_never_wraps_around),
		cmocka_unit_test(strv_splits_at_blanks),
		cmocka_unit_test(strv_sorts_by_bytes),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
