#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/rpm/payload_private.h"
#include "lib/sys/fs.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/reader.h"

#define CHUNK ((size_t)128 << 10)

/* include/rpm/rpmtag.h */
enum {
	SIGTAG_LONGSIZE = 270, SIGTAG_SIZE = 1000, SIGTAG_MD5 = 1004,
	TAG_PAYLOADDIGEST = 5092, TAG_PAYLOADDIGESTALGO = 5093,
	TAG_PAYLOADDIGESTALT = 5097
};

#define PGP_SHA256 8	/* RFC 9580 9.5, which rpm's tags have numbers from */

/*
 * The header names the algorithm, but rpm takes any digest there for a SHA-256
 * (lib/rpmvs.c): another is wrong for it. A v6 package need not say so.
 */
static int
check_algorithm(const struct rpm *r, struct err *e)
{
	uint64_t algorithm = rpm_header_number(&r->header,
	    TAG_PAYLOADDIGESTALGO, 0, r->is_v6 ? PGP_SHA256 : 0);

	return algorithm == PGP_SHA256 ? 0 : err_set(e, ERR_DATA, "the digest "
	    "of the payload is of the algorithm %llu; rpm knows SHA-256 "
	    "alone, which is 8", (unsigned long long)algorithm);
}

struct digests {
	struct hash *hash;
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
	if (check_algorithm(r, e) < 0)
		return -1;
	d->hash = hash_open_as(HASH_SHA256);
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
	return status;
}

int
rpm_read_payload(int fd, const char *name, struct out *copy, struct rpm *r,
    struct err *e)
{
	struct payload p = {.fd = fd, .copy = copy};

	return payload_check(&p, r, e) < 0 ? err_wrap(e, "%s", name) : 0;
}
