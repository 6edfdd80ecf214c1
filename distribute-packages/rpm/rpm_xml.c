#include "distribute-packages/rpm/rpm_xml.h"

#include <inttypes.h>

/* rpm: include/rpm/rpmtag.h */
enum {
	TAG_SUMMARY = 1004, TAG_DESCRIPTION = 1005, TAG_BUILDTIME = 1006,
	TAG_BUILDHOST = 1007, TAG_SIZE = 1009, TAG_VENDOR = 1011,
	TAG_LICENSE = 1014, TAG_PACKAGER = 1015, TAG_GROUP = 1016,
	TAG_URL = 1020, TAG_SOURCERPM = 1044, TAG_LONGSIZE = 5009,
	TAG_PAYLOADSIZEALT = 5113
};
/* Of the signature header. */
enum { SIG_LONGARCHIVESIZE = 271, SIG_PAYLOADSIZE = 1007 };

static void
put_element(struct buf *text, const char *indent, const char *name,
    const char *value)
{
	buf_addf(text, "%s<%s>", indent, name);
	rpm_xml_text(text, value != NULL ? value : "");
	buf_addf(text, "</%s>\n", name);
}

static void
put_tag(const struct rpm *r, const char *indent, const char *name,
    uint32_t tag, struct buf *text)
{
	put_element(text, indent, name, rpm_header_string(&r->header, tag));
}

static void
put_version(const struct rpm *r, struct buf *text)
{
	buf_addf(text, "  <version epoch=\"%" PRIu32 "\"",
	    r->has_epoch ? r->epoch : 0);
	rpm_xml_attribute(text, "ver", r->version);
	rpm_xml_attribute(text, "rel", r->release);
	buf_str(text, "/>\n");
}

/*
 * What the payload is unpacked. A v6 package says it in its main header, with
 * the digest of the same bytes.
 */
static uint64_t
archive_size(const struct rpm *r)
{
	uint64_t size = rpm_header_number(&r->header, TAG_PAYLOADSIZEALT, 0,
	    0);

	size = rpm_header_number(&r->signature, SIG_PAYLOADSIZE, 0, size);
	return rpm_header_number(&r->signature, SIG_LONGARCHIVESIZE, 0, size);
}

static void
put_size(const struct rpm *r, const struct rpm_published *p, struct buf *text)
{
	uint64_t installed = rpm_header_number(&r->header, TAG_SIZE, 0, 0);

	installed = rpm_header_number(&r->header, TAG_LONGSIZE, 0, installed);
	buf_addf(text, "  <size package=\"%" PRIu64 "\" installed=\"%" PRIu64
	    "\" archive=\"%" PRIu64 "\"/>\n", p->file.size, installed,
	    archive_size(r));
}

static void
put_format(const struct rpm *r, const struct rpm_published *p,
    struct buf *text)
{
	buf_str(text, "  <format>\n");
	put_tag(r, "    ", "rpm:license", TAG_LICENSE, text);
	put_tag(r, "    ", "rpm:vendor", TAG_VENDOR, text);
	put_tag(r, "    ", "rpm:group", TAG_GROUP, text);
	put_tag(r, "    ", "rpm:buildhost", TAG_BUILDHOST, text);
	put_tag(r, "    ", "rpm:sourcerpm", TAG_SOURCERPM, text);
	buf_addf(text, "    <rpm:header-range start=\"%" PRIu64 "\" end=\"%"
	    PRIu64 "\"/>\n", p->header_start, p->header_end);
	rpm_xml_depends(r, text);
	rpm_xml_files(r, true, "    ", text);
	buf_str(text, "  </format>\n");
}

static void
put_primary(const struct rpm *r, const struct rpm_published *p,
    const char *pkgid, struct buf *text)
{
	buf_str(text, "<package type=\"rpm\">\n");
	put_element(text, "  ", "name", r->name);
	put_element(text, "  ", "arch", r->arch);
	put_version(r, text);
	buf_addf(text, "  <checksum type=\"sha256\" pkgid=\"YES\">%s"
	    "</checksum>\n", pkgid);
	put_tag(r, "  ", "summary", TAG_SUMMARY, text);
	put_tag(r, "  ", "description", TAG_DESCRIPTION, text);
	put_tag(r, "  ", "packager", TAG_PACKAGER, text);
	put_tag(r, "  ", "url", TAG_URL, text);
	buf_addf(text, "  <time file=\"%" PRId64 "\" build=\"%" PRIu64 "\"/>\n",
	    p->time, rpm_header_number(&r->header, TAG_BUILDTIME, 0, 0));
	put_size(r, p, text);
	buf_str(text, "  <location");
	rpm_xml_attribute(text, "href", p->href);
	buf_str(text, "/>\n");
	put_format(r, p, text);
}

/* The head of a package in filelists.xml and other.xml. */
static void
put_reference(const struct rpm *r, const char *pkgid, struct buf *text)
{
	buf_addf(text, "<package pkgid=\"%s\"", pkgid);
	rpm_xml_attribute(text, "name", r->name);
	rpm_xml_attribute(text, "arch", r->arch);
	buf_str(text, ">\n");
	put_version(r, text);
}

void
rpm_xml_write(const struct rpm *r, const struct rpm_published *p,
    enum rpm_list list, struct buf *text)
{
	char pkgid[HASH_HEX];

	hash_hex(p->file.sha256, pkgid);
	if (list == RPM_PRIMARY) {
		put_primary(r, p, pkgid, text);
	} else {
		put_reference(r, pkgid, text);
		if (list == RPM_FILELISTS)
			rpm_xml_files(r, false, "  ", text);
		else
			rpm_xml_changes(r, text);
	}
	buf_str(text, "</package>\n");
}
