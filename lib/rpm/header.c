#include "lib/rpm/header.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"

/*
 * rpm: lib/header.c, hdrblobRead and hdrchkTags. Its limit for the data of a
 * main header is 256 MiB; the largest that are published have some 20 MiB.
 */
#define SIGNATURE_ENTRIES 32
#define SIGNATURE_DATA ((size_t)8 << 20)
#define MAIN_ENTRIES 0xffff
#define MAIN_DATA ((uint32_t)32 << 20)
#define ITEMS ((uint32_t)1 << 20)	/* so many are too many: hdrchkArray */

#define INDEX 16	/* bytes of an index entry, and of a region's trailer */
#define FIRST_TAG 100	/* HEADER_I18NTABLE: those below are regions */

/* An entry as it stands in the index; also a region's trailer. */
struct raw {
	uint32_t tag;
	uint32_t type;
	uint32_t offset;
	uint32_t count;
};

static struct raw
raw_at(const uint8_t *p)
{
	return (struct raw){
		.tag = be32_read(p), .type = be32_read(p + 4),
		.offset = be32_read(p + 8), .count = be32_read(p + 12),
	};
}

static struct raw
raw_entry(const struct rpm_header *h, uint32_t i)
{
	return raw_at((const uint8_t *)h->blob.p + RPM_INTRO +
	    (size_t)i * INDEX);
}

static const uint8_t *
data_of(const struct rpm_header *h)
{
	return (const uint8_t *)h->blob.p + RPM_INTRO + (size_t)h->n * INDEX;
}

/* Bytes of an item, which is aligned to its size; 0 for strings. */
static uint32_t
item_size(uint32_t type)
{
	switch (type) {
	case RPM_INT16:
		return 2;
	case RPM_INT32:
		return 4;
	case RPM_INT64:
		return 8;
	case RPM_STRING:
	case RPM_STRING_ARRAY:
	case RPM_I18NSTRING:
		return 0;
	default:
		return 1;
	}
}

/* ---------------------------------------------------------------- checking */

int
rpm_header_size(const uint8_t intro[RPM_INTRO], enum rpm_header_kind kind,
    size_t *size, struct err *e)
{
	bool is_main = kind == RPM_MAIN;
	uint32_t n_max = is_main ? MAIN_ENTRIES : SIGNATURE_ENTRIES;
	uint32_t data_max = is_main ? MAIN_DATA : SIGNATURE_DATA;
	uint32_t n = be32_read(intro + 8), data_n = be32_read(intro + 12);

	if (memcmp(intro, "\x8e\xad\xe8\x01\0\0\0\0", 8) != 0)
		return err_set(e, ERR_DATA, "does not begin with the magic "
		    "number of a header");
	if (n < 1 || n > n_max)
		return err_set(e, ERR_DATA, "has %u entries, must be 1 to "
		    "%u", n, n_max);
	if (data_n < INDEX || data_n > data_max)
		return err_set(e, ERR_DATA, "has %u bytes of data, must be "
		    "%d to %u", data_n, INDEX, data_max);
	*size = RPM_INTRO + (size_t)n * INDEX + data_n;
	return 0;
}

/*
 * The first entry is a region, whose trailer at the end of the data says how
 * many entries belong to it. rpm allows more entries behind it; they would
 * not be covered by a signature of the region, so here it covers all.
 */
static int
check_region(const struct rpm_header *h, uint32_t tag, struct err *e)
{
	struct raw first = raw_entry(h, 0), last;
	uint32_t end = h->data_n - INDEX;

	if (first.tag != tag || first.type != RPM_BIN || first.count != INDEX)
		return err_set(e, ERR_DATA, "the first entry is not the "
		    "region, tag %u", tag);
	if (first.offset != end)
		return err_set(e, ERR_DATA, "the region's trailer is at byte "
		    "%u of the data, not at %u", first.offset, end);
	last = raw_at(data_of(h) + end);
	if (last.tag != tag || last.type != RPM_BIN || last.count != INDEX)
		return err_set(e, ERR_DATA, "the region's trailer is not one "
		    "of tag %u", tag);
	if (last.offset != 0 - h->n * INDEX)
		return err_set(e, ERR_DATA, "the region covers %u bytes of "
		    "index, but there are %u", 0 - last.offset, h->n * INDEX);
	return 0;
}

static int
check_tag(const struct raw *r, struct err *e)
{
	if (r->tag < FIRST_TAG)
		return err_set(e, ERR_DATA, "tag %u has no place behind the "
		    "region", r->tag);
	if (r->type < RPM_CHAR || r->type > RPM_I18NSTRING)
		return err_set(e, ERR_DATA, "tag %u has the unknown type %u",
		    r->tag, r->type);
	if (r->count < 1 || (r->type == RPM_STRING && r->count != 1))
		return err_set(e, ERR_DATA, "tag %u has %u items", r->tag,
		    r->count);
	return 0;
}

/* The bytes of that many strings in a row; false where one does not end. */
static bool
measure_strings(const uint8_t *p, size_t room, uint32_t count, size_t *n)
{
	const uint8_t *start = p, *nul;

	for (; count > 0; count--) {
		nul = memchr(p, '\0', room);
		if (nul == NULL)
			return false;
		room -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
	*n = (size_t)(p - start);
	return true;
}

/* *end: where the data of the entry before ends, then of this one. */
static int
check_data(const struct rpm_header *h, const struct raw *r, uint32_t *end,
    struct err *e)
{
	uint32_t limit = h->data_n - INDEX, size = item_size(r->type);
	size_t n;

	if (r->offset > limit)
		return err_set(e, ERR_DATA, "tag %u begins beyond the data",
		    r->tag);
	if (size > 1 && r->offset % size != 0)
		return err_set(e, ERR_DATA, "tag %u is not aligned", r->tag);
	if (r->offset < *end)
		return err_set(e, ERR_DATA, "tag %u overlaps what is before "
		    "it", r->tag);
	if (size > 0 && r->count > (limit - r->offset) / size)
		return err_set(e, ERR_DATA, "tag %u runs beyond the data",
		    r->tag);
	if (r->type != RPM_BIN && r->count >= ITEMS)
		return err_set(e, ERR_DATA, "tag %u has %u items, more than "
		    "%u", r->tag, r->count, ITEMS - 1);
	n = (size_t)r->count * size;
	if (size == 0 && !measure_strings(data_of(h) + r->offset,
	    limit - r->offset, r->count, &n))
		return err_set(e, ERR_DATA, "tag %u has a string without an "
		    "end", r->tag);
	*end = r->offset + (uint32_t)n;
	return 0;
}

static int
by_tag(const void *a, const void *b)
{
	const struct rpm_place *x = a, *y = b;

	return (x->tag > y->tag) - (x->tag < y->tag);
}

/*
 * The index is in the order of the data, which nobody has to sort by tag. Of
 * a tag that is there twice, one reader would find the first, one the last.
 */
static int
sort_tags(struct rpm_header *h, struct err *e)
{
	uint32_t i;

	h->by_tag = mem_alloc(h->n * sizeof(*h->by_tag));
	for (i = 0; i < h->n; i++)
		h->by_tag[i] = (struct rpm_place){raw_entry(h, i).tag, i};
	qsort(h->by_tag, h->n, sizeof(*h->by_tag), by_tag);
	for (i = 1; i < h->n; i++)
		if (h->by_tag[i - 1].tag == h->by_tag[i].tag)
			return err_set(e, ERR_DATA, "tag %u appears twice",
			    h->by_tag[i].tag);
	return 0;
}

static int
check_entries(struct rpm_header *h, enum rpm_header_kind kind,
    struct err *e)
{
	uint32_t i, end = 0;
	struct raw r;

	/* rpmtag.h: HEADER_IMMUTABLE, HEADER_SIGNATURES */
	if (check_region(h, kind == RPM_MAIN ? 63 : 62, e) < 0)
		return -1;
	for (i = 1; i < h->n; i++) {
		r = raw_entry(h, i);
		if (check_tag(&r, e) < 0 ||
		    check_data(h, &r, &end, e) < 0)
			return -1;
	}
	return sort_tags(h, e);
}

int
rpm_header_check(struct rpm_header *h, enum rpm_header_kind kind,
    struct err *e)
{
	const uint8_t *intro = (const uint8_t *)h->blob.p;
	size_t size;

	h->n = h->data_n = 0;
	free(h->by_tag);
	h->by_tag = NULL;
	if (h->blob.n < RPM_INTRO)
		return err_set(e, ERR_DATA, "is only %zu bytes", h->blob.n);
	if (rpm_header_size(intro, kind, &size, e) < 0)
		return -1;
	if (h->blob.n != size)
		return err_set(e, ERR_DATA, "is %zu bytes, not %zu",
		    h->blob.n, size);
	h->n = be32_read(intro + 8);
	h->data_n = be32_read(intro + 12);
	if (check_entries(h, kind, e) < 0) {
		h->n = h->data_n = 0;	/* so nothing is found in it */
		return -1;
	}
	return 0;
}

void
rpm_header_clear(struct rpm_header *h)
{
	buf_clear(&h->blob);
	free(h->by_tag);
	*h = (struct rpm_header)RPM_HEADER_INIT;
}

/* ----------------------------------------------------------------- looking */

void
rpm_header_entry(const struct rpm_header *h, uint32_t i,
    struct rpm_entry *entry)
{
	struct raw r = raw_entry(h, i);
	uint32_t size = item_size(r.type);

	entry->tag = r.tag;
	entry->type = r.type;
	entry->count = r.count;
	entry->data = data_of(h) + r.offset;
	entry->data_n = (size_t)r.count * size;
	if (size == 0)
		measure_strings(entry->data, h->data_n - r.offset, r.count,
		    &entry->data_n);
}

static bool
find_raw(const struct rpm_header *h, uint32_t tag, uint32_t *at,
    struct raw *r)
{
	struct rpm_place wanted = {.tag = tag}, *found = NULL;

	if (h->n > 0)
		found = bsearch(&wanted, h->by_tag, h->n, sizeof(wanted),
		    by_tag);
	if (found == NULL)
		return false;
	*at = found->at;
	*r = raw_entry(h, *at);
	return true;
}

bool
rpm_header_find(const struct rpm_header *h, uint32_t tag,
    struct rpm_entry *entry)
{
	struct raw r;
	uint32_t at;

	if (!find_raw(h, tag, &at, &r))
		return false;
	rpm_header_entry(h, at, entry);
	return true;
}

const char *
rpm_header_string(const struct rpm_header *h, uint32_t tag)
{
	struct raw r;
	uint32_t at;

	if (!find_raw(h, tag, &at, &r) || item_size(r.type) != 0)
		return NULL;
	return (const char *)data_of(h) + r.offset;
}

const char **
rpm_header_strings(const struct rpm_header *h, uint32_t tag, size_t *n)
{
	const char *s = rpm_header_string(h, tag);
	const char **v;
	size_t i;

	*n = s != NULL ? rpm_header_count(h, tag) : 0;
	if (*n == 0)
		return NULL;
	v = mem_alloc(*n * sizeof(*v));
	for (i = 0; i < *n; i++, s += strlen(s) + 1)
		v[i] = s;
	return v;
}

size_t
rpm_header_count(const struct rpm_header *h, uint32_t tag)
{
	struct raw r;
	uint32_t at;

	return find_raw(h, tag, &at, &r) ? r.count : 0;
}

uint64_t
rpm_header_number(const struct rpm_header *h, uint32_t tag, size_t i,
    uint64_t fallback)
{
	uint64_t value = 0;
	const uint8_t *p;
	uint32_t at, size;
	struct raw r;

	if (!find_raw(h, tag, &at, &r) || i >= r.count)
		return fallback;
	size = item_size(r.type);
	if (size == 0 || r.type == RPM_BIN)
		return fallback;
	p = data_of(h) + r.offset + i * size;
	for (; size > 0; size--)
		value = value << 8 | *p++;
	return value;
}

const uint8_t *
rpm_header_bytes(const struct rpm_header *h, uint32_t tag, size_t *n)
{
	struct raw r;
	uint32_t at;

	*n = 0;
	if (!find_raw(h, tag, &at, &r) || r.type != RPM_BIN)
		return NULL;
	*n = r.count;
	return data_of(h) + r.offset;
}
