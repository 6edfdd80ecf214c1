/*
 * Parts of lib/drop/upload.h that need no other side: what is asked of a shell
 * and what is believed of its answer, and which piece comes next. The whole of
 * it is tested in tests/e2e/scp*.sh, against sshd.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/drop/upload_parts.h"

#define PIECE ((size_t)UPLOAD_PIECE)

static unsigned char *content;

/* ------------------------------------------------------------------ hashes */

static void
only_harmless_names_go_to_a_shell(void **state)
{
	static const char *const good[] = {
		"in/v0.3.4.amd64-deb.01.part/veilid-cli_0.3.4~rc1+b_amd64.deb",
		"x", "/", "-x", "a^b", "a=b,c%d@e:f",
	};
	static const char *const bad[] = {
		"", "a b", "a'b", "a\"b", "a\\b", "a$b", "a`b", "a;b", "a&b",
		"a|b", "a<b", "a>b", "a(b", "a)b", "a*b", "a?b", "a[b", "a{b",
		"a!b", "a#b", "a\nb", "a\tb", "a\rb", "a\001b", "a\177b",
		"a\303\244b",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		assert_true(upload_hash_may_name(good[i]));
	for (i = 0; i < COUNT(bad); i++)
		assert_false(upload_hash_may_name(bad[i]));
}

/* What a command prints. */
static void
said_by(const char *command, struct buf *said)
{
	FILE *f;

	put_str("command", command);
	f = popen("sh ./command 2>/dev/null", "r");
	assert_non_null(f);
	while (!feof(f))
		said->n += fread(buf_room(said, 1000), 1, 1000, f);
	buf_add(said, "", 0);
	assert_true(pclose(f) >= 0);
}

static void
a_shell_takes_hashes(void **state)
{
	static const char *const tools[] = {
		"openssl dgst -sha256 -r", "sha256sum",
	};
	uint8_t right[HASH_SIZE], got[HASH_SIZE];
	struct buf command = BUF_INIT, said = BUF_INIT;
	size_t i;

	(void)state;
	put_str("-x", "one");
	put_str("a^b~c", "two");
	put("large", content, 3 * PIECE + 9);
	for (i = 0; i < COUNT(tools); i++) {
		upload_hash_ask(&command, 0, tools[i], "-x");
		upload_hash_ask(&command, 1, tools[i], "missing");
		upload_hash_ask(&command, 10, tools[i], "a^b~c");
		said_by(command.p, &said);
		hash_data("one", 3, right);
		assert_true(upload_hash_find(&said, 0, got));
		assert_true(hash_equal(got, right));
		assert_false(upload_hash_find(&said, 1, got));
		hash_data("two", 3, right);
		assert_true(upload_hash_find(&said, 10, got));
		assert_true(hash_equal(got, right));
		assert_false(upload_hash_find(&said, 2, got));
		buf_clear(&command);
		buf_clear(&said);
		/* two pieces from the second on, and what is beyond the end */
		upload_hash_ask_part(&command, 3, tools[i], "large", 1, 2);
		upload_hash_ask_part(&command, 4, tools[i], "large", 2, 5);
		upload_hash_ask_part(&command, 5, tools[i], "missing", 0, 1);
		said_by(command.p, &said);
		hash_data(content + PIECE, 2 * PIECE, right);
		assert_true(upload_hash_find(&said, 3, got));
		assert_true(hash_equal(got, right));
		hash_data(content + 2 * PIECE, PIECE + 9, right);
		assert_true(upload_hash_find(&said, 4, got));
		assert_true(hash_equal(got, right));
		hash_data("", 0, right);
		assert_true(upload_hash_find(&said, 5, got));
		assert_true(hash_equal(got, right));
		buf_clear(&command);
		buf_clear(&said);
	}
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MARK "veilid-cicd-hash 0\n"

static void
other_answers_are_none(void **state)
{
	static const struct {
		const char *said;
		bool is_one;
	} table[] = {
		{"\n" MARK HEX " *stdin\n", true},
		{"\n" MARK HEX "  -", true},
		{"hello\r\nworld\n" MARK HEX " *stdin\n", true},
		/* what a start-up file says may look like ours */
		{"\n" MARK MARK HEX " *stdin\n", true},
		{"\n" MARK "x\n" MARK HEX " *stdin\n", true},
		{"", false},
		{MARK HEX " *stdin\n", false},
		{"x" MARK HEX " *stdin\n", false},
		{"\n" MARK, false},
		{"\n" MARK "\n" HEX " *stdin\n", false},
		{"\n" MARK HEX, false},
		{"\n" MARK HEX "0 *stdin\n", false},
		{"\n" MARK HEX "\n", false},
		{"\n" MARK "0123456789abcdef *stdin\n", false},
		{"\n" MARK "X123456789abcdef0123456789abcdef0123456789abcdef"
		    "0123456789abcdef *stdin\n", false},
		{"\n" MARK "(stdin)= " HEX "\n", false},
		{"\nveilid-cicd-hash 00\n" HEX " *stdin\n", false},
		{"\nveilid-cicd-hash 1\n" HEX " *stdin\n", false},
	};
	struct buf b = BUF_INIT;
	uint8_t got[HASH_SIZE];
	size_t i;

	(void)state;
	assert_false(upload_hash_find(&b, 0, got));
	for (i = 0; i < COUNT(table); i++) {
		b.n = 0;
		buf_str(&b, table[i].said);
		if (upload_hash_find(&b, 0, got) != table[i].is_one)
			fail_msg("%zu: '%s'", i, table[i].said);
	}
	/* nothing behind a NUL counts */
	b.n = 0;
	buf_add(&b, "\0", 1);
	buf_str(&b, "\n" MARK HEX " *stdin\n");
	assert_false(upload_hash_find(&b, 0, got));
	buf_clear(&b);
}

/* -------------------------------------------------------------------- plan */

static const size_t sizes[] = {100, 0, PIECE, 3 * PIECE + 1, PIECE + 1};
static struct upload_file files[COUNT(sizes)];
static struct upload u = {.files = files, .n = COUNT(sizes)};

static struct sending
plan(enum upload_proof proof)
{
	struct sending s = {.u = &u, .part = (char *)"in/x.part",
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER};
	size_t i;

	for (i = 0; i < COUNT(sizes); i++)
		files[i] = (struct upload_file){.path = "f", .data = content,
		    .size = sizes[i]};
	upload_plan_begin(&s);
	if (proof != PROOF_UNKNOWN)
		upload_decide(&s, proof);
	return s;
}

/* The next one is of that duty. */
static struct sftp_job *
next(struct sending *s, enum sftp_duty duty)
{
	struct sftp_job *job = upload_next(s);

	assert_non_null(job);
	assert_int_equal(job->duty, duty);
	assert_string_equal(job->path, "in/x.part/f");
	return job;
}

static void
done(struct sending *s, enum sftp_duty duty)
{
	struct sftp_job *job = next(s, duty);

	job->sent = duty == SFTP_ALL || duty == SFTP_SEND ? job->n : 0;
	upload_done(job, s);
}

static void
nothing_now(struct sending *s)
{
	assert_null(upload_next(s));
	assert_false(upload_plan_has_work(s));
}

/* Small ones in one go; then the pieces of the first large one. */
static void
send_until_large(struct sending *s)
{
	size_t i;

	for (i = 0; i < 3; i++)
		done(s, SFTP_ALL);
}

static void
pieces_are_all_of_it(void **state)
{
	struct sending s = plan(PROOF_UNKNOWN);
	struct sftp_job *job;
	uint64_t at = 0;

	(void)state;
	assert_int_equal(upload_plan_large(&s), 4 * PIECE + 2);
	send_until_large(&s);
	for (;;) {
		job = next(&s, SFTP_SEND);
		assert_int_equal(job->offset, at);
		assert_int_equal(job->size, 3 * PIECE + 1);
		assert_ptr_equal(job->data, content + at);
		assert_int_equal(job->n, at < 3 * PIECE ? PIECE : 1);
		at += job->n;
		job->sent = job->n;
		if (at == job->size)
			break;
		upload_done(job, &s);
	}
	/* not synced before its last piece is there */
	done(&s, SFTP_SEND);
	upload_done(job, &s);
	done(&s, SFTP_SYNC);
	done(&s, SFTP_SEND);
	done(&s, SFTP_SYNC);
	assert_int_equal(s.sent, 5 * PIECE + 102);
	upload_plan_clear(&s);
}

/* Nothing is read back before it is known that it must be. */
static void
what_is_read_back(void **state)
{
	struct sending s = plan(PROOF_UNKNOWN);
	size_t i;

	(void)state;
	send_until_large(&s);
	done(&s, SFTP_SEND);
	done(&s, SFTP_SEND);
	upload_decide(&s, PROOF_READ_BACK);
	/* in turn with what is sent, as long as there is both */
	done(&s, SFTP_READ_BACK);
	done(&s, SFTP_SEND);
	done(&s, SFTP_READ_BACK);
	done(&s, SFTP_SEND);
	done(&s, SFTP_SYNC);
	done(&s, SFTP_READ_BACK);
	done(&s, SFTP_SEND);
	done(&s, SFTP_READ_BACK);
	done(&s, SFTP_SEND);
	done(&s, SFTP_SYNC);
	for (i = 0; i < 2; i++) {
		assert_false(upload_plan_is_done(&s));
		done(&s, SFTP_READ_BACK);
	}
	assert_true(upload_plan_is_done(&s));
	nothing_now(&s);
	upload_plan_clear(&s);
}

static void
what_a_hash_proves_is_not_read_back(void **state)
{
	struct sending s = plan(PROOF_HASH);
	size_t i;

	(void)state;
	send_until_large(&s);
	for (i = 0; i < 4; i++)
		done(&s, SFTP_SEND);
	done(&s, SFTP_SYNC);
	for (i = 0; i < 2; i++)
		done(&s, SFTP_SEND);
	done(&s, SFTP_SYNC);
	nothing_now(&s);
	assert_false(upload_plan_is_done(&s));
	upload_plan_proven(&s, 3);
	upload_plan_proven(&s, 3);
	nothing_now(&s);
	assert_false(upload_plan_is_done(&s));
	/* of the other there is none, for whatever reason */
	upload_decide(&s, PROOF_READ_BACK);
	upload_decide(&s, PROOF_HASH);
	done(&s, SFTP_READ_BACK);
	done(&s, SFTP_READ_BACK);
	assert_true(upload_plan_is_done(&s));
	nothing_now(&s);
	upload_plan_clear(&s);
}

/* What is there whole, from before, is synced, for nobody knows if it was. */
static void
what_was_there_before(void **state)
{
	struct sending s = plan(PROOF_HASH);
	struct sftp_job *job;
	size_t i;

	(void)state;
	s.look_first = true;
	upload_plan_proven(&s, 3);
	done(&s, SFTP_SYNC);
	send_until_large(&s);
	upload_decide(&s, PROOF_READ_BACK);
	/* what looking found to be the same has been read */
	for (i = 0; i < 2; i++) {
		job = next(&s, SFTP_SEND);
		assert_true(job->look_first);
		job->sent = i;
		upload_done(job, &s);
	}
	done(&s, SFTP_SYNC);
	assert_false(upload_plan_is_done(&s));
	done(&s, SFTP_READ_BACK);
	assert_true(upload_plan_is_done(&s));
	nothing_now(&s);
	upload_plan_clear(&s);
}

/* Each of which a hash of its own proves, as soon as it is there. */
static void
long_lines_prove_part_by_part(void **state)
{
	static struct upload_file one;
	static struct upload u1 = {.files = &one, .n = 1};
	struct sending s = {.u = &u1, .part = (char *)"in/x.part",
	    .lock = PTHREAD_MUTEX_INITIALIZER, .is_far = true,
	    .changed = PTHREAD_COND_INITIALIZER};
	struct sftp_job *job;
	size_t i;

	(void)state;
	one = (struct upload_file){.path = "f", .data = content,
	    .size = 33 * PIECE + 1};
	upload_plan_begin(&s);
	upload_decide(&s, PROOF_HASH);
	assert_int_equal(s.n_parts, 3);
	assert_int_equal(s.parts[1].offset, 16 * PIECE);
	assert_int_equal(s.parts[1].n, 16 * PIECE);
	assert_int_equal(s.parts[2].n, PIECE + 1);
	/* what is there from before is neither sent nor read */
	upload_plan_proven(&s, 1);
	for (i = 0; i < 16; i++)
		done(&s, SFTP_SEND);
	assert_int_equal(s.parts[0].unsent, 0);
	assert_int_equal(s.files[0].unsent, 2);
	upload_plan_proven(&s, 0);
	job = next(&s, SFTP_SEND);
	assert_int_equal(job->offset, 32 * PIECE);
	job->sent = job->n;
	upload_done(job, &s);
	done(&s, SFTP_SEND);
	done(&s, SFTP_SYNC);
	nothing_now(&s);
	assert_false(upload_plan_is_done(&s));
	/* only what no hash has proven is read back */
	upload_decide(&s, PROOF_READ_BACK);
	for (i = 0; i < 2; i++) {
		job = next(&s, SFTP_READ_BACK);
		assert_int_equal(job->offset, (32 + i) * PIECE);
		upload_done(job, &s);
	}
	assert_true(upload_plan_is_done(&s));
	nothing_now(&s);
	upload_plan_clear(&s);
}

static void
an_error_ends_it(void **state)
{
	struct sending s = plan(PROOF_READ_BACK);
	struct err e = ERR_INIT;
	struct sftp_job *job;

	(void)state;
	send_until_large(&s);
	job = next(&s, SFTP_SEND);
	err_set(&job->error, ERR_IO, "first");
	upload_done(job, &s);
	err_set(&e, ERR_AGAIN, "second");
	upload_fail(&s, &e);
	assert_null(upload_next(&s));
	assert_int_equal(s.error.kind, ERR_IO);
	upload_plan_clear(&s);
	upload_plan_clear(&s);
}

static int
enter(void **state)
{
	size_t i;

	content = mem_alloc(4 * PIECE);
	for (i = 0; i < 4 * PIECE; i++)
		content[i] = (unsigned char)(i * 2654435761u >> 13);
	return scratch_enter(state);
}

static int
leave(void **state)
{
	free(content);
	return scratch_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_harmless_names_go_to_a_shell),
		cmocka_unit_test(a_shell_takes_hashes),
		cmocka_unit_test(other_answers_are_none),
		cmocka_unit_test(pieces_are_all_of_it),
		cmocka_unit_test(what_is_read_back),
		cmocka_unit_test(what_a_hash_proves_is_not_read_back),
		cmocka_unit_test(what_was_there_before),
		cmocka_unit_test(long_lines_prove_part_by_part),
		cmocka_unit_test(an_error_ends_it),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
