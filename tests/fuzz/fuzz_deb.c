/*
 * A whole .deb: what deb_read accepts has a name that is safe in a path, and
 * its fields are what the control text says.
 */
#include "lib/base/path.h"
#include "lib/deb/control.h"
#include "lib/deb/deb.h"
#include "tests/fuzz/support.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = ERR_INIT;
	struct deb d = DEB_INIT;
	struct buf copied = BUF_INIT;
	struct out *copy = out_buf(&copied);
	int fd = file_of(data, n);
	char *name, *package;

	if (deb_read(fd, "fuzz.deb", copy, &d, &e) == 0) {
		name = deb_file_name(&d);
		must(path_is_name(name));
		free(name);
		package = control_get(d.control.p, d.control.p + d.control.n,
		    "Package");
		must(package != NULL && strcmp(package, d.package) == 0);
		free(package);
		must(d.digest.size == n);
		must(out_commit(copy, &e) == 0);
		must(copied.n == n && memcmp(copied.p, data, n) == 0);
	} else {
		must_have_reason(&e);
		out_discard(copy);
	}
	buf_clear(&copied);
	deb_clear(&d);
	close(fd);
	return 0;
}
