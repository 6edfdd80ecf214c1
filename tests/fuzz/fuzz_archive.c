/*
 * Archives as readers unpack them. The first byte chooses format and filter,
 * the second one how long the pieces are in which the others come.
 */
#include "lib/data/archive.h"
#include "tests/fuzz/support.h"

#define MOST ((uint64_t)16 << 20)	/* bytes unpacked: then it is enough */

struct source {
	const uint8_t *p;
	size_t n;
	size_t step;
	uint8_t *piece;	/* of its own, so that a read beyond it is seen */
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

static int
unpack_all(struct unpack *u, struct err *e)
{
	static char chunk[4096];
	uint64_t total = 0;
	struct member m;
	ssize_t got = 0;
	int status;

	while ((status = unpack_next(u, &m, e)) > 0) {
		must(m.path != NULL);
		while (total < MOST &&
		    (got = unpack_read(u, chunk, sizeof(chunk), e)) > 0) {
			must((size_t)got <= sizeof(chunk));
			total += (uint64_t)got;
		}
		if (got < 0)
			return -1;
		if (total >= MOST)
			return 0;
	}
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum unpack_format formats[] = {
		UNPACK_AR, UNPACK_TAR, UNPACK_STREAM,
	};
	static const enum unpack_filter filters[] = {
		UNPACK_PLAIN, UNPACK_XZ, UNPACK_ZSTD,
	};
	struct source s = {.p = data + 2, .n = n - 2};
	struct err e = ERR_INIT;
	struct unpack *u;

	if (n < 2)
		return 0;
	s.step = data[1] == 0 ? n : (size_t)data[1] * 8;
	u = unpack_open(formats[data[0] % 3], filters[data[0] / 3 % 3],
	    next_piece, &s);
	if (unpack_all(u, &e) < 0)
		must_have_reason(&e);
	unpack_close(u);
	free(s.piece);
	return 0;
}
