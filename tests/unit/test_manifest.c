/*
 * lib/tree/manifest.h: SHA256SUMS, against sha256sum -c and hostile texts.
 */
#include "tests/unit/support.h"

#include "lib/base/path.h"
#include "lib/tree/manifest.h"

#define H0 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define H1 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEAD "# serial 7\n# release v0.3.4\n# date 2026-11-22T15:04:05Z\n"

static int
parse(const char *text, size_t n, bool is_tree, struct manifest *m,
    struct err *e)
{
	/* exactly n bytes: what reads further is seen by the sanitizer */
	char *copy = malloc(n ? n : 1);
	int status;

	memcpy(copy, text, n);
	status = manifest_parse(m, copy, n, is_tree, "SUMS", e);
	free(copy);
	return status;
}

static void
check_refused(const char *text, size_t n, bool is_tree, const char *part,
    int line)
{
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;

	if (parse(text, n, is_tree, &m, &e) == 0) {
		print_error("accepted: %s\n", text);
		_fail(__FILE__, line);
	}
	check_err(&e, ERR_DATA, part, __FILE__, line);
	check_err(&e, ERR_DATA, "SUMS: ", __FILE__, line);
	manifest_clear(&m);
}

#define assert_bad_drop(text, part) \
	check_refused(text, sizeof(text) - 1, false, part, __LINE__)
#define assert_bad_tree(text, part) \
	check_refused(text, sizeof(text) - 1, true, part, __LINE__)

#define assert_good(text, is_tree) do {					\
	struct manifest m_ = MANIFEST_INIT;				\
	struct err e_ = ERR_INIT;					\
	assert_ok(parse(text, sizeof(text) - 1, is_tree, &m_, &e_), e_); \
	manifest_clear(&m_);						\
} while (0)

/* ---------------------------------------------------------------- usual */

static void
reads_a_drop(void **state)
{
	static const char text[] = H0 "  a.deb\n" H1 "  b_1~rc1+b1_all.deb\n";
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;
	uint8_t sha256[HASH_SIZE];

	(void)state;
	assert_ok(parse(text, sizeof(text) - 1, false, &m, &e), e);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.v[0].path, "a.deb");
	assert_string_equal(m.v[1].path, "b_1~rc1+b1_all.deb");
	assert_true(hash_parse(H1, sha256));
	assert_memory_equal(m.v[1].sha256, sha256, HASH_SIZE);
	assert_ptr_equal(manifest_find(&m, "a.deb"), &m.v[0]);
	assert_ptr_equal(manifest_find(&m, "b_1~rc1+b1_all.deb"), &m.v[1]);
	assert_null(manifest_find(&m, "a.de"));
	assert_null(manifest_find(&m, ""));
	assert_null(manifest_find(&m, "z"));
	hash_data(text, sizeof(text) - 1, sha256);
	assert_memory_equal(m.self, sha256, HASH_SIZE);
	manifest_clear(&m);
	assert_null(manifest_find(&m, "a.deb"));
}

static void
reads_a_tree(void **state)
{
	static const char text[] = HEAD "# previous " H1 "\n# colour blue\n"
	    H0 "  dists/stable/Release\n" H0 "  pool/x.deb\n";
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;
	uint8_t sha256[HASH_SIZE];

	(void)state;
	assert_ok(parse(text, sizeof(text) - 1, true, &m, &e), e);
	assert_int_equal(m.serial, 7);
	assert_string_equal(m.release, "v0.3.4");
	assert_int_equal(m.date, 1795359845);
	assert_true(m.has_previous);
	assert_true(hash_parse(H1, sha256));
	assert_memory_equal(m.previous, sha256, HASH_SIZE);
	assert_int_equal(m.n, 2);
	manifest_clear(&m);
	assert_int_equal(m.serial, 0);
}

static void
what_is_written_is_read_again(void **state)
{
	struct manifest m = MANIFEST_INIT, again = MANIFEST_INIT;
	struct buf text = BUF_INIT, second = BUF_INIT;
	struct err e = ERR_INIT;
	uint8_t sha256[HASH_SIZE];

	(void)state;
	m.serial = 999999999999999999;
	strcpy(m.release, "v1");
	m.date = 1795359845;
	m.has_previous = true;
	hash_data("p", 1, m.previous);
	hash_data("", 0, sha256);
	manifest_add(&m, "pool/b", sha256);
	manifest_add(&m, "a", sha256);
	manifest_add(&m, "pool/a", sha256);
	manifest_add(&m, "a", sha256);
	manifest_sort(&m);
	assert_int_equal(m.n, 3);
	manifest_write(&m, &text);
	assert_ok(parse(text.p, text.n, true, &again, &e), e);
	assert_int_equal(again.serial, m.serial);
	assert_memory_equal(again.self, m.self, HASH_SIZE);
	assert_memory_equal(again.previous, m.previous, HASH_SIZE);
	manifest_write(&again, &second);
	assert_string_equal(text.p, second.p);
	manifest_clear(&m);
	manifest_clear(&again);
	buf_clear(&text);
	buf_clear(&second);
}

/* Its own hash is that of its text, also behind other text. */
static void
written_behind_other_text(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	uint8_t sha256[HASH_SIZE];

	(void)state;
	buf_str(&text, "before\n");
	hash_data("", 0, sha256);
	manifest_add(&m, "a", sha256);
	manifest_write(&m, &text);
	assert_string_equal(text.p, "before\n" H0 "  a\n");
	hash_data(text.p + 7, text.n - 7, sha256);
	assert_memory_equal(m.self, sha256, HASH_SIZE);
	manifest_clear(&m);
	buf_clear(&text);
}

static void
sha256sum_agrees(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	uint8_t sha256[HASH_SIZE];

	(void)state;
	run("mkdir -p pool/main");
	put_str("pool/main/x_1%3a1~rc1+b1.deb", "hello\n");
	put_str("Release", "");
	m.serial = 1;
	strcpy(m.release, "v1");
	m.date = 1;
	hash_data("hello\n", 6, sha256);
	manifest_add(&m, "pool/main/x_1%3a1~rc1+b1.deb", sha256);
	hash_data("", 0, sha256);
	manifest_add(&m, "Release", sha256);
	manifest_sort(&m);
	manifest_write(&m, &text);
	put(MANIFEST_NAME, text.p, text.n);
	run("sha256sum --strict --quiet -c SHA256SUMS");
	run("LC_ALL=C sort -c -k 2 <Release; "
	    "grep -v '^#' SHA256SUMS | LC_ALL=C sort -c -k 2");
	put_str("Release", "x");
	assert_false(run_succeeds("sha256sum --status -c SHA256SUMS"));
	manifest_clear(&m);
	buf_clear(&text);
}

static int
one_path_with_two_contents(void *arg)
{
	struct manifest m = MANIFEST_INIT;
	uint8_t sha256[HASH_SIZE];

	(void)arg;
	signal(SIGABRT, SIG_DFL);
	hash_data("a", 1, sha256);
	manifest_add(&m, "x", sha256);
	hash_data("b", 1, sha256);
	manifest_add(&m, "x", sha256);
	manifest_sort(&m);
	return 0;
}

static void
two_contents_for_one_path_are_a_bug_of_the_caller(void **state)
{
	int status = in_child(one_path_with_two_contents, NULL);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---------------------------------------------------------------- empty */

static void
empty_texts_are_refused(void **state)
{
	(void)state;
	assert_bad_drop("", "lists no files");
	assert_bad_tree("", "no serial, release or date");
	assert_bad_tree(HEAD, "lists no files");
	assert_bad_drop("\n", "is not 'sha256  path'");
}

static void
an_empty_manifest_is_written_as_nothing(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	uint8_t sha256[HASH_SIZE];

	(void)state;
	manifest_sort(&m);
	manifest_write(&m, &text);
	assert_int_equal(text.n, 0);
	hash_data("", 0, sha256);
	assert_memory_equal(m.self, sha256, HASH_SIZE);
	manifest_clear(&m);
	manifest_clear(&m);
	buf_clear(&text);
}

/* -------------------------------------------------------------- largest */

static void
many_files(void **state)
{
	struct manifest m = MANIFEST_INIT, again = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	uint8_t sha256[HASH_SIZE];
	char path[32];
	unsigned i;

	(void)state;
	hash_data("", 0, sha256);
	for (i = 0; i < 100000; i++) {
		snprintf(path, sizeof(path), "pool/%u/f%u",
		    i * 2654435761U % 997, i);
		manifest_add(&m, path, sha256);
	}
	manifest_sort(&m);
	assert_int_equal(m.n, 100000);
	manifest_write(&m, &text);
	m.serial = 0;
	buf_clear(&text);
	m.serial = 1;
	strcpy(m.release, "v1");
	m.date = 1;
	manifest_write(&m, &text);
	assert_ok(parse(text.p, text.n, true, &again, &e), e);
	assert_int_equal(again.n, 100000);
	snprintf(path, sizeof(path), "pool/%u/f%u",
	    77777U * 2654435761U % 997, 77777U);
	assert_non_null(manifest_find(&again, path));
	manifest_clear(&m);
	manifest_clear(&again);
	buf_clear(&text);
}

static void
longest_path(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	buf_str(&text, HEAD H0 "  ");
	for (i = 0; i < PATH_LIMIT; i++)
		buf_str(&text, i % 128 == 127 && i + 1 < PATH_LIMIT ? "/" :
		    "a");
	buf_str(&text, "\n");
	assert_ok(parse(text.p, text.n, true, &m, &e), e);
	assert_int_equal(strlen(m.v[0].path), PATH_LIMIT);
	manifest_clear(&m);
	text.n--;
	buf_str(&text, "a\n");
	assert_fails(parse(text.p, text.n, true, &m, &e), e, ERR_DATA, "SUMS");
	manifest_clear(&m);
	buf_clear(&text);
}

static void
longest_release(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "# serial 1\n# date 2026-11-22T15:04:05Z\n"
	    "# release %0128d\n" H0 "  a\n", 1);
	assert_ok(parse(text, strlen(text), true, &m, &e), e);
	assert_int_equal(strlen(m.release), 128);
	manifest_clear(&m);
	snprintf(text, sizeof(text), "# serial 1\n# date 2026-11-22T15:04:05Z\n"
	    "# release %0129d\n" H0 "  a\n", 1);
	assert_fails(parse(text, strlen(text), true, &m, &e), e, ERR_DATA,
	    "bad line");
	manifest_clear(&m);
}

/* -------------------------------------------------------------- hostile */

static void
lines_have_one_form(void **state)
{
	(void)state;
	assert_bad_drop(H0 "  a", "line for file 1");
	assert_bad_drop(H0 "  ", "line for file 1");
	assert_bad_drop(H0 "  \n", "line for file 1");
	assert_bad_drop(H0 " a\n", "line for file 1");
	assert_bad_drop(H0 " *a\n", "line for file 1");
	assert_bad_drop(H0 "\ta\n", "line for file 1");
	assert_bad_drop(H0 "0  a\n", "line for file 1");
	assert_bad_drop("\\" H0 "  a\n", "line for file 1");
	assert_bad_drop(H0 "   a\n", "unsafe path");
	assert_bad_drop(H0 "  a\r\n", "unsafe path");
	assert_bad_drop(H0 "  a\n\n", "line for file 2");
	assert_bad_drop(H0 "  a\n" H0 "  b", "line for file 2");
	assert_bad_drop(H0 "  a\n# serial 7\n", "line for file 2");
	assert_bad_drop("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA"
	    "495991B7852B855  a\n", "line for file 1");
	assert_bad_drop("g" H0 "  a\n", "line for file 1");
	assert_bad_drop("SHA256 (a) = " H0 "\n", "line for file 1");
	assert_bad_drop(H0 "  a\0b\n", "unsafe path");
	assert_bad_drop("\0", "line for file 1");
}

static void
paths_are_safe(void **state)
{
	(void)state;
	assert_bad_tree(HEAD H0 "  /etc/passwd\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  ../a\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  a/../b\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  a/./b\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  a//b\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  a/\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  .hidden\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  a\\b\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  a b\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  -rf\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  \x1b[2J\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  SHA256SUMS\n", "unsafe path");
	assert_bad_tree(HEAD H0 "  SHA256SUMS.asc\n", "unsafe path");
	assert_good(HEAD H0 "  a/SHA256SUMS\n", true);
	assert_bad_drop(H0 "  a/b\n", "unsafe path");
	assert_bad_drop(H0 "  SHA256SUMS\n", "unsafe path");
}

static void
paths_are_sorted_and_stand_once(void **state)
{
	(void)state;
	assert_bad_drop(H0 "  b\n" H0 "  a\n", "out of order");
	assert_bad_drop(H0 "  a\n" H0 "  a\n", "out of order");
	assert_bad_drop(H0 "  a\n" H1 "  a\n", "out of order");
	assert_good(H0 "  A\n" H0 "  a\n", false);
}

static void
no_path_is_the_directory_of_another(void **state)
{
	(void)state;
	assert_bad_tree(HEAD H0 "  a\n" H0 "  a/b\n", "'a/b'");
	assert_bad_tree(HEAD H0 "  a/b\n" H0 "  a/b/c/d\n", "'a/b/c/d'");
	assert_good(HEAD H0 "  a/b\n" H0 "  a/bc/d\n", true);
}

/* "-" and "." sort before "/": what is between must not hide it. */
static void
no_path_is_the_directory_of_one_further_down(void **state)
{
	(void)state;
	assert_bad_tree(HEAD H0 "  a\n" H0 "  a-b\n" H0 "  a/c\n", "'a/c'");
	assert_bad_tree(HEAD H0 "  a\n" H0 "  a.b\n" H0 "  a.c\n"
	    H0 "  a/c/d\n", "'a/c/d'");
}

static void
comments_have_one_form(void **state)
{
	(void)state;
	assert_bad_tree("# serial 0\n", "bad line '# serial");
	assert_bad_tree("# serial 07\n", "bad line");
	assert_bad_tree("# serial -7\n", "bad line");
	assert_bad_tree("# serial +7\n", "bad line");
	assert_bad_tree("# serial 7x\n", "bad line");
	assert_bad_tree("# serial \n", "bad line");
	assert_bad_tree("# serial 1234567890123456789\n", "bad line");
	assert_bad_tree("# serial 18446744073709551617\n", "bad line");
	assert_bad_tree("# serial 7\n# serial 8\n", "bad line");
	assert_bad_tree("# release ../x\n", "bad line");
	assert_bad_tree("# release a b\n", "bad line");
	assert_bad_tree("# release \n", "bad line");
	assert_bad_tree("# previous " H0 "0\n", "bad line");
	assert_bad_tree("# previous abc\n", "bad line");
	assert_bad_tree("# previous \n", "bad line");
	assert_bad_tree("#serial 7\n", "bad line");
	assert_bad_tree("# word\n", "bad line");
	assert_bad_tree("# serial 7", "bad comment line");
	assert_bad_tree(H0 "  a\n", "no serial, release or date");
	assert_bad_tree("# serial 7\n# release v1\n" H0 "  a\n",
	    "no serial, release or date");
	assert_bad_drop(HEAD H0 "  a\n", "line for file 1");
}

/* "#\n" has nothing at the place where the word should begin. */
static void
shortest_comments(void **state)
{
	(void)state;
	assert_bad_tree("#\n" HEAD H0 "  a\n", "bad line");
	assert_bad_tree("# \n" HEAD H0 "  a\n", "bad line");
	assert_bad_tree("##\n" HEAD H0 "  a\n", "bad line");
	assert_bad_tree("#", "bad comment line");
}

static void
comments_stand_once(void **state)
{
	(void)state;
	assert_bad_tree(HEAD "# release v2\n" H0 "  a\n", "bad line");
	assert_bad_tree(HEAD "# date 2026-11-22T15:04:06Z\n" H0 "  a\n",
	    "bad line");
	assert_bad_tree(HEAD "# previous " H0 "\n# previous " H1 "\n" H0
	    "  a\n", "bad line");
}

static void
comments_hold_no_nul(void **state)
{
	(void)state;
	assert_bad_tree("# serial 7\0 # serial 8\n# release v0.3.4\n"
	    "# date 2026-11-22T15:04:05Z\n" H0 "  a\n", "");
}

static void
comments_are_bounded(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	struct err e;
	int i;

	(void)state;
	buf_str(&text, "# word ");
	for (i = 0; i < 1100; i++)
		buf_str(&text, "x");
	buf_str(&text, "\n" HEAD H0 "  a\n");
	assert_fails(parse(text.p, text.n, true, &m, &e), e, ERR_DATA,
	    "bad comment line");
	manifest_clear(&m);
	buf_clear(&text);
}

/* Every beginning of a good text is refused, but for those of whole lines. */
static void
cut_texts_are_refused(void **state)
{
	static const char text[] = HEAD H0 "  a\n" H1 "  b\n";
	size_t first = sizeof(HEAD H0 "  a\n") - 1, n;
	struct manifest m = MANIFEST_INIT;
	struct err e;

	(void)state;
	for (n = 0; n < sizeof(text) - 1; n++) {
		e = (struct err)ERR_INIT;
		if (parse(text, n, true, &m, &e) == 0 && n != first)
			fail_msg("accepted %zu bytes", n);
		manifest_clear(&m);
	}
}

/* A drop of n files whose names have 255 characters. */
static void
write_drop(struct buf *text, size_t n)
{
	size_t i;

	text->n = 0;
	for (i = 0; i < n; i++)
		buf_addf(text, H0 "  %0251zu.deb\n", i);
}

/*
 * A build machine is not trusted: what it lists may not cost the orchestrator
 * the memory of a whole tree.
 */
static void
a_drop_lists_so_many_files(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	int dir;

	(void)state;
	write_drop(&text, MANIFEST_DROP_FILES);
	assert_int_equal(text.n, MANIFEST_DROP_LIMIT);
	assert_int_equal(parse(text.p, text.n, false, &m, &e), 0);
	assert_int_equal(m.n, MANIFEST_DROP_FILES);
	manifest_clear(&m);
	write_drop(&text, MANIFEST_DROP_FILES + 1);
	check_refused(text.p, text.n, false, "lists more than 10000 files",
	    __LINE__);
	/* a tree may have more */
	text.n = 0;
	buf_str(&text, HEAD);
	for (dir = 0; dir < 11; dir++)
		for (size_t i = 0; i < 1000; i++)
			buf_addf(&text, H0 "  %02d/%03zu.deb\n", dir, i);
	assert_int_equal(parse(text.p, text.n, true, &m, &e), 0);
	assert_int_equal(m.n, 11000);
	manifest_clear(&m);
	buf_clear(&text);
}

/* Many lines of sizes, each short enough for readers of before. */
static void
sizes_are_written_and_read(void **state)
{
	struct manifest m = MANIFEST_INIT, again = MANIFEST_INIT;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	uint8_t sha256[HASH_SIZE];
	const char *p, *end;
	char name[16];
	size_t i;

	(void)state;
	m.serial = 7;
	m.date = 1795359845;
	strcpy(m.release, "v1.0.0");
	hash_data("", 0, sha256);
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "f%04zu", i);
		manifest_add(&m, name, sha256);
		assert_true(m.v[i].size == MANIFEST_NO_SIZE);
		m.v[i].size = i == 9 ? 0 : i == 10 ? 999999999999999999 : i * i;
	}
	manifest_write(&m, &text);
	for (p = text.p; *p == '#'; p = end + 1) {
		end = strchr(p, '\n');
		assert_true(end - p < 1024);
	}
	assert_ok(parse(text.p, text.n, true, &again, &e), e);
	assert_int_equal(again.n, 1000);
	for (i = 0; i < 1000; i++)
		assert_true(again.v[i].size == m.v[i].size);
	/* one that is not known: none is written */
	m.v[500].size = MANIFEST_NO_SIZE;
	buf_clear(&text);
	manifest_write(&m, &text);
	assert_null(strstr(text.p, "sizes"));
	manifest_clear(&m);
	manifest_clear(&again);
	buf_clear(&text);
}

static void
sizes_that_do_not_fit(void **state)
{
	(void)state;
	assert_bad_tree(HEAD "# sizes 1 2\n" H0 "  a\n", "2 sizes for 1 files");
	assert_bad_tree(HEAD "# sizes 1\n# sizes 1\n" H0 "  a\n",
	    "2 sizes for 1");
	assert_bad_tree(HEAD "# sizes 1\n" H0 "  a\n" H0 "  b\n", "1 sizes");
	assert_bad_tree(HEAD "# sizes 01\n" H0 "  a\n", "bad line");
	assert_bad_tree(HEAD "# sizes -1\n" H0 "  a\n", "bad line");
	assert_bad_tree(HEAD "# sizes 1 \n" H0 "  a\n", "bad line");
	assert_bad_tree(HEAD "# sizes 9999999999999999999\n" H0 "  a\n",
	    "bad line");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_drop),
		cmocka_unit_test(reads_a_tree),
		cmocka_unit_test(a_drop_lists_so_many_files),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(written_behind_other_text),
		cmocka_unit_test(sha256sum_agrees),
		cmocka_unit_test(
		    two_contents_for_one_path_are_a_bug_of_the_caller),
		cmocka_unit_test(empty_texts_are_refused),
		cmocka_unit_test(an_empty_manifest_is_written_as_nothing),
		cmocka_unit_test(many_files),
		cmocka_unit_test(longest_path),
		cmocka_unit_test(longest_release),
		cmocka_unit_test(sizes_are_written_and_read),
		cmocka_unit_test(sizes_that_do_not_fit),
		cmocka_unit_test(lines_have_one_form),
		cmocka_unit_test(paths_are_safe),
		cmocka_unit_test(paths_are_sorted_and_stand_once),
		cmocka_unit_test(no_path_is_the_directory_of_another),
		cmocka_unit_test(no_path_is_the_directory_of_one_further_down),
		cmocka_unit_test(comments_have_one_form),
		cmocka_unit_test(shortest_comments),
		cmocka_unit_test(comments_stand_once),
		cmocka_unit_test(comments_hold_no_nul),
		cmocka_unit_test(comments_are_bounded),
		cmocka_unit_test(cut_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
