/*
 * A .deb as the package that it claims to be (deb(5)).
 *
 *	struct deb d = DEB_INIT;
 *	if (deb_read(fd, "x.deb", copy, &d, e) < 0) ...
 *	deb_clear(&d);
 *
 * One pass: the file is read, hashed, looked into and, where a copy is asked
 * for, copied; what was checked is what was copied.
 */
#ifndef LIB_DEB_DEB_H
#define LIB_DEB_DEB_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/data/hash.h"
#include "lib/data/out.h"

#define DEB_CONTROL_LIMIT ((size_t)1 << 20)	/* largest control file */
#define DEB_MEMBERS_LIMIT ((size_t)16 << 20)	/* control.tar, unpacked */

struct deb {
	char *package;
	char *version;
	char *architecture;
	const char *essential;	/* the field that makes it so, or NULL */
	struct buf control;	/* the fields, each line ending in a newline */
	struct digest digest;	/* of the whole file */
};
#define DEB_INIT {.package = NULL}

/*
 * Reads from the descriptor's position to its end; name is for messages.
 * Every byte goes to copy too, unless that is NULL; committing or discarding
 * it is left to the caller. ERR_DATA says what is wrong with the package.
 */
int deb_read(int fd, const char *name, struct out *copy, struct deb *d,
    struct err *e);

/*
 * The same, and what it installs is unpacked to its end, to nowhere: slower,
 * and ERR_DATA also where lib/data/contents.h finds that damaged or unfit.
 */
int deb_read_whole(int fd, const char *name, struct deb *d, struct err *e);

/*
 * Checks the text of a control file: fields well formed, none twice, all right
 * by lib/deb/relation.h, the mandatory ones there and valid. Fills in d.
 */
int deb_parse_control(const char *text, size_t n, struct deb *d,
    struct err *e);

/* <name>_<version without epoch>_<arch>.deb, yours (Policy 5.6.12). */
char *deb_file_name(const struct deb *d);

void deb_clear(struct deb *d);

#endif
