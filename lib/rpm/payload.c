#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/data/contents.h"
#include "lib/rpm/rpm.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/reader.h"

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
static int
find_algorithm(const struct rpm *r, enum hash_algorithm *found, struct err *e)
{
	uint64_t algorithm = rpm_header_number(&r->header,
	    TAG_PAYLOADDIGESTALGO, 0, r->is_v6 ? PGP_SHA256 : 0);

	switch (algorithm) {
	case PGP_SHA256:
		*found = HASH_SHA256;
		return 0;
	case PGP_SHA384:
		*found = HASH_SHA384;
		return 0;
	case PGP_SHA512:
		*found = HASH_SHA512;
		return 0;
	default:
		return err_set(e, ERR_DATA, "the digest of the payload is of "
		    "the algorithm %llu, must be 8 to 10",
		    (unsigned long long)algorithm);
	}
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
	enum hash_algorithm algorithm;

	d->hex = rpm_header_string(&r->header, TAG_PAYLOADDIGEST);
	if (d->hex == NULL)
		return err_set(e, ERR_DATA, "has no digest of its payload");
	if (find_algorithm(r, &algorithm, e) < 0)
		return -1;
	d->hash = hash_open_as(algorithm);
	if (rpm_header_count(&r->signature, SIGTAG_MD5) > 0)
		d->md5 = hash_open_as(HASH_MD5);
	if (d->md5 != NULL)
		hash_add(d->md5, r->header.blob.p, r->header.blob.n);
	return 0;
}

/* The payload's bytes, and where they go: either may be NULL. */
struct payload {
	int fd;
	struct out *copy;
	struct reader *reader;
};

static int
read_payload(const struct payload *p, struct digests *d, struct rpm *r,
    struct err *e)
{
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;

	r->payload_size = 0;
	while ((n = io_read(p->fd, chunk, CHUNK, NULL, e)) > 0) {
		hash_add(d->hash, chunk, (size_t)n);
		if (d->md5 != NULL)
			hash_add(d->md5, chunk, (size_t)n);
		if (p->copy != NULL)
			out_add(p->copy, chunk, (size_t)n);
		r->payload_size += (uint64_t)n;
		log_progress_add((uint64_t)n);
		if (p->reader != NULL &&
		    reader_feed(p->reader, chunk, (size_t)n, e) < 0) {
			n = -1;
			break;
		}
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

static int
check_payload(const struct payload *p, struct rpm *r, struct err *e)
{
	struct digests d = {.hash = NULL};
	int status = -1;

	if (open_digests(r, &d, e) == 0 && read_payload(p, &d, r, e) == 0)
		status = check_digests(&d, r, e);
	hash_close(d.hash, NULL);
	hash_close(d.md5, NULL);
	return status;
}

int
rpm_read_payload(int fd, const char *name, struct out *copy, struct rpm *r,
    struct err *e)
{
	struct payload p = {.fd = fd, .copy = copy};

	return check_payload(&p, r, e) < 0 ? err_wrap(e, "%s", name) : 0;
}

/* --------------------------------------------------------------- unpacked */

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
	    find_algorithm(r, &algorithm, e) < 0)
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
	else if (p.reader != NULL && check_payload(&p, r, e) == 0)
		status = reader_answer(p.reader, name, HASH_SIZE_MAX, &digest,
		    e);
	if (status == 0)
		status = check_unpacked(r, &digest, e);
	reader_close(p.reader);
	buf_clear(&digest);
	return status < 0 ? err_wrap(e, "%s: payload", name) : 0;
}
