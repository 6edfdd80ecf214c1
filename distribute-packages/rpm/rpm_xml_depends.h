/*
 * The dependencies of an rpm as primary.xml has them, with what createrepo_c
 * leaves out of them. Found by running it; tests/e2e has the packages.
 */
#ifndef RPM_XML_DEPENDS_H
#define RPM_XML_DEPENDS_H

#include "lib/base/buf.h"
#include "lib/rpm/rpm.h"

/* Appends <rpm:provides> to <rpm:supplements>, those that are not empty. */
void rpm_xml_depends(const struct rpm *r, struct buf *text);

#endif
