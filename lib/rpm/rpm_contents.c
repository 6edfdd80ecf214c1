#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/data/contents.h"
#include "lib/rpm/rpm.h"
#include "lib/sys/cleanup.h"

#define CHUNK ((size_t)128 << 10)

/* include/rpm/rpmtag.h */
enum {
	TAG_PAYLOADFORMAT = 1124, TAG_PAYLOADCOMPRESSOR = 1125,
	TAG_PAYLOADDIGESTALGO = 5093, TAG_PAYLOADDIGESTALT = 5097
};

struct payload {
	int fd;
	char *chunk;
	ssize_t first;	/* bytes of it that were looked at already */
};

static ssize_t
read_payload(void *arg, const void **chunk, struct err *e)
{
	struct payload *p = arg;
	ssize_t n = p->first;

	*chunk = p->chunk;
	p->first = 0;
	if (n > 0)
		return n;
	if (cleanup_check(e) < 0)
		return -1;
	do
		n = read(p->fd, p->chunk, CHUNK);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(e, "read") : n;
}

/*
 * Where the header names no compressor it is gzip, or nothing at all: rpm
 * tells these apart by the first bytes.
 */
static int
find_packing(const struct rpm *r, const struct payload *p,
    enum stream_kind *packing, struct err *e)
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
	size_t i;

	*packing = STREAM_PLAIN;
	if (name == NULL && (p->first < 2 ||
	    memcmp(p->chunk, "\x1f\x8b", 2) != 0))
		return 0;
	for (i = 0; i < COUNT(known); i++)
		if (strcmp(name != NULL ? name : "gzip", known[i].name) == 0) {
			*packing = known[i].packing;
			return 0;
		}
	return err_set(e, ERR_DATA, "it is compressed by '%s', which rpm does "
	    "not know", name);
}

/* Of what it unpacks to; rpm before 4.16 made none. */
static int
check_digest(const struct rpm *r, struct hash *h, struct err *e)
{
	const char *hex = rpm_header_string(&r->header, TAG_PAYLOADDIGESTALT);
	uint8_t digest[HASH_SIZE_MAX];
	size_t n = hash_finish(h, digest);

	if (hex == NULL || hash_is_hex(hex, digest, n))
		return 0;
	return err_set(e, ERR_DATA, "the digest of what it unpacks to is "
	    "wrong");
}

/* Its algorithm is that of the packed bytes, which was looked at before. */
static struct hash *
open_hash(const struct rpm *r)
{
	switch (rpm_header_number(&r->header, TAG_PAYLOADDIGESTALGO, 0, 8)) {
	case 9:
		return hash_open_as(HASH_SHA384);
	case 10:
		return hash_open_as(HASH_SHA512);
	default:
		return hash_open_as(HASH_SHA256);
	}
}

static int
open_payload(const struct rpm *r, struct payload *p, struct err *e)
{
	struct contents c = {.format = UNPACK_CPIO, .source = read_payload,
	    .arg = p};
	const char *format = rpm_header_string(&r->header, TAG_PAYLOADFORMAT);
	const void *chunk;
	int status;

	if (format != NULL && strcmp(format, "cpio") != 0)
		return err_set(e, ERR_DATA, "its format is '%s', not cpio",
		    format);
	p->first = read_payload(p, &chunk, e);
	if (p->first < 0 || find_packing(r, p, &c.packing, e) < 0)
		return -1;
	c.hash = open_hash(r);
	if (c.hash == NULL)
		return err_set(e, ERR_DATA, "no digest of it can be made");
	status = contents_check(&c, e);
	if (status < 0)
		hash_close(c.hash, NULL);
	return status < 0 ? -1 : check_digest(r, c.hash, e);
}

int
rpm_check_contents(int fd, const char *name, const struct rpm *r,
    struct err *e)
{
	struct payload p = {.fd = fd};
	int status;

	if (lseek(fd, (off_t)r->payload_start, SEEK_SET) < 0)
		return err_sys(e, "read '%s' again", name);
	p.chunk = mem_alloc(CHUNK);
	status = open_payload(r, &p, e);
	free(p.chunk);
	return status < 0 ? err_wrap(e, "%s: payload", name) : 0;
}
