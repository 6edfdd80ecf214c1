#include "distribute-packages/rpm/rpm_xml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "distribute-packages/rpm/rpm_xml_depends.h"
#include "distribute-packages/rpm/rpm_xml_files.h"
#include "distribute-packages/rpm/rpm_xml_text.h"
#include "lib/base/mem.h"

/* rpm: include/rpm/rpmtag.h */
enum {
	TAG_SUMMARY = 1004, TAG_DESCRIPTION = 1005, TAG_BUILDTIME = 1006,
	TAG_BUILDHOST = 1007, TAG_SIZE = 1009, TAG_VENDOR = 1011,
	TAG_LICENSE = 1014, TAG_PACKAGER = 1015, TAG_GROUP = 1016,
	TAG_URL = 1020, TAG_SOURCERPM = 1044, TAG_ARCHIVESIZE = 1046,
	TAG_CHANGELOGTIME = 1080,
	TAG_CHANGELOGNAME = 1081, TAG_CHANGELOGTEXT = 1082,
	TAG_LONGSIZE = 5009, TAG_PAYLOADSIZEALT = 5113
};
/* Of the signature header. */
enum { SIG_LONGARCHIVESIZE = 271, SIG_PAYLOADSIZE = 1007 };

#define CHANGES 10	/* the default of createrepo_c */

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

	/* of old builders, who have it in the main header */
	size = rpm_header_number(&r->header, TAG_ARCHIVESIZE, 0, size);
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

/* -------------------------------------------------------------- other.xml */

/*
 * rpm knows days only, so entries of one day have one time. Readers want them
 * apart and in order: each entry is a second or more after the one before
 * that had its time. times are newest first.
 */
static void
spread(uint64_t *times, size_t n)
{
	uint64_t original = 0;
	size_t i, newer;

	for (i = 0; i < n; i++) {
		if (i > 0 && times[i] == original) {
			newer = i;
			do
				times[newer - 1] = times[newer] + 1;
			while (--newer > 0 && times[newer - 1] == times[newer]);
		}
		original = times[i];
	}
}

/* Without the blanks at the author's end, but for one that stands alone. */
static void
put_author(const char *author, struct buf *text)
{
	size_t n = strlen(author);
	char *trimmed;

	while (n > 1 && author[n - 1] == ' ')
		n--;
	trimmed = mem_dupn(author, n);
	rpm_xml_attribute(text, "author", trimmed);
	free(trimmed);
}

/* <changelog>: the newest ten, oldest first. */
static void
put_changes(const struct rpm *r, struct buf *text)
{
	size_t n = rpm_header_count(&r->header, TAG_CHANGELOGTIME);
	size_t n_authors, n_texts, i;
	const char **authors = rpm_header_strings(&r->header,
	    TAG_CHANGELOGNAME, &n_authors);
	const char **texts = rpm_header_strings(&r->header,
	    TAG_CHANGELOGTEXT, &n_texts);
	uint64_t times[CHANGES] = {0};

	n = n < n_authors ? n : n_authors;
	n = n < n_texts ? n : n_texts;
	n = n < CHANGES ? n : CHANGES;
	for (i = 0; i < n; i++)
		times[i] = rpm_header_number(&r->header, TAG_CHANGELOGTIME, i,
		    0);
	spread(times, n);
	for (i = n; i-- > 0;) {
		buf_str(text, "  <changelog");
		put_author(authors[i], text);
		buf_addf(text, " date=\"%" PRIu64 "\">", times[i]);
		rpm_xml_text(text, texts[i]);
		buf_str(text, "</changelog>\n");
	}
	free(authors);
	free(texts);
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
			put_changes(r, text);
	}
	buf_str(text, "</package>\n");
}
