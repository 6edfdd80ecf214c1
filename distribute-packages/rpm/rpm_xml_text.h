/*
 * Text from an rpm's header as XML.
 */
#ifndef RPM_XML_TEXT_H
#define RPM_XML_TEXT_H

#include "lib/base/buf.h"

/*
 * Appends a value with its markup escaped. What is not UTF-8 is taken for
 * ISO-8859-1; characters that XML cannot hold are left out.
 */
void rpm_xml_text(struct buf *text, const char *value);
/* Appends ' name="value"', the value likewise. */
void rpm_xml_attribute(struct buf *text, const char *name, const char *value);

#endif
