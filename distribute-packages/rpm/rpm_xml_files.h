/*
 * The files of an rpm, as the lists of a repository have them.
 */
#ifndef RPM_XML_FILES_H
#define RPM_XML_FILES_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/rpm/rpm.h"

/* Appends <file> for all of them, or for those of primary.xml. */
void rpm_xml_files(const struct rpm *r, bool only_primary, const char *indent,
    struct buf *text);
/* True if primary.xml lists files of this path. */
bool rpm_xml_is_primary(const char *path);
/* Appends the paths of the package's files for which it is. */
void rpm_xml_primary_paths(const struct rpm *r, struct strv *paths);

#endif
