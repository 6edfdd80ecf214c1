/*
 * From an .rpm as a build machine made it to one that is published: signed,
 * in the store, and with its elements of the repository's lists.
 */
#ifndef RPM_BUILD_H
#define RPM_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "distribute-packages/rpm/rpm_xml.h"
#include "distribute-packages/store.h"
#include "lib/pgp/pgp.h"
#include "lib/rpm/rpm.h"

struct signed_rpm {
	char *name;
	char *evr;
	char *arch;
	char *file;		/* its name in the repository */
	uint8_t content[HASH_SIZE];	/* struct rpm's identity */
	struct digest digest;	/* of the signed file, which is in the store */
	struct buf entries[RPM_LISTS];
};

void signed_rpm_clear(struct signed_rpm *s);
/* Fills in the names and the identity. */
void signed_rpm_name(struct signed_rpm *s, const struct rpm *r);

/*
 * r was read from fd as far as its payload: signs the header, and stores the
 * package with that signature. The payload is checked on the way. Threads may
 * call this at once.
 */
int rpm_build_native(const struct store *store, struct signer *signer,
    int64_t date, int fd, const char *name, struct rpm *r,
    struct signed_rpm *s, struct err *e);

/*
 * For a package that is in the store already, under this hash: its elements,
 * from the file. 1; 0 if another key than the signer's has signed it; -1.
 */
int rpm_build_stored(const struct store *store, const struct signer *signer,
    const uint8_t sha256[HASH_SIZE], int64_t date, struct signed_rpm *s,
    struct err *e);

/*
 * Signs a stored package again where its signature is not by the key that the
 * signer has; *changed says if it was.
 */
int rpm_build_again(const struct store *store, struct signer *signer,
    const uint8_t sha256[HASH_SIZE], int64_t date, struct signed_rpm *s,
    bool *changed, struct err *e);

#endif
