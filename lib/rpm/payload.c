#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/data/contents.h"
#include "lib/rpm/rpm.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"

#define CHUNK ((size_t)128 << 10)

/* include/rpm/rpmtag.h */
enum {
	SIGTAG_LONGSIZE = 270, SIGTAG_SIZE = 1000, SIGTAG_MD5 = 1004,
	TAG_PAYLOADFORMAT = 1124, TAG_PAYLOADCOMPRESSOR = 1125,
	TAG_PAYLOADDIGEST = 5092, TAG_PAYLOADDIGESTALGO = 5093,
	TAG_PAYLOADDIGESTALT = 5097
};

/* RFC 9580 9.5, which rpm's tags have their numbers from */
enum { PGP_SHA256 = 8, PGP_SHA384 = 9, PGP_SHA512 = 10 };

/*
 * Of the algorithm that the header names for its payload, packed and unpacked;
 * a v6 package need not say SHA-256.
 */
static struct hash *
open_hash(const struct rpm *r, struct err *e)
{
	uint64_t algorithm = rpm_header_number(&r->header,
	    TAG_PAYLOADDIGESTALGO, 0, r->is_v6 ? PGP_SHA256 : 0);
	struct hash *h = NULL;

	if (algorithm == PGP_SHA256)
		h = hash_open_as(HASH_SHA256);
	else if (algorithm == PGP_SHA384)
		h = hash_open_as(HASH_SHA384);
	else if (algorithm == PGP_SHA512)
		h = hash_open_as(HASH_SHA512);
	if (h == NULL)
		err_set(e, ERR_DATA, "the digest of the payload is of the "
		    "algorithm %llu, must be 8 to 10",
		    (unsigned long long)algorithm);
	return h;
}

/* --------------------------------------------------------- as it is packed */

struct digests {
	struct hash *hash;	/* as the header says */
	const char *hex;	/* what it must be */
	struct hash *md5;	/* of header and payload; NULL: not compared */
};

static int
open_digests(const struct rpm *r, struct digests *d, struct err *e)
{
	d->hex = rpm_header_string(&r->header, TAG_PAYLOADDIGEST);
	if (d->hex == NULL)
		return err_set(e, ERR_DATA, "has no digest of its payload");
	d->hash = open_hash(r, e);
	if (d->hash == NULL)
		return -1;
	if (rpm_header_count(&r->signature, SIGTAG_MD5) > 0)
		d->md5 = hash_open_as(HASH_MD5);
	if (d->md5 != NULL)
		hash_add(d->md5, r->header.blob.p, r->header.blob.n);
	return 0;
}

static int
read_payload(int fd, struct out *copy, struct digests *d, struct rpm *r,
    struct err *e)
{
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;

	r->payload_size = 0;
	while ((n = io_read(fd, chunk, CHUNK, NULL, e)) > 0) {
		hash_add(d->hash, chunk, (size_t)n);
		if (d->md5 != NULL)
			hash_add(d->md5, chunk, (size_t)n);
		if (copy != NULL)
			out_add(copy, chunk, (size_t)n);
		r->payload_size += (uint64_t)n;
		log_progress_add((uint64_t)n);
	}
	free(chunk);
	return (int)n;
}

/* In a signature header there is one of the two, or none. */
static int
check_sizes(const struct rpm *r, struct err *e)
{
	static const uint32_t tags[] = {SIGTAG_LONGSIZE, SIGTAG_SIZE};
	uint64_t size = r->header.blob.n + r->payload_size, said;
	size_t i;

	for (i = 0; i < COUNT(tags); i++) {
		said = rpm_header_number(&r->signature, tags[i], 0,
		    rpm_header_count(&r->signature, tags[i]) > 0 ?
		    UINT64_MAX : size);
		if (said != size)
			return err_set(e, ERR_DATA, "header and payload are "
			    "%llu bytes, not %llu: %s",
			    (unsigned long long)size, (unsigned long long)said,
			    size < said ? "truncated" : "something follows");
	}
	return 0;
}

static int
check_digests(struct digests *d, const struct rpm *r, struct err *e)
{
	uint8_t digest[HASH_SIZE_MAX];
	const uint8_t *said;
	size_t n, said_n;

	if (check_sizes(r, e) < 0)
		return -1;
	n = hash_finish(d->hash, digest);
	d->hash = NULL;
	if (!hash_is_hex(d->hex, digest, n))
		return err_set(e, ERR_DATA, "the payload's digest is wrong");
	if (d->md5 == NULL)
		return 0;
	n = hash_finish(d->md5, digest);
	d->md5 = NULL;
	said = rpm_header_bytes(&r->signature, SIGTAG_MD5, &said_n);
	if (said == NULL || said_n != n || memcmp(said, digest, n) != 0)
		return err_set(e, ERR_DATA, "the MD5 of header and payload is "
		    "wrong");
	return 0;
}

int
rpm_read_payload(int fd, const char *name, struct out *copy, struct rpm *r,
    struct err *e)
{
	struct digests d = {.hash = NULL};
	int status = -1;

	if (open_digests(r, &d, e) == 0 &&
	    read_payload(fd, copy, &d, r, e) == 0)
		status = check_digests(&d, r, e);
	hash_close(d.hash, NULL);
	hash_close(d.md5, NULL);
	return status < 0 ? err_wrap(e, "%s", name) : 0;
}

/* --------------------------------------------------------------- unpacked */

struct packed {
	int fd;
	char *chunk;
	ssize_t first;	/* bytes of it that were looked at already */
};

static ssize_t
read_packed(void *arg, const void **chunk, struct err *e)
{
	struct packed *p = arg;
	ssize_t n = p->first;

	*chunk = p->chunk;
	p->first = 0;
	return n > 0 ? n : io_read(p->fd, p->chunk, CHUNK, NULL, e);
}

/*
 * Where the header names no compressor it is gzip, or nothing at all: rpm
 * tells these apart by the first bytes.
 */
static int
find_packing(const struct rpm *r, const struct packed *p,
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
check_unpacked(const struct rpm *r, struct hash *h, struct err *e)
{
	const char *hex = rpm_header_string(&r->header, TAG_PAYLOADDIGESTALT);
	uint8_t digest[HASH_SIZE_MAX];
	size_t n = hash_finish(h, digest);

	if (hex == NULL || hash_is_hex(hex, digest, n))
		return 0;
	return err_set(e, ERR_DATA, "the digest of what it unpacks to is "
	    "wrong");
}

static int
unpack(const struct rpm *r, struct packed *p, struct err *e)
{
	struct contents c = {.format = UNPACK_CPIO, .source = read_packed,
	    .arg = p};
	const char *format = rpm_header_string(&r->header, TAG_PAYLOADFORMAT);

	if (format != NULL && strcmp(format, "cpio") != 0)
		return err_set(e, ERR_DATA, "its format is '%s', not cpio",
		    format);
	p->first = io_read(p->fd, p->chunk, CHUNK, NULL, e);
	if (p->first < 0 || find_packing(r, p, &c.packing, e) < 0)
		return -1;
	c.hash = open_hash(r, e);
	if (c.hash == NULL)
		return -1;
	if (contents_check(&c, e) < 0) {
		hash_close(c.hash, NULL);
		return -1;
	}
	return check_unpacked(r, c.hash, e);
}

int
rpm_check_contents(int fd, const char *name, const struct rpm *r,
    struct err *e)
{
	struct packed p = {.fd = fd};
	int status;

	if (lseek(fd, (off_t)r->payload_start, SEEK_SET) < 0)
		return err_sys(e, "read '%s' again", name);
	p.chunk = mem_alloc(CHUNK);
	status = unpack(r, &p, e);
	free(p.chunk);
	return status < 0 ? err_wrap(e, "%s: payload", name) : 0;
}
