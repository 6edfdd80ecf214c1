/*
 * A .deb as the package that it claims to be (deb(5)).
 *
 *	struct deb d = DEB_INIT;
 *	if (deb_read(fd, "x.deb", copy, &d, e) < 0) ...
 *	deb_clear(&d);
 *
 * One pass: the file is read, hashed and, where a copy is asked for, copied;
 * the same bytes go to a reader (lib/sys/reader.h), which opens the package and
 * says what its control file is. What was checked is what was copied.
 */
#ifndef LIB_DEB_DEB_H
#define LIB_DEB_DEB_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/data/archive.h"
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
 * it is left to the caller. What the package installs is unpacked to its end,
 * to nowhere. ERR_DATA says what is wrong with the package, or that its reader
 * has died of it.
 */
int deb_read(int fd, const char *name, struct out *copy, struct deb *d,
    struct err *e);

/* The same, but what it installs is not looked at: that was done before. */
int deb_read_known(int fd, const char *name, struct out *copy, struct deb *d,
    struct err *e);

/*
 * What the reader does: from the source's bytes to the text of the control
 * file, which is not judged yet. Not for the process that has the keys.
 */
int deb_unpack(unpack_source *source, void *arg, bool is_whole,
    struct buf *text, struct err *e);

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
