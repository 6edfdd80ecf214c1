/*
 * A build: an architecture and a package format, "amd64-deb". Architectures
 * have Debian's names; rpm has its own for the same machines.
 */
#ifndef LIB_TREE_BUILD_H
#define LIB_TREE_BUILD_H

#include <stdbool.h>

enum package_format { FORMAT_DEB, FORMAT_RPM };

struct build {
	char architecture[32];
	enum package_format format;
};

/* False where name is not a build. */
bool build_parse(const char *name, struct build *b);

/* "deb", "rpm" */
const char *format_name(enum package_format format);

/*
 * "amd64": "x86_64", and back. NULL for an architecture that is not known.
 * rpm's name is also that of the repository's directory (dnf's $basearch).
 */
const char *build_to_rpm(const char *architecture);
const char *build_from_rpm(const char *arch);

/*
 * Of a word that others have for an architecture, "aarch64", "armv7l", "i686",
 * "noarch": Debian's; NULL where the word may be Debian's own.
 */
const char *build_debian_word(const char *word);

/*
 * The architecture that text ends with, as a word of its own, in Debian's
 * name or in rpm's: "x_1.0_amd64", "x-1.0-1.x86_64". Debian's name for it, or
 * NULL.
 */
const char *build_at_end(const char *text);

#endif
