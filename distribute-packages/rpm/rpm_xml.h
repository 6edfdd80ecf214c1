/*
 * What the metadata of an rpm repository says of one package: an element
 * <package> for each of primary.xml, filelists.xml and other.xml, as
 * createrepo_c writes them.
 */
#ifndef RPM_XML_H
#define RPM_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/data/hash.h"
#include "lib/rpm/rpm.h"

enum rpm_list { RPM_PRIMARY, RPM_FILELISTS, RPM_OTHER, RPM_LISTS };

/* What the package's own header does not say. */
struct rpm_published {
	const char *href;	/* location, relative to the repository */
	struct digest file;	/* of the signed file */
	uint64_t header_start;	/* the main header's place in it */
	uint64_t header_end;
	int64_t time;		/* <time file=...>: seconds since 1970 */
};

/*
 * Appends the package's element of the list to text, from "<package" to
 * "</package>" and a newline.
 */
void rpm_xml_write(const struct rpm *r, const struct rpm_published *p,
    enum rpm_list list, struct buf *text);

/* ------------------------------------------ between the files of rpm_xml */

/*
 * A value with its markup escaped. What is not UTF-8 is taken for ISO-8859-1;
 * characters that XML cannot hold are left out.
 */
void rpm_xml_text(struct buf *text, const char *value);
void rpm_xml_attribute(struct buf *text, const char *name, const char *value);

/* <rpm:provides> to <rpm:supplements>, those that are not empty. */
void rpm_xml_depends(const struct rpm *r, struct buf *text);
/* True if the symbols of a are newer than those of b: libc.so.6(...). */
bool rpm_xml_libc_is_newer(const char *a, const char *b);
/* <file>, all of them or those of primary.xml. */
void rpm_xml_files(const struct rpm *r, bool only_primary, const char *indent,
    struct buf *text);
/* True if files of this path are listed in primary.xml. */
bool rpm_xml_is_primary(const char *path);
/* The paths of the package's files that are. */
void rpm_xml_primary_paths(const struct rpm *r, struct strv *paths);
/* <changelog>, the newest ten, oldest first. */
void rpm_xml_changes(const struct rpm *r, struct buf *text);

#endif
