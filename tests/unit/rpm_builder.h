/*
 * Makes an .rpm in memory, a right one or a wrong one.
 *
 *	struct package p;
 *	package_usual(&p);
 *	parts_string(&p.main, 1000, "../x");	what shall be otherwise
 *	package_seal(&p);			digests and sizes
 *	parts_drop(&p.signature, 273);		what of these shall be
 *	package_write(&p, &file);
 *	package_clear(&p);
 */
#ifndef TESTS_UNIT_RPM_BUILDER_H
#define TESTS_UNIT_RPM_BUILDER_H

#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/data/hash.h"
#include "lib/rpm/rpm.h"

#define PARTS 64

/* An entry of a header. */
struct part {
	uint32_t tag;
	uint32_t type;
	uint32_t count;
	struct buf data;
};

struct parts {
	struct part v[PARTS];
	size_t n;
};

struct package {
	uint8_t lead[RPM_LEAD];
	struct parts signature;
	struct parts main;
	struct buf payload;
};

static inline void
parts_drop(struct parts *s, uint32_t tag)
{
	size_t i;

	for (i = 0; i < s->n && s->v[i].tag != tag; i++)
		;
	if (i == s->n)
		return;
	buf_clear(&s->v[i].data);
	s->n--;
	memmove(&s->v[i], &s->v[i + 1], (s->n - i) * sizeof(s->v[0]));
}

/* In place of the one that has the tag; sorted. */
static inline void
parts_set(struct parts *s, uint32_t tag, uint32_t type, uint32_t count,
    const void *data, size_t n)
{
	struct part part = {tag, type, count, BUF_INIT};
	size_t i;

	parts_drop(s, tag);
	assert_true(s->n < PARTS);
	buf_add(&part.data, data, n);
	for (i = s->n++; i > 0 && s->v[i - 1].tag > tag; i--)
		s->v[i] = s->v[i - 1];
	s->v[i] = part;
}

static inline void
parts_string(struct parts *s, uint32_t tag, const char *text)
{
	parts_set(s, tag, RPM_STRING, 1, text, strlen(text) + 1);
}

/* Words with a blank after each. */
static inline void
parts_strings(struct parts *s, uint32_t tag, const char *words)
{
	struct buf b = BUF_INIT;
	uint32_t count = 0;
	size_t i;

	buf_str(&b, words);
	for (i = 0; i < b.n; i++)
		if (b.p[i] == ' ') {
			b.p[i] = '\0';
			count++;
		}
	parts_set(s, tag, RPM_STRING_ARRAY, count, b.p, b.n);
	buf_clear(&b);
}

static inline void
put32(struct buf *b, uint32_t value)
{
	const char bytes[4] = {(char)(value >> 24), (char)(value >> 16),
	    (char)(value >> 8), (char)value};

	buf_add(b, bytes, 4);
}

/* The last `size` bytes of each number. */
static inline void
parts_numbers(struct parts *s, uint32_t tag, uint32_t size, uint32_t count,
    const uint32_t *numbers)
{
	uint32_t type = size == 2 ? RPM_INT16 : size == 4 ? RPM_INT32 :
	    RPM_INT64;
	struct buf b = BUF_INIT;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (size == 8)
			put32(&b, 0);
		put32(&b, numbers[i]);
		if (size == 2) {
			memmove(b.p + b.n - 4, b.p + b.n - 2, 2);
			b.n -= 2;
		}
	}
	parts_set(s, tag, type, count, b.p, b.n);
	buf_clear(&b);
}

static inline void
parts_number(struct parts *s, uint32_t tag, uint32_t number)
{
	parts_numbers(s, tag, 4, 1, &number);
}

static inline void
parts_clear(struct parts *s)
{
	while (s->n > 0)
		parts_drop(s, s->v[0].tag);
}

static inline void
parts_pad(struct buf *data, uint32_t type)
{
	size_t to = type == RPM_INT16 ? 2 : type == RPM_INT32 ? 4 :
	    type == RPM_INT64 ? 8 : 1;

	while (data->n % to != 0)
		buf_add(data, "", 1);
}

/* The header, appended; region is 62 or 63. */
static inline void
parts_write(const struct parts *s, uint32_t region, struct buf *b)
{
	struct buf index = BUF_INIT, data = BUF_INIT;
	const struct part *p;

	for (p = s->v; p < s->v + s->n; p++) {
		parts_pad(&data, p->type);
		put32(&index, p->tag);
		put32(&index, p->type);
		put32(&index, (uint32_t)data.n);
		put32(&index, p->count);
		buf_add(&data, p->data.p, p->data.n);
	}
	put32(b, 0x8eade801);
	put32(b, 0);
	put32(b, (uint32_t)s->n + 1);
	put32(b, (uint32_t)data.n + 16);
	put32(b, region);
	put32(b, RPM_BIN);
	put32(b, (uint32_t)data.n);
	put32(b, 16);
	buf_add(b, index.p, index.n);
	buf_add(b, data.p, data.n);
	put32(b, region);
	put32(b, RPM_BIN);
	put32(b, (uint32_t)-(16 * ((int)s->n + 1)));
	put32(b, 16);
	buf_clear(&index);
	buf_clear(&data);
}

/* ------------------------------------------------------------- packages */

static inline void
add_hex(struct parts *s, uint32_t tag, enum hash_algorithm algorithm,
    const struct buf *data)
{
	struct hash *h = hash_open_as(algorithm);
	struct buf hex = BUF_INIT;
	uint8_t digest[HASH_SIZE_MAX];
	size_t i, n;

	assert_non_null(h);
	hash_add(h, data->p, data->n);
	n = hash_finish(h, digest);
	for (i = 0; i < n; i++)
		buf_addf(&hex, "%02x", digest[i]);
	parts_string(s, tag, hex.p);
	buf_clear(&hex);
}

/* The payload's digest, in the header. */
static inline void
package_payload(struct package *p, const char *text, uint32_t number,
    enum hash_algorithm algorithm)
{
	buf_clear(&p->payload);
	buf_str(&p->payload, text);
	add_hex(&p->main, 5092, algorithm, &p->payload);
	parts_number(&p->main, 5093, number);
}

static inline void
package_usual(struct package *p)
{
	static const uint32_t modes[] = {0100644, 0120777, 040755};
	static const uint32_t numbers[] = {0, 1, 0};

	memset(p, 0, sizeof(*p));
	memcpy(p->lead, "\xed\xab\xee\xdb\3\0\0\0\0\1x", 11);
	p->lead[79] = 5;
	parts_string(&p->main, 1000, "x-tool");
	parts_string(&p->main, 1001, "1.0~rc1");
	parts_string(&p->main, 1002, "2.el9");
	parts_string(&p->main, 1021, "linux");
	parts_string(&p->main, 1022, "x86_64");
	parts_string(&p->main, 1044, "x-1.0~rc1-2.el9.src.rpm");
	parts_numbers(&p->main, 1030, 2, 3, modes);
	parts_numbers(&p->main, 1037, 4, 3, numbers);
	parts_strings(&p->main, 1039, "root root root ");
	parts_strings(&p->main, 1040, "root root root ");
	parts_numbers(&p->main, 1116, 4, 3, numbers);
	parts_strings(&p->main, 1117, "a b c ");
	parts_strings(&p->main, 1118, "/usr/bin/ /etc/ ");
	parts_strings(&p->main, 1047, "x x(x86-64) ");
	parts_numbers(&p->main, 1112, 4, 2, numbers);
	parts_strings(&p->main, 1113, "1.0 1.0 ");
	package_payload(p, "any bytes", 8, HASH_SHA256);
}

/* What rpmbuild 4.18 writes to the signature header, but for PAYLOADSIZE. */
static inline void
package_seal(struct package *p)
{
	uint8_t md5[HASH_SIZE_MAX], zeros[200] = {0};
	struct buf main = BUF_INIT;
	struct hash *h = hash_open_as(HASH_MD5);

	assert_non_null(h);
	parts_write(&p->main, 63, &main);
	add_hex(&p->signature, 269, HASH_SHA1, &main);
	add_hex(&p->signature, 273, HASH_SHA256, &main);
	parts_number(&p->signature, 1000,
	    (uint32_t)(main.n + p->payload.n));
	hash_add(h, main.p, main.n);
	hash_add(h, p->payload.p, p->payload.n);
	hash_finish(h, md5);
	parts_set(&p->signature, 1004, RPM_BIN, 16, md5, 16);
	parts_set(&p->signature, 1008, RPM_BIN, sizeof(zeros), zeros,
	    sizeof(zeros));
	buf_clear(&main);
}

/* The same for format 6. */
static inline void
package_seal_v6(struct package *p)
{
	struct buf main = BUF_INIT;
	uint8_t zeros[400] = {0};

	parts_write(&p->main, 63, &main);
	add_hex(&p->signature, 273, HASH_SHA256, &main);
	add_hex(&p->signature, 279, HASH_SHA3_256, &main);
	parts_set(&p->signature, 999, RPM_BIN, sizeof(zeros), zeros,
	    sizeof(zeros));
	buf_clear(&main);
}

static inline void
package_write(const struct package *p, struct buf *file)
{
	size_t start;

	buf_clear(file);
	buf_add(file, p->lead, RPM_LEAD);
	start = file->n;
	parts_write(&p->signature, 62, file);
	while ((file->n - start) % 8 != 0)
		buf_add(file, "", 1);
	parts_write(&p->main, 63, file);
	buf_add(file, p->payload.p, p->payload.n);
}

static inline void
package_clear(struct package *p)
{
	parts_clear(&p->signature);
	parts_clear(&p->main);
	buf_clear(&p->payload);
}

/* rpm_read and rpm_read_payload. */
static inline int
read_package(const struct buf *file, struct rpm *r, struct err *e)
{
	int fd = file_of(file->p, file->n);
	int status = rpm_read(fd, "x.rpm", r, e);

	if (status == 0)
		status = rpm_read_payload(fd, "x.rpm", NULL, r, e);
	close(fd);
	return status;
}

#define assert_refused(file, part) do {					\
	struct rpm r_ = RPM_INIT;					\
	struct err e_;							\
	assert_fails(read_package(file, &r_, &e_), e_, ERR_DATA, part);	\
	check_err(&e_, ERR_DATA, "x.rpm: ", __FILE__, __LINE__);	\
	rpm_clear(&r_);							\
} while (0)

#define assert_accepted(file) do {					\
	struct rpm r_ = RPM_INIT;					\
	struct err e_ = ERR_INIT;					\
	assert_ok(read_package(file, &r_, &e_), e_);			\
	rpm_clear(&r_);							\
} while (0)

/* Seals and writes the package, which is wrong, and clears it. */
#define assert_package_refused(p, part) do {				\
	struct buf file_ = BUF_INIT;					\
	package_seal(p);						\
	package_write(p, &file_);					\
	assert_refused(&file_, part);					\
	package_clear(p);						\
	buf_clear(&file_);						\
} while (0)

#define assert_package_accepted(p) do {					\
	struct buf file_ = BUF_INIT;					\
	package_seal(p);						\
	package_write(p, &file_);					\
	assert_accepted(&file_);					\
	package_clear(p);						\
	buf_clear(&file_);						\
} while (0)

#endif
