#include "lib/data/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct unpack {
	struct archive *archive;
	enum unpack_format format;
	enum unpack_filter filter;
	unpack_source *source;
	void *arg;
	struct err source_failed;
};

static la_ssize_t
read_source(struct archive *a, void *arg, const void **chunk)
{
	struct unpack *u = arg;
	ssize_t n = u->source(u->arg, chunk, &u->source_failed);

	if (n < 0)
		archive_set_error(a, EIO, "read failed");
	return n;
}

static void
restrict_to(struct archive *a, enum unpack_format format,
    enum unpack_filter filter)
{
	switch (format) {
	case UNPACK_AR:
		archive_read_support_format_ar(a);
		break;
	case UNPACK_TAR:
		archive_read_support_format_tar(a);
		break;
	case UNPACK_CPIO:
		archive_read_support_format_cpio(a);
		break;
	case UNPACK_STREAM:
		archive_read_support_format_raw(a);
		break;
	}
	switch (filter) {
	case UNPACK_PLAIN:
		break;
	case UNPACK_XZ:
		archive_read_support_filter_xz(a);
		break;
	case UNPACK_ZSTD:
		archive_read_support_filter_zstd(a);
		break;
	case UNPACK_BZIP2:
		archive_read_support_filter_bzip2(a);
		break;
	case UNPACK_LZMA:
		archive_read_support_filter_lzma(a);
		break;
	}
}

struct unpack *
unpack_open(enum unpack_format format, enum unpack_filter filter,
    unpack_source *source, void *arg)
{
	struct unpack *u = mem_zero(1, sizeof(*u));

	u->format = format;
	u->filter = filter;
	u->source = source;
	u->arg = arg;
	u->archive = archive_read_new();
	if (u->archive == NULL)
		abort();
	restrict_to(u->archive, format, filter);
	/* A failure shows itself at the first unpack_next. */
	(void)archive_read_open(u->archive, u, NULL, read_source, NULL);
	return u;
}

static int
unpack_failed(struct unpack *u, struct err *e)
{
	const char *text = archive_error_string(u->archive);

	if (u->source_failed.kind != ERR_NONE) {
		*e = u->source_failed;
		return -1;
	}
	return err_set(e, archive_errno(u->archive) == ENOMEM ? ERR_RESOURCE :
	    ERR_DATA, "%s", text ? text : "damaged archive");
}

/* libarchive peels off as many layers as it finds: just one is meant. */
static bool
has_right_filter(const struct unpack *u)
{
	static const int codes[] = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_XZ,
	    ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_LZMA};
	int layers = u->filter == UNPACK_PLAIN ? 1 : 2;

	return archive_filter_count(u->archive) == layers &&
	    archive_filter_code(u->archive, 0) == codes[u->filter];
}

int
unpack_next(struct unpack *u, struct member *m, struct err *e)
{
	struct archive_entry *entry;
	int status = archive_read_next_header(u->archive, &entry);
	const char *path;

	if (u->source_failed.kind != ERR_NONE)
		return unpack_failed(u, e);
	if (status == ARCHIVE_EOF)
		return 0;
	if (status != ARCHIVE_OK)
		return unpack_failed(u, e);
	if (!has_right_filter(u))
		return err_set(e, ERR_DATA, "not compressed as its name says");
	path = archive_entry_pathname(entry);
	if (path == NULL || (u->format != UNPACK_STREAM &&
	    archive_entry_size(entry) < 0))
		return err_set(e, ERR_DATA, "archive member without a name");
	m->path = path;
	m->size = (uint64_t)archive_entry_size(entry);
	m->type = MEMBER_OTHER;
	m->hard_link = archive_entry_hardlink(entry);
	m->symbolic_link = archive_entry_filetype(entry) == AE_IFLNK ?
	    archive_entry_symlink(entry) : NULL;
	if (m->symbolic_link != NULL && u->format == UNPACK_CPIO)
		m->size = strlen(m->symbolic_link);
	if (m->hard_link != NULL)
		return 1;
	if (archive_entry_filetype(entry) == AE_IFREG)
		m->type = MEMBER_FILE;
	else if (archive_entry_filetype(entry) == AE_IFDIR)
		m->type = MEMBER_DIR;
	return 1;
}

uint64_t
unpack_position(const struct unpack *u)
{
	la_int64_t at = archive_read_header_position(u->archive);

	return at > 0 ? (uint64_t)at : 0;
}

ssize_t
unpack_read(struct unpack *u, void *p, size_t n, struct err *e)
{
	la_ssize_t got = archive_read_data(u->archive, p, n);

	return got < 0 ? unpack_failed(u, e) : (ssize_t)got;
}

void
unpack_close(struct unpack *u)
{
	if (u == NULL)
		return;
	archive_read_free(u->archive);
	free(u);
}
