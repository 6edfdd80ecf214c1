/*
 * What one link of an output chain is made of: for the files that implement
 * links (out.c, gzip.c), not for their users.
 */
#ifndef LIB_DATA_OUT_CHAIN_H
#define LIB_DATA_OUT_CHAIN_H

#include "lib/data/out.h"

struct out_type {
	int (*write)(struct out *o, const void *data, size_t n, struct err *e);
	int (*commit)(struct out *o, struct err *e);	/* frees o, always */
	void (*discard)(struct out *o);
};

struct out {
	const struct out_type *type;
	struct err failed;	/* the first failure, which sticks */
};

#endif
