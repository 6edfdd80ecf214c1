/*
 * lib/data/hash.h: the vectors of FIPS 180-4, and sha256sum.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/data/hash.h"
#include "lib/sys/cleanup.h"

static void
check_hex(const uint8_t digest[HASH_SIZE], const char *wanted)
{
	char hex[HASH_HEX];

	hash_hex(digest, hex);
	assert_string_equal(hex, wanted);
}

static void
vectors(void **state)
{
	static const struct {
		const char *text, *hex;
	} known[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb924"
		    "27ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223"
		    "b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039"
		    "a33ce45964ff2167f6ecedd419db06c1"},
		{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		    "cf5b16a778af8380036ce59e7b049237"
		    "0b249b11e8f07a51afac45037afee9d1"},
	};
	uint8_t digest[HASH_SIZE];
	struct hash *h;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(known); i++) {
		hash_data(known[i].text, strlen(known[i].text), digest);
		check_hex(digest, known[i].hex);
	}
	h = hash_open();
	for (i = 0; i < 1000000; i++)
		hash_add(h, "a", 1);
	hash_add(h, NULL, 0);
	hash_close(h, digest);
	check_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67"
	    "f1809a48a497200e046d39ccc7112cd0");
	hash_close(NULL, digest);
	hash_close(hash_open(), NULL);
}

static void
files_as_sha256sum_has_them(void **state)
{
	static const size_t sizes[] = {0, 1, 55, 64, 262144, 262145, 1000003};
	char *data = mem_zero(1000003, 1), hex[HASH_HEX];
	struct buf sum = BUF_INIT;
	struct err e = ERR_INIT;
	struct digest d;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < 1000003; i++)
		data[i] = (char)(i * 31 + i / 256);
	for (i = 0; i < COUNT(sizes); i++) {
		put("x", data, sizes[i]);
		run("sha256sum <x >sum");
		buf_clear(&sum);
		get("sum", &sum);
		fd = open("x", O_RDONLY);
		assert_ok(hash_fd(fd, "x", &d, &e), e);
		assert_int_equal(d.size, sizes[i]);
		hash_hex(d.sha256, hex);
		assert_memory_equal(hex, sum.p, 64);
		/* at the end now: what is left is nothing */
		assert_ok(hash_fd(fd, "x", &d, &e), e);
		assert_int_equal(d.size, 0);
		close(fd);
	}
	buf_clear(&sum);
	free(data);
}

static void
what_cannot_be_read(void **state)
{
	struct digest d;
	struct err e;
	int fd = open(".", O_RDONLY);

	(void)state;
	assert_fails(hash_fd(fd, "dir", &d, &e), e, ERR_IO, "read 'dir'");
	close(fd);
	assert_fails(hash_fd(-1, "none", &d, &e), e, ERR_IO, "read 'none'");
}

static int
hash_after_a_signal(void *arg)
{
	struct digest d;
	struct err e = ERR_INIT;

	(void)arg;
	cleanup_start();
	raise(SIGINT);
	put_str("y", "some bytes");
	if (hash_fd(open("y", O_RDONLY), "y", &d, &e) == 0)
		return 1;
	return e.kind == ERR_SIGNAL ? 0 : 2;
}

static void
a_signal_ends_it(void **state)
{
	(void)state;
	assert_int_equal(in_child(hash_after_a_signal, NULL), 0);
}

static void
digits(void **state)
{
	char text[HASH_HEX] = "00ff0123456789abcdef00112233445566"
	    "778899aabbccddeeff0000000000ff";
	uint8_t digest[HASH_SIZE], other[HASH_SIZE];
	char hex[HASH_HEX];
	size_t i;
	int c;

	(void)state;
	assert_int_equal(strlen(text), 64);
	assert_true(hash_parse(text, digest));
	hash_hex(digest, hex);
	assert_string_equal(hex, text);
	assert_true(hash_equal(digest, digest));
	for (i = 0; i < 64; i++) {
		char before = text[i];

		for (c = 0; c < 256; c++) {
			bool wanted = (c >= '0' && c <= '9') ||
			    (c >= 'a' && c <= 'f');

			text[i] = (char)c;
			assert_int_equal(hash_parse(text, other), wanted);
			if (wanted)
				assert_int_equal(hash_equal(digest, other),
				    c == before);
		}
		text[i] = before;
	}
	/* what follows is not looked at, what is missing not read */
	for (i = 0; i < 64; i++) {
		char *copy = mem_dupn(text, i);

		assert_false(hash_parse(copy, other));
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(files_as_sha256sum_has_them),
		cmocka_unit_test(what_cannot_be_read),
		cmocka_unit_test(a_signal_ends_it),
		cmocka_unit_test(digits),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
