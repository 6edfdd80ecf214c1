/*
 * The Release file of a suite, and the .sources file for its users.
 */
#ifndef APT_RELEASE_H
#define APT_RELEASE_H

#include <stdbool.h>

#include "distribute-packages/suite.h"
#include "lib/base/buf.h"
#include "lib/frame/conf.h"
#include "lib/tree/tree.h"

/* "apt/dists/<suite>/<name>", yours: Release, InRelease, Release.gpg. */
char *apt_release_path(const char *suite, const char *name);

/*
 * Appends the text of Release: the fields of the configuration, the dates,
 * and the suite's indexes as the manifest lists them, with the sizes of the
 * files of tree t. There is no Label or Codename unless configured.
 */
int apt_release_write(const struct suite *s, const struct conf *conf,
    int64_t date, const struct tree *t, struct buf *text, struct err *e);

/*
 * True if two Release texts differ in nothing but Date and Valid-Until.
 */
bool apt_release_same(const char *a, size_t n, const char *b, size_t m);

/*
 * Every apt client refuses a suite whose Origin, Label or Codename changes
 * (apt-pkg/deb/debmetaindex.cc). ERR_CONFIG names the one in which `text`, the
 * published Release, differs from the configuration.
 */
int apt_release_check_fields(const struct suite *s, const struct conf *conf,
    const char *text, size_t n, struct err *e);

/* Appends the .sources file that users of the suite save. */
void apt_sources_write(const struct conf *conf, const char *suite,
    struct buf *text);

/*
 * Warns of what users cannot name in their preferences, where commas separate
 * fields (apt_preferences(5)), or in lists like unattended-upgrades has, where
 * colons do.
 */
void apt_release_warn(const struct suite *s, const struct conf *conf);

#endif
