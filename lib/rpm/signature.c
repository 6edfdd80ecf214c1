#include "lib/rpm/rpm.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"

/*
 * What rpm 4.14, of Enterprise Linux 8, reads of a signature header; newer
 * ones read more data (lib/header.c, hdrblobRead).
 */
#define DATA_LIMIT 8192
#define ENTRIES_LIMIT 32

#define INDEX 16
#define SIGNATURES 62	/* the region */

/* include/rpm/rpmtag.h. RESERVED: of format 6, RESERVEDSPACE: before */
enum {
	DSA = 267, RSA = 268, FILESIGNATURES = 274, VERITYALGORITHM = 277,
	OPENPGP = 278, RESERVED = 999, PGP = 1002,
	GPG = 1005, PGP5 = 1006, RESERVEDSPACE = 1008
};

/* The entries of a new header, without the region; NULL data are zeros. */
struct entries {
	struct rpm_entry *v;
	size_t n;
};

/* ------------------------------------------------------ the new header */

static size_t
align(size_t n, uint32_t type)
{
	size_t to = type == RPM_INT16 ? 2 : type == RPM_INT32 ? 4 :
	    type == RPM_INT64 ? 8 : 1;

	return (n + to - 1) / to * to;
}

/* Bytes of the data, with the region's trailer. */
static size_t
data_size(const struct entries *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		n = align(n, s->v[i].type) + s->v[i].data_n;
	return n + INDEX;
}

/* Bytes of the header. */
static size_t
header_size(const struct entries *s)
{
	return RPM_INTRO + (s->n + 1) * INDEX + data_size(s);
}

static void
insert(struct entries *s, const struct rpm_entry *entry)
{
	size_t i = s->n++;

	for (; i > 0 && s->v[i - 1].tag > entry->tag; i--)
		s->v[i] = s->v[i - 1];
	s->v[i] = *entry;
}

/* Also what rpm's own rpmsign removes: deleteSigs in sign/rpmgensig.cc. */
static bool
is_signature(uint32_t tag)
{
	return tag == DSA || tag == RSA || tag == OPENPGP || tag == PGP ||
	    tag == GPG || tag == PGP5;
}

/* Of each file: IMA, fs-verity. They have no part in installing. */
static bool
is_of_files(uint32_t tag)
{
	return tag >= FILESIGNATURES && tag <= VERITYALGORITHM;
}

static void
keep_others(const struct rpm *r, uint32_t reserved, bool of_files,
    struct entries *s)
{
	struct rpm_entry entry;
	uint32_t i;

	for (i = 1; i < r->signature.n; i++) {
		rpm_header_entry(&r->signature, i, &entry);
		if (!is_signature(entry.tag) && entry.tag != reserved &&
		    (of_files || !is_of_files(entry.tag)))
			insert(s, &entry);
	}
}

/*
 * As many zero bytes as make the header as large as it was, or as it may be at
 * most; none where there is no room for the entry and at least one byte.
 */
static void
reserve(const struct rpm *r, uint32_t tag, struct entries *s)
{
	struct rpm_entry entry = {.tag = tag, .type = RPM_BIN};
	size_t size = header_size(s), before = r->signature.blob.n;
	size_t data_n = data_size(s);

	if (rpm_header_count(&r->signature, tag) == 0 ||
	    before <= size + INDEX || data_n >= DATA_LIMIT)
		return;
	entry.data_n = before - size - INDEX;
	if (entry.data_n > DATA_LIMIT - data_n)
		entry.data_n = DATA_LIMIT - data_n;
	entry.count = (uint32_t)entry.data_n;
	insert(s, &entry);
}

static void
add_numbers(struct buf *b, uint32_t tag, uint32_t type, uint32_t offset,
    uint32_t count)
{
	be32_add(b, tag);
	be32_add(b, type);
	be32_add(b, offset);
	be32_add(b, count);
}

static void
add_zeros(struct buf *b, size_t n)
{
	memset(buf_room(b, n), 0, n);
	b->n += n;
}

static void
write_header(const struct entries *s, struct buf *b)
{
	uint32_t n = (uint32_t)s->n + 1, data_n = (uint32_t)data_size(s);
	size_t i, offset = 0, at;

	add_numbers(b, 0x8eade801, 0, n, data_n);
	add_numbers(b, SIGNATURES, RPM_BIN, data_n - INDEX, INDEX);
	for (i = 0; i < s->n; i++) {
		at = align(offset, s->v[i].type);
		add_numbers(b, s->v[i].tag, s->v[i].type, (uint32_t)at,
		    s->v[i].count);
		offset = at + s->v[i].data_n;
	}
	for (i = offset = 0; i < s->n; i++) {
		at = align(offset, s->v[i].type);
		add_zeros(b, at - offset);
		if (s->v[i].data != NULL)
			buf_add(b, s->v[i].data, s->v[i].data_n);
		else
			add_zeros(b, s->v[i].data_n);
		offset = at + s->v[i].data_n;
	}
	add_numbers(b, SIGNATURES, RPM_BIN, 0 - n * INDEX, INDEX);
	add_zeros(b, -header_size(s) % 8);
}

/*
 * Format 6 keeps signatures in text; the binary one is for rpm 4, which does
 * not know that tag (docs/manual/format_v6.md).
 */
static void
insert_signature(const struct rpm *r, const void *signature, size_t n,
    struct buf *text, struct entries *s)
{
	struct rpm_entry entry = {.tag = RSA, .type = RPM_BIN,
	    .count = (uint32_t)n, .data = signature, .data_n = n};

	insert(s, &entry);
	if (!r->is_v6)
		return;
	base64_add(text, signature, n);
	entry = (struct rpm_entry){.tag = OPENPGP, .type = RPM_STRING_ARRAY,
	    .count = 1, .data = (const uint8_t *)buf_cstr(text),
	    .data_n = text->n + 1};
	insert(s, &entry);
}

static int
check_limits(const struct entries *s, struct err *e)
{
	if (s->n + 1 > ENTRIES_LIMIT)
		return err_set(e, ERR_DATA, "no room for a signature: %zu "
		    "entries, but rpm reads at most %d", s->n + 1,
		    ENTRIES_LIMIT);
	if (data_size(s) > DATA_LIMIT)
		return err_set(e, ERR_DATA, "no room for a signature: %zu "
		    "bytes of signature header, but rpm 4.14 reads at most "
		    "%d",
		    data_size(s), DATA_LIMIT);
	return 0;
}

static int
replace(const struct rpm *r, const void *signature, size_t n, bool of_files,
    struct buf *blob, struct err *e)
{
	uint32_t reserved = r->is_v6 ? RESERVED : RESERVEDSPACE;
	struct buf text = BUF_INIT;
	struct entries s = {NULL, 0};
	int status;

	/* those of before, two for the signature, one for what is reserved */
	s.v = mem_zero((size_t)r->signature.n + 3, sizeof(*s.v));
	keep_others(r, reserved, of_files, &s);
	insert_signature(r, signature, n, &text, &s);
	reserve(r, reserved, &s);
	status = check_limits(&s, e);
	if (status == 0)
		write_header(&s, blob);
	free(s.v);
	buf_clear(&text);
	return status;
}

int
rpm_signature_replace(const struct rpm *r, const void *signature, size_t n,
    struct buf *blob, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (n == 0 || n > DATA_LIMIT)
		return err_set(e, ERR_DATA, "a signature of %zu bytes", n);
	if (replace(r, signature, n, true, blob, &ignored) == 0)
		return 0;
	return replace(r, signature, n, false, blob, e);
}

int
rpm_signature_read(const struct rpm *r, struct buf *signature, struct err *e)
{
	const uint8_t *data;
	size_t n;

	if (rpm_header_count(&r->signature, RSA) == 0)
		return err_set(e, ERR_REFUSED, "its header is not signed in a "
		    "way that rpm 4 knows");
	data = rpm_header_bytes(&r->signature, RSA, &n);
	if (data == NULL)
		return err_set(e, ERR_DATA, "tag %d is not a signature", RSA);
	buf_add(signature, data, n);
	return 0;
}
