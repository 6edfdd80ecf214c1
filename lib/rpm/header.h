/*
 * The header structure of an .rpm, of which a package has two: an index of
 * tagged entries over a store of bytes (rpm: lib/header.c, include/rpm/
 * rpmtag.h). It is checked as a whole before any entry is believed, by the
 * rules of rpm's hdrblobVerify: afterwards every access is in bounds, every
 * string ends, every number is aligned.
 *
 *	struct rpm_header h = RPM_HEADER_INIT;
 *	if (rpm_header_size(intro, RPM_MAIN, &n, e) < 0) ...
 *	memcpy(buf_room(&h.blob, n), ...); h.blob.n = n;
 *	if (rpm_header_check(&h, RPM_MAIN, e) < 0) ...
 *	name = rpm_header_string(&h, RPMTAG_NAME);
 *	rpm_header_clear(&h);
 */
#ifndef LIB_RPM_HEADER_H
#define LIB_RPM_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define RPM_INTRO 16	/* magic, reserved, number of entries, bytes of data */

enum rpm_header_kind { RPM_SIGNATURE, RPM_MAIN };

/* include/rpm/rpmtypes.h */
enum rpm_type {
	RPM_CHAR = 1, RPM_INT8, RPM_INT16, RPM_INT32, RPM_INT64, RPM_STRING,
	RPM_BIN, RPM_STRING_ARRAY, RPM_I18NSTRING
};

/* Where the index has a tag: rpm asks for no order there. */
struct rpm_place {
	uint32_t tag;
	uint32_t at;
};

struct rpm_header {
	struct buf blob;	/* all of it: intro, index, data */
	uint32_t n;		/* entries of the index */
	uint32_t data_n;	/* bytes of data */
	struct rpm_place *by_tag;	/* of each entry, sorted; ours */
};
#define RPM_HEADER_INIT {.blob = BUF_INIT}

struct rpm_entry {
	uint32_t tag;
	uint32_t type;		/* enum rpm_type */
	uint32_t count;
	const uint8_t *data;	/* in the blob */
	size_t data_n;		/* bytes */
};

/* The size of the whole header, by its first 16 bytes; the limits are kept. */
int rpm_header_size(const uint8_t intro[RPM_INTRO], enum rpm_header_kind kind,
    size_t *size, struct err *e);
/* Checks the blob, which must be of just that size, and fills in the rest. */
int rpm_header_check(struct rpm_header *h, enum rpm_header_kind kind,
    struct err *e);
void rpm_header_clear(struct rpm_header *h);

/* The i-th entry of the index, in the order of the file; i < h->n. */
void rpm_header_entry(const struct rpm_header *h, uint32_t i,
    struct rpm_entry *entry);
/* false where there is none with this tag. */
bool rpm_header_find(const struct rpm_header *h, uint32_t tag,
    struct rpm_entry *entry);

/*
 * May a main header have the tag in this type? As rpm says for those that it
 * knows; others it passes over, whatever they are.
 */
bool rpm_tag_has_type(uint32_t tag, uint32_t type);

/*
 * Values by tag. A tag that is missing, or is there with another type, is
 * NULL, or 0 items. Strings are the first one where there are translations.
 */
const char *rpm_header_string(const struct rpm_header *h, uint32_t tag);
/* All strings of the tag: the vector is yours, the strings are borrowed. */
const char **rpm_header_strings(const struct rpm_header *h, uint32_t tag,
    size_t *n);
/* How many items the tag has. */
size_t rpm_header_count(const struct rpm_header *h, uint32_t tag);
/* The i-th number of a tag of any integer type; fallback where there is none */
uint64_t rpm_header_number(const struct rpm_header *h, uint32_t tag, size_t i,
    uint64_t fallback);
const uint8_t *rpm_header_bytes(const struct rpm_header *h, uint32_t tag,
    size_t *n);

#endif
