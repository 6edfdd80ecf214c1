#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/data/contents.h"
#include "lib/rpm/payload_private.h"
#include "lib/sys/reader.h"

/* include/rpm/rpmtag.h */
enum {
	TAG_PAYLOADFORMAT = 1124, TAG_PAYLOADCOMPRESSOR = 1125,
	TAG_PAYLOADDIGESTALT = 5097
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

/* The order that a reader is given, in one number. */
#define ORDER(packing, algorithm) ((uint32_t)(packing) | \
	(uint32_t)(algorithm) << 8)

/* In a reader: says the digest of what the payload unpacks to. */
static int
unpack_in_reader(uint32_t order, struct err *e)
{
	struct contents c = {.format = UNPACK_CPIO, .source = reader_source,
	    .packing = (enum stream_kind)(order & 0xff),
	    .hash = hash_open_as((enum hash_algorithm)(order >> 8))};
	uint8_t digest[HASH_SIZE_MAX];
	int status = contents_check(&c, e);

	reader_say(digest, hash_finish(c.hash, digest));
	return status;
}

static struct reader *
open_reader(int fd, const struct rpm *r, struct err *e)
{
	const char *format = rpm_header_string(&r->header, TAG_PAYLOADFORMAT);
	enum hash_algorithm algorithm;
	enum stream_kind packing;

	if (format != NULL && strcmp(format, "cpio") != 0) {
		err_set(e, ERR_DATA, "its format is '%s', not cpio", format);
		return NULL;
	}
	if (find_packing(fd, r, &packing, e) < 0 ||
	    payload_algorithm(r, &algorithm, e) < 0)
		return NULL;
	return reader_open(unpack_in_reader, ORDER(packing, algorithm), e);
}

/* Of what it unpacks to; rpm before 4.16 made none. */
static int
check_unpacked(const struct rpm *r, const struct buf *digest, struct err *e)
{
	const char *hex = rpm_header_string(&r->header, TAG_PAYLOADDIGESTALT);

	if (hex == NULL || hash_is_hex(hex, (const uint8_t *)digest->p,
	    digest->n))
		return 0;
	return err_set(e, ERR_DATA, "the digest of what it unpacks to is "
	    "wrong");
}

int
rpm_check_contents(int fd, const char *name, struct rpm *r, struct err *e)
{
	struct payload p = {.fd = fd, .reader = open_reader(fd, r, e)};
	struct buf digest = BUF_INIT;
	int status = -1;

	if (p.reader != NULL && lseek(fd, (off_t)r->payload_start,
	    SEEK_SET) < 0)
		err_sys(e, "read '%s' again", name);
	else if (p.reader != NULL && payload_check(&p, r, e) == 0)
		status = reader_answer(p.reader, name, HASH_SIZE_MAX, &digest,
		    e);
	if (status == 0)
		status = check_unpacked(r, &digest, e);
	reader_close(p.reader);
	buf_clear(&digest);
	return status < 0 ? err_wrap(e, "%s: payload", name) : 0;
}
