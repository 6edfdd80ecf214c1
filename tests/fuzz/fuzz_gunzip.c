/*
 * gzip data, of control.tar.gz and Packages.gz: never more than was allowed
 * comes out, and what was packed by ourselves comes back.
 */
#include "lib/data/inflate.h"
#include "lib/data/out.h"
#include "tests/fuzz/support.h"

#define MOST ((size_t)1 << 20)

static int
take(const void *data, size_t n, void *arg)
{
	buf_add(arg, data, n);
	return 0;
}

static void
check_again(const struct buf *plain)
{
	struct buf packed = BUF_INIT, again = BUF_INIT;
	struct out *o = out_gzip(out_buf(&packed));
	struct err e = ERR_INIT;

	out_add(o, plain->p, plain->n);
	must(out_commit(o, &e) == 0);
	must(gunzip_whole(packed.p, packed.n, MOST, take, &again, &e) == 0);
	must(again.n == plain->n);
	must(again.n == 0 || memcmp(again.p, plain->p, again.n) == 0);
	buf_clear(&packed);
	buf_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf plain = BUF_INIT;
	struct err e = ERR_INIT;
	int status = gunzip_whole(data, n, MOST, take, &plain, &e);

	must(plain.n <= MOST);
	if (status == 0)
		check_again(&plain);
	else
		must_have_reason(&e);
	buf_clear(&plain);
	return 0;
}
