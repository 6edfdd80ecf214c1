#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/data/contents.h"
#include "lib/rpm/listed_private.h"
#include "lib/rpm/payload_private.h"
#include "lib/sys/reader.h"

/* include/rpm/rpmtag.h */
enum {
	TAG_PAYLOADFORMAT = 1124, TAG_PAYLOADCOMPRESSOR = 1125
};

/*
 * Where the header names no compressor it is gzip, or nothing at all: rpm
 * tells these apart by the first bytes.
 */
static int
find_packing(int fd, const struct rpm *r, enum stream_kind *packing,
    struct err *e)
{
	static const struct {
		const char *name;
		enum stream_kind packing;
	} known[] = {
		{"gzip", STREAM_GZIP}, {"xz", STREAM_XZ},
		{"zstd", STREAM_ZSTD}, {"bzip2", STREAM_BZIP2},
		{"lzma", STREAM_LZMA},
	};
	const char *name = rpm_header_string(&r->header,
	    TAG_PAYLOADCOMPRESSOR);
	char first[2];
	size_t i;

	*packing = STREAM_PLAIN;
	if (name == NULL && (pread(fd, first, sizeof(first),
	    (off_t)r->payload_start) != sizeof(first) ||
	    memcmp(first, "\x1f\x8b", sizeof(first)) != 0))
		return 0;
	for (i = 0; i < COUNT(known); i++)
		if (strcmp(name != NULL ? name : "gzip", known[i].name) == 0) {
			*packing = known[i].packing;
			return 0;
		}
	return err_set(e, ERR_DATA, "it is compressed by '%s', which rpm does "
	    "not know", name);
}

/* ------------------------------------------------------------ in a reader */

/* What it is given: the main header, which says its size, and the payload. */
struct fed {
	const void *p;		/* given, and not taken yet */
	size_t n;
};

static ssize_t
read_fed(void *arg, const void **chunk, struct err *e)
{
	struct fed *f = arg;
	size_t n = f->n;

	*chunk = f->p;
	f->n = 0;
	return n > 0 ? (ssize_t)n : reader_source(NULL, chunk, e);
}

static int
take(struct fed *f, size_t wanted, struct buf *b, struct err *e)
{
	size_t n;
	ssize_t got;

	while (b->n < wanted) {
		got = read_fed(f, &f->p, e);
		if (got <= 0)
			return got < 0 ? -1 : err_set(e, ERR_DATA, "it ends in "
			    "its header");
		n = (size_t)got;
		if (n > wanted - b->n)
			n = wanted - b->n;
		buf_add(b, f->p, n);
		f->p = (const char *)f->p + n;
		f->n = (size_t)got - n;
	}
	return 0;
}

static int
take_header(struct fed *f, struct rpm_header *h, struct err *e)
{
	size_t size;

	if (take(f, RPM_INTRO, &h->blob, e) < 0 ||
	    rpm_header_size((const uint8_t *)h->blob.p, RPM_MAIN, &size,
	    e) < 0 ||
	    take(f, size, &h->blob, e) < 0)
		return -1;
	return rpm_header_check(h, RPM_MAIN, e);
}

static int
unpack_in_reader(uint32_t packing, struct err *e)
{
	struct fed f = {.n = 0};
	struct rpm_header header = RPM_HEADER_INIT;
	struct listed l = LISTED_INIT;
	struct contents c = {.format = UNPACK_CPIO, .source = read_fed,
	    .arg = &f, .packing = (enum stream_kind)packing,
	    .judge = listed_member, .judge_arg = &l};
	int status = take_header(&f, &header, e);

	if (status == 0)
		status = listed_read(&header, &l, e);
	if (status == 0)
		status = contents_check(&c, e);
	if (status == 0 && c.is_named)
		status = listed_end(&l, e);
	listed_clear(&l);
	rpm_header_clear(&header);
	return status;
}

/* ----------------------------------------------------------- from outside */

static struct reader *
open_reader(int fd, const struct rpm *r, struct err *e)
{
	const char *format = rpm_header_string(&r->header, TAG_PAYLOADFORMAT);
	enum stream_kind packing;

	if (format != NULL && strcmp(format, "cpio") != 0) {
		err_set(e, ERR_DATA, "its format is '%s', not cpio", format);
		return NULL;
	}
	if (find_packing(fd, r, &packing, e) < 0)
		return NULL;
	return reader_open(unpack_in_reader, packing, e);
}

static int
feed(struct reader *reader, int fd, const char *name, struct rpm *r,
    struct err *e)
{
	struct payload p = {.fd = fd, .reader = reader};

	if (lseek(fd, (off_t)r->payload_start, SEEK_SET) < 0)
		return err_sys(e, "read '%s' again", name);
	if (reader_feed(reader, r->header.blob.p, r->header.blob.n, e) < 0)
		return -1;
	return payload_check(&p, r, e);
}

int
rpm_check_contents(int fd, const char *name, struct rpm *r, struct err *e)
{
	struct reader *reader = open_reader(fd, r, e);
	struct buf nothing = BUF_INIT;
	int status = -1;

	if (reader != NULL && feed(reader, fd, name, r, e) == 0)
		status = reader_answer(reader, name, 0, &nothing, e);
	reader_close(reader);
	buf_clear(&nothing);
	return status < 0 ? err_wrap(e, "%s: payload", name) : 0;
}
