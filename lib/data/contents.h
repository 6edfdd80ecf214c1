/*
 * What a package installs, unpacked to its end: only this shows that a stream
 * is damaged, or an archive ends early, before a user's dpkg or rpm finds out.
 */
#ifndef LIB_DATA_CONTENTS_H
#define LIB_DATA_CONTENTS_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/data/archive.h"
#include "lib/data/stream.h"

struct contents {
	enum unpack_format format;	/* UNPACK_TAR, UNPACK_CPIO */
	enum stream_kind packing;
	unpack_source *source;		/* of the packed bytes */
	void *arg;
	/*
	 * NULL, or says of each member whether it may be there: names and
	 * kinds are judged by this alone.
	 */
	int (*judge)(void *arg, const struct member *m, struct unpack *u,
	    struct err *e);
	void *judge_arg;
	bool is_named;	/* on return: the members had names */
};

/*
 * Unpacks all of it, to nowhere, in bounded memory. ERR_DATA where the stream
 * or the archive is damaged, ends early, or has something after its end; for a
 * member whose name, or the name that it is a hard link to, is absolute or
 * climbs; and for a device, a fifo and anything but a file, directory or link;
 * or, in place of these two, for what the judge finds.
 */
int contents_check(struct contents *c, struct err *e);

#endif
