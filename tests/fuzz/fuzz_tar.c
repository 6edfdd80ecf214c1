/*
 * A tar as deploy-repo takes it. The first byte says how long the pieces are in
 * which it comes; an odd one has the checksums of all headers put right, so
 * that what is behind these is met as well. What was read is written, and read
 * again.
 */
#include "lib/base/buf.h"
#include "lib/base/path.h"
#include "lib/data/tar.h"
#include "tests/fuzz/support.h"

#define BLOCK ((size_t)512)
#define AT_SUM ((size_t)148)
#define AT_TYPE ((size_t)156)
#define AT_MAGIC ((size_t)257)

struct source {
	const char *p;
	size_t n;
	size_t step;
	char *piece;	/* of its own, so that a read beyond it is seen */
};

static ssize_t
next_piece(void *arg, const void **chunk, struct err *e)
{
	struct source *s = arg;
	size_t n = s->n < s->step ? s->n : s->step;

	(void)e;
	free(s->piece);
	s->piece = malloc(n ? n : 1);
	must(s->piece != NULL);
	if (n > 0)
		memcpy(s->piece, s->p, n);
	s->p += n;
	s->n -= n;
	*chunk = s->piece;
	return (ssize_t)n;
}

/* Names, sizes and contents, one after the other; a copy of the archive. */
struct seen {
	struct buf text;
	struct buf copy;
};

static int
read_members(struct untar *u, struct tar *t, struct buf *text, struct err *e)
{
	struct tar_member m;
	const void *chunk;
	ssize_t n = 0;
	int status;

	while ((status = untar_next(u, &m, e)) > 0) {
		must(m.path[0] != '\0' && strlen(m.path) <= PATH_LIMIT);
		must(m.size <= INT64_MAX && (!m.is_dir || m.size == 0));
		if (m.is_dir)
			continue;
		buf_addf(text, "%s %llu\n", m.path,
		    (unsigned long long)m.size);
		tar_add_header(t, m.path, m.size);
		while ((n = untar_read(u, &chunk, e)) > 0) {
			buf_add(text, chunk, (size_t)n);
			tar_add_data(t, chunk, (size_t)n);
		}
		if (n < 0)
			return -1;
	}
	return status;
}

static int
read_all(const char *p, size_t n, size_t step, struct seen *seen)
{
	struct source s = {.p = p, .n = n, .step = step};
	struct untar *u = untar_open(next_piece, &s);
	struct tar *t = tar_open(out_buf(&seen->copy), 0);
	struct err e = ERR_INIT;
	int status = read_members(u, t, &seen->text, &e);

	if (status < 0) {
		must_have_reason(&e);
		tar_discard(t);
	} else {
		must(s.n == 0);
		must(tar_commit(t, &e) == 0);
	}
	untar_close(u);
	free(s.piece);
	return status;
}

static void
put_sums_right(char *p, size_t n)
{
	unsigned sum;
	size_t at, i;

	for (at = 0; n - at >= BLOCK; at += BLOCK) {
		if (memcmp(p + at + AT_MAGIC, "ustar", 5) != 0)
			continue;
		sum = 8 * ' ';
		for (i = 0; i < BLOCK; i++)
			if (i < AT_SUM || i >= AT_TYPE)
				sum += (unsigned char)p[at + i];
		for (i = 6; i > 0; i--, sum >>= 3)
			p[at + AT_SUM + i - 1] = (char)('0' + (sum & 7));
		memcpy(p + at + AT_SUM + 6, "\0 ", 2);
	}
}

static void
clear(struct seen *seen)
{
	buf_clear(&seen->text);
	buf_clear(&seen->copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct seen first = {.text = BUF_INIT}, second = {.text = BUF_INIT};
	struct seen third = {.text = BUF_INIT};
	size_t step;
	char *text;
	int status;

	if (n < 1)
		return 0;
	text = text_of(data + 1, n - 1);
	step = data[0] < 2 ? n : (size_t)data[0] * 4;
	if (data[0] % 2 != 0)
		put_sums_right(text, n - 1);
	status = read_all(text, n - 1, step, &first);
	must(read_all(text, n - 1, 1, &second) == status);
	must(first.text.n == second.text.n);
	if (status == 0) {
		must(read_all(first.copy.p, first.copy.n, n, &third) == 0);
		must(third.text.n == first.text.n);
		must(first.text.n == 0 || memcmp(third.text.p, first.text.p,
		    first.text.n) == 0);
	}
	clear(&first);
	clear(&second);
	clear(&third);
	free(text);
	return 0;
}
