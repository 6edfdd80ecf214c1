/*
 * The values of fields that dpkg and apt look into: relations to other packages
 * (Debian Policy 7.1), versions, and the few words that a field may have. What
 * one of them would refuse is refused, since apt then reads no list at all:
 * dpkg's lib/dpkg/fields.c and version.c, apt's deblistparser.cc.
 * tests/e2e/judge_debs.sh compares.
 */
#ifndef LIB_DEB_RELATION_H
#define LIB_DEB_RELATION_H

#include "lib/base/err.h"
#include "lib/deb/control.h"

/*
 * ERR_DATA, with the field's name and the reason, where the value of a field
 * of a package is wrong, or the field is one that no package may have. Fields
 * of other names are right.
 */
int field_judge(const struct field *f, struct err *e);

/* Has it the value "yes", as dpkg and apt read it? */
bool field_says_yes(const struct field *f);

#endif
