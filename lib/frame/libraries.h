/*
 * The packages that a tool runs with, for `--version -v`.
 */
#ifndef LIB_FRAME_LIBRARIES_H
#define LIB_FRAME_LIBRARIES_H

#include "lib/base/err.h"

/*
 * Prints a line for each that dpkg has installed: name and version, and where
 * that has known faults which matter here, the version that has not, and their
 * names. A system without dpkg has none of these lines.
 */
int libraries_print(struct err *e);

#endif
