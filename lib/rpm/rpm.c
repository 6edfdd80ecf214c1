#include "lib/rpm/rpm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/log.h"

#define CHUNK ((size_t)128 << 10)

/* include/rpm/rpmtag.h */
enum {
	SIGTAG_SHA1 = 269, SIGTAG_LONGSIZE = 270, SIGTAG_SHA256 = 273,
	SIGTAG_SHA3_256 = 279, SIGTAG_SIZE = 1000, SIGTAG_MD5 = 1004,
	TAG_PAYLOADDIGEST = 5092, TAG_PAYLOADDIGESTALGO = 5093
};

/* RFC 9580 9.5, which rpm's tags have their numbers from */
enum { PGP_SHA256 = 8, PGP_SHA384 = 9, PGP_SHA512 = 10 };

/* ------------------------------------------------------- lead and headers */

/* At most n bytes, 0 at the end of the file. */
static ssize_t
read_some(int fd, void *data, size_t n, struct err *e)
{
	ssize_t got;

	if (cleanup_check(e) < 0)
		return -1;
	do
		got = read(fd, data, n < CHUNK ? n : CHUNK);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(e, "read");
	log_progress_add((uint64_t)got);
	return got;
}

static int
read_all(int fd, void *data, size_t n, struct err *e)
{
	size_t done = 0;
	ssize_t got;

	while (done < n) {
		got = read_some(fd, (char *)data + done, n - done, e);
		if (got < 0)
			return -1;
		if (got == 0)
			return err_set(e, ERR_DATA, "truncated: the file ends "
			    "after %zu of %zu bytes", done, n);
		done += (size_t)got;
	}
	return 0;
}

/* lib/rpmlead.c: what else stands in the lead, rpm does not look at. */
static int
check_lead(const uint8_t lead[RPM_LEAD], struct err *e)
{
	unsigned type = be16_read(lead + 6);
	unsigned signature_type = be16_read(lead + 78);

	if (memcmp(lead, "\xed\xab\xee\xdb", 4) != 0)
		return err_set(e, ERR_DATA, "not an rpm package");
	if (lead[4] < 3 || lead[4] > 4)
		return err_set(e, ERR_DATA, "package format %d is unknown",
		    lead[4]);
	if (type == 1)
		return err_set(e, ERR_DATA, "a source package, only binary "
		    "ones are published");
	if (type != 0)
		return err_set(e, ERR_DATA, "package type %u is unknown",
		    type);
	if (signature_type != 5)
		return err_set(e, ERR_DATA, "signature type %u is not that of "
		    "a signature header", signature_type);
	return 0;
}

static int
read_lead(int fd, struct rpm *r, struct err *e)
{
	if (read_all(fd, r->lead, RPM_LEAD, e) < 0)
		return err_wrap(e, "lead");
	return check_lead(r->lead, e);
}

static int
read_header(int fd, struct rpm_header *h, enum rpm_header_kind kind,
    struct err *e)
{
	uint8_t intro[RPM_INTRO];
	char *room;
	size_t n;

	if (read_all(fd, intro, RPM_INTRO, e) < 0 ||
	    rpm_header_size(intro, kind, &n, e) < 0)
		goto failed;
	room = buf_room(&h->blob, n);
	memcpy(room, intro, RPM_INTRO);
	if (read_all(fd, room + RPM_INTRO, n - RPM_INTRO, e) < 0)
		goto failed;
	h->blob.n = n;
	if (rpm_header_check(h, kind, e) == 0)
		return 0;
failed:
	return err_wrap(e, kind == RPM_MAIN ? "header" : "signature header");
}

/* The main header begins at a multiple of 8. */
static int
read_padding(int fd, struct rpm *r, struct err *e)
{
	static const uint8_t zeros[8];
	size_t n = -r->signature.blob.n % 8;
	uint8_t bytes[8];

	if (read_all(fd, bytes, n, e) < 0)
		return err_wrap(e, "padding of the signature header");
	if (memcmp(bytes, zeros, n) != 0)
		return err_set(e, ERR_DATA, "the signature header is followed "
		    "by other than zero bytes");
	r->header_start = RPM_LEAD + r->signature.blob.n + n;
	return 0;
}

/* ------------------------------------------- digests of the main header */

static int
check_header_digest(const struct rpm *r, uint32_t tag,
    enum hash_algorithm algorithm, const char *name, struct err *e)
{
	const char *hex = rpm_header_string(&r->signature, tag);
	struct hash *h = hash_open_as(algorithm);
	uint8_t digest[HASH_SIZE_MAX];
	size_t n;

	if (h == NULL)
		return 0;	/* FIPS; SHA-256 is never missing */
	hash_add(h, r->header.blob.p, r->header.blob.n);
	n = hash_finish(h, digest);
	if (hex == NULL || !hash_is_hex(hex, digest, n))
		return err_set(e, ERR_DATA, "the header's %s is wrong", name);
	return 0;
}

static bool
has_signature_tag(const struct rpm *r, uint32_t tag)
{
	return rpm_header_count(&r->signature, tag) > 0;
}

static int
check_header_digests(struct rpm *r, struct err *e)
{
	if (!has_signature_tag(r, SIGTAG_SHA256))
		return err_set(e, ERR_DATA, "made by an rpm older than 4.14, "
		    "has no SHA-256 of its header");
	if (check_header_digest(r, SIGTAG_SHA256, HASH_SHA256, "SHA-256",
	    e) < 0)
		return -1;
	if (has_signature_tag(r, SIGTAG_SHA1) &&
	    check_header_digest(r, SIGTAG_SHA1, HASH_SHA1, "SHA-1", e) < 0)
		return -1;
	if (has_signature_tag(r, SIGTAG_SHA3_256) &&
	    check_header_digest(r, SIGTAG_SHA3_256, HASH_SHA3_256, "SHA3-256",
	    e) < 0)
		return -1;
	hash_data(r->header.blob.p, r->header.blob.n, r->identity);
	return 0;
}

static int
read_headers(int fd, struct rpm *r, struct err *e)
{
	if (read_lead(fd, r, e) < 0 ||
	    read_header(fd, &r->signature, RPM_SIGNATURE, e) < 0 ||
	    read_padding(fd, r, e) < 0 ||
	    read_header(fd, &r->header, RPM_MAIN, e) < 0)
		return -1;
	r->payload_start = r->header_start + r->header.blob.n;
	return 0;
}

int
rpm_read(int fd, const char *name, struct rpm *r, struct err *e)
{
	if (read_headers(fd, r, e) < 0 ||
	    check_header_digests(r, e) < 0 ||
	    rpm_check_claims(r, e) < 0 ||
	    rpm_check_counts(&r->header, e) < 0)
		return err_wrap(e, "%s", name);
	return 0;
}

/* ----------------------------------------------------------- the payload */

struct payload {
	struct hash *hash;	/* as the header says */
	const char *hex;	/* what it must be */
	struct hash *md5;	/* of header and payload; NULL: not compared */
};

static int
open_payload_hash(const struct rpm *r, struct payload *p, struct err *e)
{
	uint64_t algorithm = rpm_header_number(&r->header,
	    TAG_PAYLOADDIGESTALGO, 0, r->is_v6 ? PGP_SHA256 : 0);

	p->hex = rpm_header_string(&r->header, TAG_PAYLOADDIGEST);
	if (p->hex == NULL)
		return err_set(e, ERR_DATA, "has no digest of its payload");
	if (algorithm == PGP_SHA256)
		p->hash = hash_open_as(HASH_SHA256);
	else if (algorithm == PGP_SHA384)
		p->hash = hash_open_as(HASH_SHA384);
	else if (algorithm == PGP_SHA512)
		p->hash = hash_open_as(HASH_SHA512);
	if (p->hash == NULL)
		return err_set(e, ERR_DATA, "the digest of the payload is of "
		    "the algorithm %llu, allowed are 8 to 10",
		    (unsigned long long)algorithm);
	return 0;
}

static int
read_payload(int fd, struct out *copy, struct payload *p, struct rpm *r,
    struct err *e)
{
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;

	r->payload_size = 0;
	while ((n = read_some(fd, chunk, CHUNK, e)) > 0) {
		hash_add(p->hash, chunk, (size_t)n);
		if (p->md5 != NULL)
			hash_add(p->md5, chunk, (size_t)n);
		if (copy != NULL)
			out_add(copy, chunk, (size_t)n);
		r->payload_size += (uint64_t)n;
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
		    has_signature_tag(r, tags[i]) ? UINT64_MAX : size);
		if (said != size)
			return err_set(e, ERR_DATA, "header and payload are "
			    "%llu bytes, not %llu: %s",
			    (unsigned long long)size, (unsigned long long)said,
			    size < said ? "truncated" : "something follows");
	}
	return 0;
}

static int
check_payload(struct payload *p, const struct rpm *r, struct err *e)
{
	uint8_t digest[HASH_SIZE_MAX];
	const uint8_t *said;
	size_t n, said_n;

	if (check_sizes(r, e) < 0)
		return -1;
	n = hash_finish(p->hash, digest);
	p->hash = NULL;
	if (!hash_is_hex(p->hex, digest, n))
		return err_set(e, ERR_DATA, "the payload's digest is wrong");
	if (p->md5 == NULL)
		return 0;
	n = hash_finish(p->md5, digest);
	p->md5 = NULL;
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
	struct payload p = {.hash = NULL};
	int status = -1;

	if (has_signature_tag(r, SIGTAG_MD5))
		p.md5 = hash_open_as(HASH_MD5);
	if (p.md5 != NULL)
		hash_add(p.md5, r->header.blob.p, r->header.blob.n);
	if (open_payload_hash(r, &p, e) == 0 &&
	    read_payload(fd, copy, &p, r, e) == 0)
		status = check_payload(&p, r, e);
	hash_close(p.hash, NULL);
	hash_close(p.md5, NULL);
	return status < 0 ? err_wrap(e, "%s", name) : 0;
}

/* ----------------------------------------------------------------- names */

void
rpm_write_headers(const struct rpm *r, struct out *copy)
{
	static const char zeros[8];

	out_add(copy, r->lead, RPM_LEAD);
	out_add(copy, r->signature.blob.p, r->signature.blob.n);
	out_add(copy, zeros, (size_t)(r->header_start - RPM_LEAD -
	    r->signature.blob.n));
	out_add(copy, r->header.blob.p, r->header.blob.n);
}

char *
rpm_file_name(const struct rpm *r)
{
	return mem_format("%s-%s-%s.%s.rpm", r->name, r->version, r->release,
	    r->arch);
}

char *
rpm_evr(const struct rpm *r)
{
	if (r->has_epoch)
		return mem_format("%u:%s-%s", r->epoch, r->version,
		    r->release);
	return mem_format("%s-%s", r->version, r->release);
}

void
rpm_clear(struct rpm *r)
{
	rpm_header_clear(&r->signature);
	rpm_header_clear(&r->header);
	*r = (struct rpm)RPM_INIT;
}
