/*
 * Names that come from archives, manifests and servers.
 */
#ifndef LIB_BASE_PATH_H
#define LIB_BASE_PATH_H

#include <stdbool.h>

#define PATH_LIMIT 1024	/* longest relative path that is accepted, bytes */

/*
 * True for a relative path of plain components: printable ASCII without
 * blank, backslash, quote or shell meta-characters beyond what packages use,
 * no empty, "." or hidden component, at most 255 bytes each. Such a path can
 * stand in a SHA256SUMS line, a URL and a tar member without escapes.
 */
bool path_is_safe(const char *path);

/* True for a safe path of one component. */
bool path_is_name(const char *name);

/*
 * True for a path that is absolute, empty, or has a component "..": of a file
 * that a package installs, which may have any other name.
 */
bool path_climbs(const char *path);

/* The part after the last slash; the path itself where there is none. */
const char *path_base(const char *path);

bool path_ends_with(const char *path, const char *suffix);
bool path_starts_with(const char *path, const char *prefix);

#endif
