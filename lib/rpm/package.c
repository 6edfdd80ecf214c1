#include "lib/rpm/rpm.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"

#define CHUNK ((size_t)128 << 10)

#define FILE_NAME_LIMIT 255	/* NAME_MAX of Linux */

/* include/rpm/rpmtag.h */
enum {
	SIGTAG_SHA1 = 269, SIGTAG_SHA256 = 273, SIGTAG_SHA3_256 = 279,
	SIGTAG_RESERVED = 999, SIGTAG_PAYLOADSIZE = 1007,
	TAG_NAME = 1000, TAG_VERSION = 1001, TAG_RELEASE = 1002,
	TAG_EPOCH = 1003, TAG_OS = 1021, TAG_ARCH = 1022,
	TAG_SOURCERPM = 1044, TAG_ARCHIVESIZE = 1046,
	TAG_SOURCEPACKAGE = 1106, TAG_RPMFORMAT = 5114
};

/* ------------------------------------------------------- lead and headers */

/* At most n bytes, 0 at the end of the file. */
static ssize_t
read_some(int fd, void *data, size_t n, struct err *e)
{
	ssize_t got = io_read(fd, data, n < CHUNK ? n : CHUNK, NULL, e);

	if (got < 0)
		return -1;
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
		return err_set(e, ERR_DATA, "a source package: only binary "
		    "packages are published");
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
		    "by bytes that are not zero");
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

/* ------------------------------------------------- what the header claims */

/* docs/manual/format_v6.md; before it there was no such tag. */
static int
check_format(struct rpm *r, struct err *e)
{
	uint64_t format = rpm_header_number(&r->header, TAG_RPMFORMAT, 0, 0);
	struct rpm_entry entry;
	uint32_t i;

	if (rpm_header_count(&r->header, TAG_RPMFORMAT) == 0)
		return 0;
	if (format != 6)
		return err_set(e, ERR_DATA, "package format %llu is unknown",
		    (unsigned long long)format);
	r->is_v6 = true;
	if (rpm_header_count(&r->signature, SIGTAG_SHA3_256) == 0)
		return err_set(e, ERR_DATA, "of format 6, but has no SHA3-256 "
		    "of its header");
	for (i = 1; i < r->signature.n; i++) {
		rpm_header_entry(&r->signature, i, &entry);
		if (entry.tag > SIGTAG_RESERVED)
			return err_set(e, ERR_DATA, "of format 6, but has tag "
			    "%u in its signature header", entry.tag);
	}
	return 0;
}

static int
check_kind(const struct rpm *r, struct err *e)
{
	if (rpm_header_count(&r->header, TAG_SOURCEPACKAGE) > 0 ||
	    rpm_header_count(&r->header, TAG_SOURCERPM) == 0)
		return err_set(e, ERR_DATA, "a source package by its header: "
		    "only binary packages are published");
	return 0;
}

/* Of characters for a file's name; never hidden, an option or a path. */
static bool
is_fit(const char *s, bool dash)
{
	const char *p;

	if (*s == '\0' || *s == '.' || *s == '-')
		return false;
	for (p = s; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || strchr("._+~^", *p) ||
		    (dash && *p == '-')))
			return false;
	return true;
}

static int
read_part(const struct rpm *r, uint32_t tag, const char *what, bool dash,
    const char **part, struct err *e)
{
	struct rpm_entry entry;

	if (!rpm_header_find(&r->header, tag, &entry) ||
	    entry.type != RPM_STRING)
		return err_set(e, ERR_DATA, "has no %s", what);
	*part = (const char *)entry.data;
	if (!is_fit(*part, dash))
		return err_set(e, ERR_DATA, "bad %s '%.64s'", what, *part);
	return 0;
}

static int
read_names(struct rpm *r, struct err *e)
{
	char *file;
	size_t n;

	if (read_part(r, TAG_NAME, "name", true, &r->name, e) < 0 ||
	    read_part(r, TAG_VERSION, "version", false, &r->version, e) < 0 ||
	    read_part(r, TAG_RELEASE, "release", false, &r->release, e) < 0 ||
	    read_part(r, TAG_ARCH, "architecture", true, &r->arch, e) < 0)
		return -1;
	file = rpm_file_name(r);
	n = strlen(file);
	free(file);
	if (n > FILE_NAME_LIMIT)
		return err_set(e, ERR_DATA, "the file's name would have %zu "
		    "characters, more than %d", n, FILE_NAME_LIMIT);
	return 0;
}

static int
read_epoch(struct rpm *r, struct err *e)
{
	struct rpm_entry entry;

	if (!rpm_header_find(&r->header, TAG_EPOCH, &entry))
		return 0;
	if (entry.type != RPM_INT32 || entry.count != 1)
		return err_set(e, ERR_DATA, "the epoch is not one number");
	r->has_epoch = true;
	r->epoch = (uint32_t)rpm_header_number(&r->header, TAG_EPOCH, 0, 0);
	return 0;
}

/* rpm refuses a package of another system, and a doubled size. */
static int
check_system(const struct rpm *r, struct err *e)
{
	const char *os = rpm_header_string(&r->header, TAG_OS);

	if (os == NULL || strcasecmp(os, "linux") != 0)
		return err_set(e, ERR_DATA, "is for the system '%.40s', not "
		    "for linux", os != NULL ? os : "");
	if (rpm_header_count(&r->header, TAG_ARCHIVESIZE) > 0 &&
	    rpm_header_count(&r->signature, SIGTAG_PAYLOADSIZE) > 0)
		return err_set(e, ERR_DATA, "has the size of its archive in "
		    "both headers");
	return 0;
}

/* Types of what rpm reads of a signature header, and nothing else checks. */
static int
check_signature_tags(const struct rpm *r, struct err *e)
{
	static const struct {
		uint32_t tag;
		uint32_t type;
	} rows[] = {
		{267, RPM_BIN}, {268, RPM_BIN}, {271, RPM_INT64},
		{274, RPM_STRING_ARRAY}, {275, RPM_INT32},
		{276, RPM_STRING_ARRAY}, {277, RPM_INT32}, {1002, RPM_BIN},
		{1005, RPM_BIN}, {1007, RPM_INT32},
	};
	struct rpm_entry entry;
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		if (rpm_header_find(&r->signature, rows[i].tag, &entry) &&
		    entry.type != rows[i].type)
			return err_set(e, ERR_DATA, "tag %u of the signature "
			    "header is of type %u, not %u", rows[i].tag,
			    entry.type, rows[i].type);
	return 0;
}

int
rpm_check_claims(struct rpm *r, struct err *e)
{
	if (check_kind(r, e) < 0 ||
	    check_system(r, e) < 0 ||
	    check_signature_tags(r, e) < 0 ||
	    check_format(r, e) < 0 ||
	    read_names(r, e) < 0)
		return -1;
	return read_epoch(r, e);
}

/* --------------------------------------------------------- the package */

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
