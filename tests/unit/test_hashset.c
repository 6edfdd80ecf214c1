/*
 * lib/base/hashset.h: what is found, in which order, and what comes twice.
 */
#include "tests/unit/support.h"

#include "lib/base/hashset.h"
#include "lib/base/mem.h"

#define MANY 5000

/* A hash whose first bytes say which one it is. */
static const uint8_t *
hash_of(unsigned i)
{
	static uint8_t sha256[HASH_SIZE];

	memset(sha256, 0, sizeof(sha256));
	/* multiplied, so that neighbours are far from each other */
	i = i * 2654435761u;
	memcpy(sha256, &i, sizeof(i));
	return sha256;
}

static void
an_empty_set_has_nothing(void **state)
{
	struct hashset s = HASHSET_INIT, other = HASHSET_INIT;

	(void)state;
	assert_null(hashset_find(&s, hash_of(1)));
	assert_null(hashset_twin(&s));
	assert_true(hashset_same(&s, &other));
	hashset_sort(&s);
	hashset_unique(&s);
	assert_int_equal(s.n, 0);
	assert_null(hashset_find(&s, hash_of(1)));
	hashset_clear(&s);
	hashset_clear(&s);
}

static void
each_of_many_is_found(void **state)
{
	static int of[MANY];
	struct hashset s = HASHSET_INIT;
	const struct hashset_item *found;
	unsigned i;

	(void)state;
	for (i = 0; i < MANY; i++)
		hashset_add(&s, hash_of(2 * i), &of[i]);
	hashset_sort(&s);
	assert_null(hashset_twin(&s));
	for (i = 0; i < MANY; i++) {
		found = hashset_find(&s, hash_of(2 * i));
		assert_non_null(found);
		assert_ptr_equal(found->of, &of[i]);
		assert_null(hashset_find(&s, hash_of(2 * i + 1)));
	}
	for (i = 1; i < s.n; i++)
		assert_true(memcmp(s.v[i - 1].sha256, s.v[i].sha256,
		    HASH_SIZE) < 0);
	hashset_clear(&s);
}

/* All 32 bytes count, the last one too. */
static void
neighbours_are_not_taken_for_each_other(void **state)
{
	struct hashset s = HASHSET_INIT;
	uint8_t sha256[HASH_SIZE] = {0};

	(void)state;
	sha256[HASH_SIZE - 1] = 0x80;
	hashset_add(&s, sha256, NULL);
	sha256[HASH_SIZE - 1] = 0x7f;
	hashset_add(&s, sha256, NULL);
	hashset_sort(&s);
	assert_int_equal(s.v[0].sha256[HASH_SIZE - 1], 0x7f);
	assert_null(hashset_twin(&s));
	assert_non_null(hashset_find(&s, sha256));
	sha256[HASH_SIZE - 1] = 0x81;
	assert_null(hashset_find(&s, sha256));
	hashset_clear(&s);
}

/* send and deploy-repo each choose one of them: it must always be the same. */
static void
of_one_hash_the_first_added_is_found(void **state)
{
	static int of[MANY];
	struct hashset s = HASHSET_INIT;
	const struct hashset_item *found;
	unsigned i;

	(void)state;
	for (i = MANY; i-- > 0; )
		hashset_add(&s, hash_of(i % 7), &of[i]);
	hashset_sort(&s);
	assert_non_null(hashset_twin(&s));
	for (i = 0; i < 7; i++) {
		found = hashset_find(&s, hash_of(i));
		assert_non_null(found);
		/* the largest number with this rest was added first */
		assert_ptr_equal(found->of,
		    &of[(MANY - 1 - i) / 7 * 7 + i]);
	}
	hashset_unique(&s);
	assert_int_equal(s.n, 7);
	assert_null(hashset_twin(&s));
	for (i = 0; i < 7; i++) {
		found = hashset_find(&s, hash_of(i));
		assert_non_null(found);
		assert_ptr_equal(found->of,
		    &of[(MANY - 1 - i) / 7 * 7 + i]);
	}
	hashset_clear(&s);
}

/* One that is added after the sorting does not step before its twins. */
static void
sorting_again_keeps_the_order(void **state)
{
	struct hashset s = HASHSET_INIT;
	int of[5] = {0};

	(void)state;
	hashset_add(&s, hash_of(9), &of[0]);
	hashset_add(&s, hash_of(9), &of[1]);
	hashset_add(&s, hash_of(3), &of[2]);
	hashset_sort(&s);
	hashset_unique(&s);
	hashset_add(&s, hash_of(9), &of[3]);
	hashset_add(&s, hash_of(3), &of[4]);
	hashset_sort(&s);
	assert_ptr_equal(hashset_find(&s, hash_of(9))->of, &of[0]);
	assert_ptr_equal(hashset_find(&s, hash_of(3))->of, &of[2]);
	assert_ptr_equal((hashset_find(&s, hash_of(9)) + 1)->of, &of[3]);
	hashset_clear(&s);
}

static void
sets_are_compared_by_their_hashes(void **state)
{
	struct hashset a = HASHSET_INIT, b = HASHSET_INIT;
	unsigned i;

	(void)state;
	for (i = 0; i < 100; i++) {
		hashset_add(&a, hash_of(i), NULL);
		hashset_add(&b, hash_of(99 - i), &b);
	}
	hashset_sort(&a);
	hashset_sort(&b);
	assert_true(hashset_same(&a, &b));
	hashset_add(&a, hash_of(5), NULL);
	hashset_sort(&a);
	assert_false(hashset_same(&a, &b));
	hashset_add(&b, hash_of(6), NULL);
	hashset_sort(&b);
	assert_false(hashset_same(&a, &b));
	hashset_clear(&a);
	hashset_clear(&b);
}

/* A bug that would otherwise say "not there" now and then. */
static void
an_unsorted_set_is_not_asked(void **state)
{
	struct hashset s = HASHSET_INIT;
	int status;
	pid_t pid;

	(void)state;
	hashset_add(&s, hash_of(1), NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		(void)hashset_find(&s, hash_of(1));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	hashset_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_set_has_nothing),
		cmocka_unit_test(each_of_many_is_found),
		cmocka_unit_test(neighbours_are_not_taken_for_each_other),
		cmocka_unit_test(of_one_hash_the_first_added_is_found),
		cmocka_unit_test(sorting_again_keeps_the_order),
		cmocka_unit_test(sets_are_compared_by_their_hashes),
		cmocka_unit_test(an_unsorted_set_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
