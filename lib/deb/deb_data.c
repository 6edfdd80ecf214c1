#include "lib/deb/deb_data.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/data/contents.h"

#define CHUNK ((size_t)128 << 10)

/* All that dpkg unpacks. */
static bool
is_data_member(const char *name, enum stream_kind *packing)
{
	static const struct {
		const char *name;
		enum stream_kind packing;
	} known[] = {
		{"data.tar", STREAM_PLAIN}, {"data.tar.gz", STREAM_GZIP},
		{"data.tar.xz", STREAM_XZ}, {"data.tar.zst", STREAM_ZSTD},
		{"data.tar.bz2", STREAM_BZIP2}, {"data.tar.lzma", STREAM_LZMA},
	};
	size_t i;

	for (i = 0; i < COUNT(known); i++)
		if (strcmp(name, known[i].name) == 0) {
			*packing = known[i].packing;
			return true;
		}
	return false;
}

struct data {
	struct unpack *ar;	/* at the member */
	char *chunk;
};

static ssize_t
read_data(void *arg, const void **chunk, struct err *e)
{
	struct data *d = arg;

	*chunk = d->chunk;
	return unpack_read(d->ar, d->chunk, CHUNK, e);
}

int
deb_data_read(struct unpack *ar, const struct member *m, bool is_whole,
    struct err *e)
{
	struct data d = {.ar = ar};
	struct contents c = {.format = UNPACK_TAR, .source = read_data,
	    .arg = &d};
	char name[sizeof("data.tar.lzma")];
	int status;

	if (!is_data_member(m->path, &c.packing))
		return err_set(e, ERR_DATA, "the third member is '%s', not "
		    "data.tar, or that with .gz, .xz, .zst, .bz2 or .lzma",
		    m->path);
	if (!is_whole)
		return 0;
	strcpy(name, m->path);
	d.chunk = mem_alloc(CHUNK);
	status = contents_check(&c, e);
	free(d.chunk);
	return status < 0 ? err_wrap(e, "%s", name) : 0;
}
