/*
 * What the metadata of an rpm repository says of one package: an element
 * <package> for each of primary.xml, filelists.xml and other.xml, as
 * createrepo_c writes them.
 */
#ifndef RPM_XML_H
#define RPM_XML_H

#include <stdint.h>

#include "distribute-packages/suite.h"
#include "lib/base/buf.h"
#include "lib/data/hash.h"
#include "lib/rpm/rpm.h"

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

#endif
