/*
 * A whole .deb, as its reader opens it, and then as the tool reads what that
 * says: what is accepted has a name that is safe in a path, and its fields are
 * what the control text says.
 */
#include "lib/base/path.h"
#include "lib/deb/control.h"
#include "lib/deb/deb.h"
#include "tests/fuzz/support.h"

struct bytes {
	const uint8_t *p;
	size_t n;
};

static ssize_t
next_bytes(void *arg, const void **chunk, struct err *e)
{
	struct bytes *b = arg;
	size_t n = b->n < 4096 ? b->n : 4096;

	(void)e;
	*chunk = b->p;
	b->p += n;
	b->n -= n;
	return (ssize_t)n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = ERR_INIT;
	struct deb d = DEB_INIT;
	struct bytes bytes = {data, n};
	struct buf text = BUF_INIT;
	char *name, *package;

	if (deb_unpack(next_bytes, &bytes, true, &text, &e) == 0 &&
	    deb_parse_control(buf_cstr(&text), text.n, &d, &e) == 0) {
		name = deb_file_name(&d);
		must(path_is_name(name));
		free(name);
		package = control_get(d.control.p, d.control.p + d.control.n,
		    "Package");
		must(package != NULL && strcmp(package, d.package) == 0);
		free(package);
		must(bytes.n == 0);
	} else {
		must_have_reason(&e);
	}
	buf_clear(&text);
	deb_clear(&d);
	return 0;
}
