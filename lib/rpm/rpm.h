/*
 * An .rpm as the package that it claims to be: lead, signature header, main
 * header, payload (rpm: docs/manual/format_v4.md and format_v6.md).
 *
 *	struct rpm r = RPM_INIT;
 *	if (rpm_read(fd, "x.rpm", &r, e) < 0) ...	up to the payload
 *	if (rpm_read_payload(fd, "x.rpm", copy, &r, e) < 0) ...
 *	rpm_clear(&r);
 *
 * Nothing in the headers is believed before the header's own SHA-256 is
 * right, and the package only after its payload is.
 */
#ifndef LIB_RPM_RPM_H
#define LIB_RPM_RPM_H

#include "lib/base/err.h"
#include "lib/data/hash.h"
#include "lib/data/out.h"
#include "lib/rpm/header.h"

#define RPM_LEAD 96

struct rpm {
	uint8_t lead[RPM_LEAD];
	struct rpm_header signature;
	struct rpm_header header;
	/* Borrowed from the header. */
	const char *name;
	const char *version;
	const char *release;
	const char *arch;
	bool has_epoch;
	uint32_t epoch;
	bool is_v6;
	uint64_t header_start;	/* of the main header, in the file as read */
	uint64_t payload_start;	/* where the main header ends */
	/*
	 * SHA-256 of the main header, which holds the payload's digest: the
	 * same for a package whether it is signed or not, and by whom.
	 */
	uint8_t identity[HASH_SIZE];
	uint64_t payload_size;	/* bytes, packed; after rpm_read_payload */
};
#define RPM_INIT {.signature = RPM_HEADER_INIT, .header = RPM_HEADER_INIT}

/*
 * Reads from the descriptor's position, which must be the file's beginning,
 * to the end of the main header. Checks the form of all of it, the digests of
 * the header, and that it is a binary package whose name, version, release
 * and architecture are fit for a file's name. name is for messages. ERR_DATA
 * says what is wrong.
 */
int rpm_read(int fd, const char *name, struct rpm *r, struct err *e);

/*
 * Reads the rest of the file. Every byte goes to copy too, unless that is
 * NULL (committing it is left to the caller). Checks the payload's digest and
 * what the signature header says of header and payload: sizes, MD5.
 */
int rpm_read_payload(int fd, const char *name, struct out *copy,
    struct rpm *r, struct err *e);

/*
 * The same, and a reader (lib/sys/reader.h) unpacks it to its end, to nowhere:
 * ERR_DATA also where it is not compressed as the header says,
 * lib/data/contents.h finds it damaged, its files are not those that the header
 * lists, or the reader dies of it. Moves the descriptor to the payload first.
 */
int rpm_check_contents(int fd, const char *name, struct rpm *r,
    struct err *e);

/*
 * Two parts of rpm_read. What the header says of the package: that it is a
 * binary one, of a known format, its names and epoch; they are filled in.
 */
int rpm_check_claims(struct rpm *r, struct err *e);
/*
 * Arrays that belong together have one length and the type that they should
 * have (files, dependencies, changelog), and each file's directory exists: so
 * they can be indexed without a look. All tags have the type that rpm knows,
 * none is one of the signature header, names of files and dependencies are such
 * that the lists can say them, and what is required of rpm itself it can do.
 */
int rpm_check_counts(const struct rpm_header *h, struct err *e);

/* A dependency that begins with "(", by rpm's grammar for these. */
int rpm_check_rich(const char *dependency, struct err *e);

/* Lead, signature header and main header as they were read. */
void rpm_write_headers(const struct rpm *r, struct out *copy);

/* <name>-<version>-<release>.<arch>.rpm, yours. */
char *rpm_file_name(const struct rpm *r);
/* [<epoch>:]<version>-<release>, yours. */
char *rpm_evr(const struct rpm *r);

void rpm_clear(struct rpm *r);

/*
 * Compares versions as rpm does (rpmio/rpmvercmp.cc): segments of digits or
 * letters, "~" before everything, "^" after the end but before more.
 * <0, 0, >0.
 */
int rpm_compare_versions(const char *a, const char *b);
/* The same for [epoch:]version[-release]; no epoch is epoch 0. */
int rpm_compare_evr(const char *a, const char *b);

/*
 * The package's signature header with this signature in place of all others,
 * and the zero bytes that follow it up to the main header, appended to blob.
 * `signature` is a binary OpenPGP v4 RSA signature over the main header. The
 * reserved space shrinks or grows so that the size stays as it was; where the
 * signature does not fit, the header grows, but never beyond the 8192 bytes
 * of data that rpm 4.14 (Enterprise Linux 8) reads: then signatures of single
 * files (IMA, fs-verity) go, and what still has no room is ERR_DATA.
 */
int rpm_signature_replace(const struct rpm *r, const void *signature,
    size_t n, struct buf *blob, struct err *e);

/*
 * The package's own OpenPGP signature over its main header, tag 268 (RSA),
 * appended to signature. A v6 package must have it beside its tag 278, which
 * rpm 4 does not know. ERR_REFUSED where there is none, ERR_DATA where it is
 * damaged.
 */
int rpm_signature_read(const struct rpm *r, struct buf *signature,
    struct err *e);

#endif
