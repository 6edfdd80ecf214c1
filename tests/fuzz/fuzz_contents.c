/*
 * What a package installs: a byte for the archive and its packing, one for the
 * length of the pieces, and the packed bytes. A tar that is accepted is so in
 * other pieces too, and, packed by gzip, not without its last byte.
 */
#include "lib/data/contents.h"
#include "tests/fuzz/support.h"

struct feed {
	const uint8_t *p;
	size_t n;
	size_t step;
};

static ssize_t
read_feed(void *arg, const void **chunk, struct err *e)
{
	struct feed *f = arg;
	size_t n = f->n < f->step ? f->n : f->step;

	(void)e;
	*chunk = f->p;
	f->p += n;
	f->n -= n;
	return (ssize_t)n;
}

static bool
is_good(uint8_t kind, const uint8_t *data, size_t n, size_t step)
{
	struct feed f = {data, n, step};
	struct contents c = {.format = kind & 1 ? UNPACK_CPIO : UNPACK_TAR,
	    .packing = (enum stream_kind)(kind / 2 % 6),
	    .source = read_feed, .arg = &f};
	struct err e = ERR_INIT;

	if (contents_check(&c, &e) == 0)
		return true;
	must_have_reason(&e);
	must(e.kind == ERR_DATA);
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 2 || !is_good(data[0], data + 2, n - 2, data[1] + (size_t)1))
		return 0;
	/*
	 * How far libarchive looks for the next header of a damaged cpio, which
	 * has no checksum, depends on the pieces.
	 */
	if ((data[0] & 1) != 0)
		return 0;
	must(is_good(data[0], data + 2, n - 2, n));
	if (data[0] / 2 % 6 == STREAM_GZIP)
		must(!is_good(data[0], data + 2, n - 3, n));
	return 0;
}
