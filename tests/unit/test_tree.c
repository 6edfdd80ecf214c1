/*
 * lib/tree/tree.h: the files of a tree. What keeps us from reading one is said
 * as what it is, and never that the file is damaged or missing: people then
 * look for a thief, or throw a good tree away.
 */
#include "tests/unit/support.h"

#include <sys/resource.h>

#include "lib/sys/cleanup.h"
#include "lib/tree/tree.h"

/* A manifest of these files with these contents. */
static void
list(struct manifest *m, const char *name, const char *text)
{
	uint8_t sha256[HASH_SIZE];

	hash_data(text, strlen(text), sha256);
	manifest_add(m, name, sha256);
	manifest_sort(m);
}

static void
good_missing_and_damaged(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct tree t = {.manifest = &m, .dir = scratch};
	struct err e = ERR_INIT;
	uint64_t size;

	(void)state;
	put_str("good", "good");
	list(&m, "good", "good");
	assert_int_equal(tree_check_hashes(&t, &e), 0);
	assert_int_equal(tree_size(&t, &m.v[0], &size, &e), 0);
	assert_int_equal(size, 4);
	list(&m, "lost", "lost");
	assert_int_equal(tree_check_hashes(&t, &e), -1);
	assert_int_equal(e.kind, ERR_DATA);
	assert_string_equal(e.text, "'lost' is listed, but missing");
	assert_int_equal(tree_size(&t, &m.v[1], &size, &e), -1);
	assert_int_equal(e.kind, ERR_DATA);
	put_str("lost", "list");
	assert_int_equal(tree_check_hashes(&t, &e), -1);
	assert_int_equal(e.kind, ERR_DATA);
	assert_string_equal(e.text, "'lost' does not have the hash that is "
	    "listed");
	manifest_clear(&m);
}

/* The kernel answers so to a read of the first byte of any process. */
static void
a_disk_that_fails_is_no_damage(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct tree t = {.manifest = &m};
	struct err e = ERR_INIT;

	(void)state;
	t.dir = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t.dir >= 0);
	list(&m, "mem", "");
	assert_int_equal(tree_check_hashes(&t, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_string_equal(e.text, "read 'mem': Input/output error");
	manifest_clear(&m);
	close(t.dir);
}

/* A directory that cannot be looked into: of the file nothing is known. */
static void
a_size_that_cannot_be_had_is_no_missing_file(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct tree t = {.manifest = &m, .dir = 12345};
	struct err e = ERR_INIT;
	uint64_t size;

	(void)state;
	list(&m, "x", "x");
	assert_int_equal(tree_size(&t, &m.v[0], &size, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_string_equal(e.text, "stat 'x': Bad file descriptor");
	manifest_clear(&m);
}

static void
descriptors_that_are_used_up_are_no_damage(void **state)
{
	struct rlimit before, none = {0, 0};
	struct manifest m = MANIFEST_INIT;
	struct tree t = {.manifest = &m, .dir = scratch};
	struct err e = ERR_INIT;
	struct fs_map map;

	(void)state;
	put_str("good", "good");
	list(&m, "good", "good");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(tree_check_hashes(&t, &e), -1);
	assert_int_equal(e.kind, ERR_RESOURCE);
	assert_string_equal(e.text, "open 'good': Too many open files");
	e = (struct err)ERR_INIT;
	assert_int_equal(tree_map_most(&t, "good", 4, &map, &e), -1);
	assert_int_equal(e.kind, ERR_RESOURCE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(tree_check_hashes(&t, &e), 0);
	manifest_clear(&m);
}

static void
what_is_mapped_has_a_limit(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct tree t = {.manifest = &m, .dir = scratch};
	struct err e = ERR_INIT;
	struct fs_map map;

	(void)state;
	put_str("good", "good");
	list(&m, "good", "good");
	assert_int_equal(tree_map_most(&t, "good", 4, &map, &e), 0);
	assert_int_equal(map.n, 4);
	assert_memory_equal(map.p, "good", 4);
	fs_unmap(&map);
	assert_int_equal(tree_map_most(&t, "good", 3, &map, &e), -1);
	assert_int_equal(e.kind, ERR_DATA);
	assert_string_equal(e.text, "'good' has 4 bytes, more than 3");
	assert_int_equal(map.n, 0);
	fs_unmap(&map);
	manifest_clear(&m);
}

/* The last one: it stays. */
static void
a_signal_is_a_signal(void **state)
{
	struct manifest m = MANIFEST_INIT;
	struct tree t = {.manifest = &m, .dir = scratch};
	struct err e = ERR_INIT;

	(void)state;
	put_str("good", "good");
	list(&m, "good", "good");
	list(&m, "worse", "worse");
	cleanup_start();
	raise(SIGTERM);
	assert_int_equal(tree_check_hashes(&t, &e), -1);
	assert_int_equal(e.kind, ERR_SIGNAL);
	manifest_clear(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_missing_and_damaged),
		cmocka_unit_test(a_disk_that_fails_is_no_damage),
		cmocka_unit_test(a_size_that_cannot_be_had_is_no_missing_file),
		cmocka_unit_test(descriptors_that_are_used_up_are_no_damage),
		cmocka_unit_test(what_is_mapped_has_a_limit),
		cmocka_unit_test(a_signal_is_a_signal),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
