#include "distribute-packages/rpm/rpm_build.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"

void
signed_rpm_clear(struct signed_rpm *s)
{
	int list;

	free(s->name);
	free(s->evr);
	free(s->arch);
	free(s->file);
	for (list = 0; list < RPM_LISTS; list++)
		buf_clear(&s->entries[list]);
	*s = (struct signed_rpm){.name = NULL};
}

void
signed_rpm_name(struct signed_rpm *s, const struct rpm *r)
{
	s->name = mem_dup(r->name);
	s->evr = rpm_evr(r);
	s->arch = mem_dup(r->arch);
	s->file = rpm_file_name(r);
	memcpy(s->content, r->identity, HASH_SIZE);
}

static void
describe(struct signed_rpm *s, const struct rpm *r, uint64_t header_start,
    int64_t date)
{
	struct rpm_published p = {
		.href = s->file, .file = s->digest, .time = date,
		.header_start = header_start,
		.header_end = header_start + r->header.blob.n,
	};
	int list;

	for (list = 0; list < RPM_LISTS; list++)
		rpm_xml_write(r, &p, (enum rpm_list)list, &s->entries[list]);
}

static int
sign_header(struct signer *signer, const struct rpm *r, struct buf *head,
    struct err *e)
{
	struct buf signature = BUF_INIT;
	int status = signer_sign(signer, SIGN_BINARY, r->header.blob.p,
	    r->header.blob.n, true, &signature, e);

	if (status == 0)
		status = rpm_signature_replace(r, signature.p, signature.n,
		    head, e);
	buf_clear(&signature);
	return status;
}

int
rpm_build_native(const struct store *store, struct signer *signer,
    int64_t date, int fd, const char *name, struct rpm *r,
    struct signed_rpm *s, struct err *e)
{
	struct buf head = BUF_INIT;
	struct out *copy;
	int status = sign_header(signer, r, &head, e);

	if (status == 0) {
		copy = out_file(store->objects, NULL, 0644, OUT_LATER,
		    &s->digest);
		out_add(copy, r->lead, RPM_LEAD);
		out_add(copy, head.p, head.n);
		out_add(copy, r->header.blob.p, r->header.blob.n);
		status = rpm_read_payload(fd, name, copy, r, e);
		/* Only what was found good gets its name in the store. */
		if (status == 0)
			status = out_commit(copy, e);
		else
			out_discard(copy);
	}
	if (status == 0)
		describe(s, r, RPM_LEAD + head.n, date);
	buf_clear(&head);
	return status;
}

/* Opens a stored package and reads its headers. The descriptor, or -1. */
static int
open_stored(const struct store *store, const uint8_t sha256[HASH_SIZE],
    struct rpm *r, struct digest *d, struct err *e)
{
	char hex[HASH_HEX];
	struct stat st;
	int fd, status;

	hash_hex(sha256, hex);
	fd = fs_open(store->objects, hex, e);
	if (fd < 0)
		return -1;
	status = fstat(fd, &st) < 0 ?
	    err_sys(e, "stat object '%s'", hex) : rpm_read(fd, hex, r, e);
	if (status < 0) {
		close(fd);
		return -1;
	}
	memcpy(d->sha256, sha256, HASH_SIZE);
	d->size = (uint64_t)st.st_size;
	return fd;
}

static bool
is_by_signer(const struct signer *signer, const struct rpm *r)
{
	struct err ignored = ERR_INIT;
	struct buf signature = BUF_INIT;
	char issuer[PGP_FINGERPRINT] = "";

	if (rpm_signature_read(r, &signature, &ignored) == 0)
		pgp_issuer(signature.p, signature.n, issuer);
	buf_clear(&signature);
	return strcmp(issuer, signer_fingerprint(signer)) == 0;
}

int
rpm_build_stored(const struct store *store, const struct signer *signer,
    const uint8_t sha256[HASH_SIZE], int64_t date, struct signed_rpm *s,
    struct err *e)
{
	struct rpm r = RPM_INIT;
	int fd = open_stored(store, sha256, &r, &s->digest, e), status = -1;

	if (fd >= 0) {
		status = is_by_signer(signer, &r);
		if (status > 0)
			describe(s, &r, r.header_start, date);
		close(fd);
	}
	rpm_clear(&r);
	return status;
}

int
rpm_build_again(const struct store *store, struct signer *signer,
    const uint8_t sha256[HASH_SIZE], int64_t date, struct signed_rpm *s,
    bool *changed, struct err *e)
{
	struct rpm r = RPM_INIT;
	int fd = open_stored(store, sha256, &r, &s->digest, e), status = -1;

	*changed = false;
	if (fd >= 0) {
		signed_rpm_name(s, &r);
		*changed = !is_by_signer(signer, &r);
		status = *changed ? rpm_build_native(store, signer, date, fd,
		    s->file, &r, s, e) : 0;
		close(fd);
	}
	rpm_clear(&r);
	return status;
}
