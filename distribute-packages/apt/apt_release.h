/*
 * The Release file of a suite.
 */
#ifndef APT_RELEASE_H
#define APT_RELEASE_H

#include <stdbool.h>

#include "distribute-packages/suite.h"
#include "lib/base/buf.h"
#include "lib/frame/conf.h"
#include "lib/tree/manifest.h"

/*
 * Appends the text of Release: the fields of the configuration, the dates,
 * and the suite's indexes as the manifest lists them, whose sizes are those
 * of the files of tree t. No Label or Codename unless configured.
 */
int apt_release_write(const struct suite *s, const struct conf *conf,
    int64_t date, const struct tree *t, struct buf *text, struct err *e);

/*
 * True if two Release texts differ in nothing but Date and Valid-Until.
 */
bool apt_release_same(const char *a, size_t n, const char *b, size_t m);

/*
 * The fields whose change makes every apt client refuse the suite: Origin,
 * Label, Codename (apt-pkg/deb/debmetaindex.cc). ERR_CONFIG names the field
 * in which `text`, the published Release, differs from the configuration.
 */
int apt_release_check_fields(const struct suite *s, const struct conf *conf,
    const char *text, size_t n, struct err *e);

#endif
