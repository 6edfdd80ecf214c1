/*
 * What a reader answers, which is hostile: frames lie within the bytes, and an
 * error is one of three kinds, with a reason.
 */
#include "lib/sys/reader.h"
#include "tests/fuzz/support.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *bytes = text_of(data, n), *p = bytes;
	struct reader_frame f;
	struct err e = ERR_INIT;
	size_t left = n;
	ssize_t used;

	while ((used = reader_decode(p, left, &f)) > 0) {
		must((size_t)used <= left && f.n <= READER_FRAME);
		must(f.p == p + READER_HEAD);
		must((size_t)used == READER_HEAD + f.n);
		if (f.kind == READER_ERROR) {
			reader_decode_error(&f, &e);
			must_have_reason(&e);
			must(e.kind == ERR_DATA || e.kind == ERR_IO ||
			    e.kind == ERR_RESOURCE);
		}
		p += used;
		left -= (size_t)used;
	}
	must(used <= 0);
	free(bytes);
	return 0;
}
