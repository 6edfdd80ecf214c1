/*
 * deb822 text: control files, Packages, Release (deb-control(5), Debian
 * Policy chapter 5). Nothing here copies: fields point into the text.
 */
#ifndef LIB_DEB_CONTROL_H
#define LIB_DEB_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

struct field {
	const char *name;
	size_t name_n;
	const char *value;	/* continuation lines included, as they stand */
	size_t value_n;		/* without blanks and newline at its end */
};

/*
 * Takes the next field of a stanza off *p. Returns 1; 0 at the end of the
 * stanza (an empty line or `end`, *p stays there); -1 for a malformed line.
 */
int control_next(const char **p, const char *end, struct field *f,
    struct err *e);

/*
 * Takes the next stanza off *p: returns false at the end of the text. The
 * stanza is [*from, *to), its last line ending in a newline or at `end`.
 */
bool control_next_stanza(const char **p, const char *end, const char **from,
    const char **to);

/* True if the field has this name, whatever the case of its letters. */
bool field_is(const struct field *f, const char *name);

/* The field's value as a new string, NULL where the stanza has none. */
char *control_get(const char *from, const char *to, const char *name);

/*
 * Policy 5.6.1, 5.6.12, and the architecture names of dpkg: also what makes
 * them safe in a file name.
 */
bool control_is_package(const char *s);
bool control_is_version(const char *s);
bool control_is_architecture(const char *s);

/*
 * Compares two valid versions as dpkg does (Policy 5.6.12): <0, 0, >0.
 */
int control_compare_versions(const char *a, const char *b);

#endif
