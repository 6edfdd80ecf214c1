/*
 * A whole .rpm. Digests would stop every change at the door, so those of the
 * input are put right first, where it has a place for them. What is accepted
 * has a name that is safe in a path, can be signed, and is the same package
 * afterwards.
 */
#include "lib/base/path.h"
#include "lib/rpm/rpm.h"
#include "tests/fuzz/support.h"

static const char signature[] = "stands for a signature of 39 bytes long";

static bool
take_header(const uint8_t *data, size_t n, enum rpm_header_kind kind,
    struct rpm_header *h)
{
	struct err e = ERR_INIT;
	size_t size;

	if (n < RPM_INTRO || rpm_header_size(data, kind, &size, &e) < 0 ||
	    size > n)
		return false;
	buf_add(&h->blob, data, size);
	if (rpm_header_check(h, kind, &e) == 0)
		return true;
	must_have_reason(&e);
	return false;
}

/* Everything that can be asked of a header. */
static void
ask_all(const struct rpm_header *h)
{
	struct rpm_entry entry, again;
	const char **strings;
	uint64_t sum = 0;
	uint32_t i;
	size_t k, n;

	for (i = 0; i < h->n; i++) {
		rpm_header_entry(h, i, &entry);
		must(rpm_header_find(h, entry.tag, &again));
		must(again.data == entry.data);
		must(rpm_header_count(h, entry.tag) == entry.count);
		for (k = 0; k < entry.data_n; k++)
			sum += entry.data[k];
		for (k = 0; k < entry.count && k < 99; k++)
			sum += rpm_header_number(h, entry.tag, k, 1);
		sum += rpm_header_number(h, entry.tag, entry.count, 1);
		strings = rpm_header_strings(h, entry.tag, &n);
		must((strings != NULL) == (n > 0));
		for (k = 0; k < n; k++)
			sum += strlen(strings[k]);
		must(n == 0 ||
		    strings[0] == rpm_header_string(h, entry.tag));
		free(strings);
		rpm_header_bytes(h, entry.tag, &n);
	}
	must(sum < UINT64_MAX);
}

/* Where the tag's data are in a copy of the header, if they have n bytes. */
static uint8_t *
place_of(const struct rpm_header *h, uint32_t tag, size_t n, uint8_t *copy)
{
	struct rpm_entry entry;

	if (!rpm_header_find(h, tag, &entry) || entry.data_n != n)
		return NULL;
	return copy + (entry.data - (const uint8_t *)h->blob.p);
}

/* The SHA-256 in hexadecimal, with its NUL. */
static void
repair(const struct rpm_header *h, uint32_t tag, uint8_t *copy,
    const uint8_t *data, size_t n)
{
	uint8_t *place = place_of(h, tag, HASH_HEX, copy);
	uint8_t digest[HASH_SIZE];
	char hex[HASH_HEX];

	if (place == NULL)
		return;
	hash_data(data, n, digest);
	hash_hex(digest, hex);
	memcpy(place, hex, HASH_HEX);
}

static void
repair_digests(uint8_t *file, size_t n, struct rpm_header *s,
    struct rpm_header *h)
{
	size_t start;

	if (n < RPM_LEAD || !take_header(file + RPM_LEAD, n - RPM_LEAD,
	    RPM_SIGNATURE, s))
		return;
	ask_all(s);
	start = (RPM_LEAD + s->blob.n + 7) / 8 * 8;
	if (start > n || !take_header(file + start, n - start, RPM_MAIN, h))
		return;
	ask_all(h);
	repair(h, 5092, file + start, file + start + h->blob.n,
	    n - start - h->blob.n);
	repair(s, 273, file + RPM_LEAD, file + start, h->blob.n);
}

static void
must_sign(const struct rpm *r, const uint8_t *file, size_t n)
{
	struct buf after = BUF_INIT, found = BUF_INIT;
	struct err e = ERR_INIT;
	struct rpm again = RPM_INIT;
	int fd;

	buf_add(&after, r->lead, RPM_LEAD);
	if (rpm_signature_replace(r, signature, sizeof(signature), &after,
	    &e) == 0) {
		must(after.n % 8 == 0);
		buf_add(&after, file + r->header_start, n - r->header_start);
		fd = file_of((uint8_t *)after.p, after.n);
		must(rpm_read(fd, "again", &again, &e) == 0);
		must(rpm_read_payload(fd, "again", NULL, &again, &e) == 0);
		must(hash_equal(r->identity, again.identity));
		must(rpm_signature_read(&again, &found, &e) == 0);
		must(found.n == sizeof(signature) &&
		    memcmp(found.p, signature, found.n) == 0);
		close(fd);
	} else {
		must_have_reason(&e);
	}
	rpm_clear(&again);
	buf_clear(&found);
	buf_clear(&after);
}

static void
must_be_fine(const struct rpm *r, const uint8_t *file, size_t n)
{
	struct buf found = BUF_INIT;
	struct err e = ERR_INIT;
	char *name = rpm_file_name(r), *evr = rpm_evr(r);

	must(path_is_name(name));
	must(rpm_compare_evr(evr, evr) == 0);
	must(rpm_compare_versions(r->version, r->release) ==
	    -rpm_compare_versions(r->release, r->version));
	must(r->payload_start + r->payload_size == n);
	if (rpm_signature_read(r, &found, &e) < 0)
		must_have_reason(&e);
	must_sign(r, file, n);
	buf_clear(&found);
	free(evr);
	free(name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rpm_header s = RPM_HEADER_INIT, h = RPM_HEADER_INIT;
	uint8_t *file = (uint8_t *)text_of(data, n);
	struct rpm r = RPM_INIT;
	struct err e = ERR_INIT;
	int fd;

	repair_digests(file, n, &s, &h);
	fd = file_of(file, n);
	if (rpm_read(fd, "fuzz.rpm", &r, &e) == 0 &&
	    rpm_read_payload(fd, "fuzz.rpm", NULL, &r, &e) == 0)
		must_be_fine(&r, file, n);
	else
		must_have_reason(&e);
	close(fd);
	rpm_clear(&r);
	rpm_header_clear(&s);
	rpm_header_clear(&h);
	free(file);
	return 0;
}
