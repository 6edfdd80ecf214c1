#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/data/contents.h"
#include "lib/rpm/listed_private.h"
#include "lib/rpm/rpm.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/reader.h"

#define CHUNK ((size_t)128 << 10)

/* include/rpm/rpmtag.h */
enum {
	SIGTAG_LONGSIZE = 270, SIGTAG_SIZE = 1000, SIGTAG_MD5 = 1004,
	TAG_PAYLOADDIGEST = 5092, TAG_PAYLOADDIGESTALGO = 5093
};

#define PGP_SHA256 8	/* RFC 9580 9.5, which rpm's tags have numbers from */

/*
 * Of the payload, packed and unpacked. The header names the algorithm, but rpm
 * takes any digest there for a SHA-256 (lib/rpmvs.c): another is wrong for it.
 * A v6 package need not say so.
 */
static struct hash *
open_hash(const struct rpm *r, struct err *e)
{
	uint64_t algorithm = rpm_header_number(&r->header,
	    TAG_PAYLOADDIGESTALGO, 0, r->is_v6 ? PGP_SHA256 : 0);

	if (algorithm == PGP_SHA256)
		return hash_open_as(HASH_SHA256);
	err_set(e, ERR_DATA, "the digest of the payload is of the algorithm "
	    "%llu; rpm knows SHA-256 alone, which is 8",
	    (unsigned long long)algorithm);
	return NULL;
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
	/*
	 * 5097 is meant for the unpacked payload, but rpm 4.18 compares it with
	 * the packed one, and is content if one of both is right. Here 5092
	 * must be; 5097 counts where that is missing, and for the same.
	 */
	d->hex = rpm_header_string(&r->header, TAG_PAYLOADDIGEST);
	if (d->hex == NULL)
		d->hex = rpm_header_string(&r->header, TAG_PAYLOADDIGESTALT);
	if (d->hex == NULL)
		return err_set(e, ERR_DATA, "has no digest of its payload");
	if (payload_algorithm(r, &algorithm, e) < 0)
		return -1;
	d->hash = hash_open_as(algorithm);
	if (rpm_header_count(&r->signature, SIGTAG_MD5) > 0)
		d->md5 = hash_open_as(HASH_MD5);
	if (d->md5 != NULL)
		hash_add(d->md5, r->header.blob.p, r->header.blob.n);
	return 0;
}

static int
read_payload(const struct payload *p, struct digests *d, struct rpm *r,
    struct err *e)
{
	char *chunk = mem_alloc(CHUNK);
	uint64_t left;
	int status = fs_bytes_left(p->fd, &left, e);
	ssize_t n = 0;

	r->payload_size = 0;
	while (status == 0 && (n = io_read(p->fd, chunk, CHUNK, NULL,
	    e)) > 0) {
		if ((uint64_t)n > left - r->payload_size) {
			status = err_set(e, ERR_DATA, "it has grown while it "
			    "was read");
			break;
		}
		hash_add(d->hash, chunk, (size_t)n);
		if (d->md5 != NULL)
			hash_add(d->md5, chunk, (size_t)n);
		if (p->copy != NULL)
			out_add(p->copy, chunk, (size_t)n);
		r->payload_size += (uint64_t)n;
		log_progress_add((uint64_t)n);
		if (p->reader != NULL)
			status = reader_feed(p->reader, chunk, (size_t)n, e);
	}
	free(chunk);
	return n < 0 ? -1 : status;
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
payload_check(const struct payload *p, struct rpm *r, struct err *e)
{
	struct digests d = {.hash = NULL};
	int status = -1;

	if (open_digests(r, &d, e) == 0 && read_payload(p, &d, r, e) == 0)
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

static int
unpack(const struct rpm *r, struct packed *p, struct err *e)
{
	struct listed l;
	struct contents c = {.format = UNPACK_CPIO, .source = read_packed,
	    .arg = p, .judge = listed_member, .judge_arg = &l};
	int status;
	const char *format = rpm_header_string(&r->header, TAG_PAYLOADFORMAT);

	if (format != NULL && strcmp(format, "cpio") != 0)
		return err_set(e, ERR_DATA, "its format is '%s', not cpio",
		    format);
	p->first = io_read(p->fd, p->chunk, CHUNK, NULL, e);
	if (p->first < 0 || find_packing(r, p, &c.packing, e) < 0)
		return -1;
	status = listed_read(&r->header, &l, e);
	if (status == 0)
		status = contents_check(&c, e);
	if (status == 0 && c.is_named)
		status = listed_end(&l, e);
	listed_clear(&l);
	return status;
}

int
rpm_read_payload(int fd, const char *name, struct out *copy, struct rpm *r,
    struct err *e)
{
	struct payload p = {.fd = fd, .copy = copy};

	return payload_check(&p, r, e) < 0 ? err_wrap(e, "%s", name) : 0;
}

/* A payload that was damaged on its way is that, whatever came of it. */
static void
prefer_digest(int fd, const char *name, struct rpm *r, struct err *e)
{
	struct err digest = ERR_INIT;

	if (e->kind == ERR_DATA &&
	    lseek(fd, (off_t)r->payload_start, SEEK_SET) >= 0 &&
	    rpm_read_payload(fd, name, NULL, r, &digest) < 0)
		*e = digest;
}

int
rpm_judge(int fd, const char *name, struct rpm *r, struct err *e)
{
	if (rpm_read(fd, name, r, e) < 0)
		return -1;
	if (rpm_check_contents(fd, name, r, e) < 0) {
		prefer_digest(fd, name, r, e);
		return -1;
	}
	if (lseek(fd, (off_t)r->payload_start, SEEK_SET) < 0)
		return err_sys(e, "read '%s' again", name);
	return 0;
}
