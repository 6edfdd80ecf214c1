#include "lib/deb/deb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/data/archive.h"
#include "lib/deb/control.h"
#include "lib/deb/deb_data.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/log.h"

#define CHUNK ((size_t)128 << 10)
#define AR_MAGIC 8	/* "!<arch>\n" */
#define AR_HEADER 60

/* The file on disk; every byte that libarchive asks for passes here. */
struct reader {
	int fd;
	char *chunk;
	struct hash *hash;
	struct out *copy;
	uint64_t size;
};

static ssize_t
read_file(void *arg, const void **chunk, struct err *e)
{
	struct reader *r = arg;
	ssize_t n;

	if (cleanup_check(e) < 0)
		return -1;
	do
		n = read(r->fd, r->chunk, CHUNK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "read");
	hash_add(r->hash, r->chunk, (size_t)n);
	if (r->copy != NULL)
		out_add(r->copy, r->chunk, (size_t)n);
	r->size += (uint64_t)n;
	log_progress_add((uint64_t)n);
	*chunk = r->chunk;
	return n;
}

static int
read_whole(struct unpack *u, struct buf *b, struct err *e)
{
	ssize_t n;

	while ((n = unpack_read(u, buf_room(b, CHUNK), CHUNK, e)) > 0) {
		b->n += (size_t)n;
		if (b->n > DEB_MEMBERS_LIMIT)
			return err_set(e, ERR_DATA, "unpacks to more than %zu "
			    "bytes", DEB_MEMBERS_LIMIT);
	}
	return (int)n;
}

static ssize_t
read_memory(void *arg, const void **chunk, struct err *e)
{
	struct buf *b = arg;
	size_t n = b->n;

	(void)e;
	*chunk = b->p;
	b->n = 0;	/* all at once, and then the end */
	return (ssize_t)n;
}

static int
add_to_buf(const void *data, size_t n, void *arg)
{
	buf_add(arg, data, n);
	return 0;
}

/*
 * The whole of control.tar, into memory: a small file may unpack to a huge
 * one, and only at its end does a stream prove its checksum. (libarchive
 * does not compare that of gzip, so zlib unpacks it.)
 */
static int
unpack_whole(struct buf *packed, const char *name, struct buf *tar,
    struct err *e)
{
	enum unpack_filter filter = UNPACK_PLAIN;
	struct member m;
	struct unpack *u;
	int status;

	if (path_ends_with(name, ".gz"))
		return out_gunzip(buf_cstr(packed), packed->n,
		    DEB_MEMBERS_LIMIT, add_to_buf, tar, e);
	if (path_ends_with(name, ".xz"))
		filter = UNPACK_XZ;
	else if (path_ends_with(name, ".zst"))
		filter = UNPACK_ZSTD;
	u = unpack_open(UNPACK_STREAM, filter, read_memory, packed);
	status = unpack_next(u, &m, e);
	if (status == 0)
		status = err_set(e, ERR_DATA, "is empty");
	if (status > 0)
		status = read_whole(u, tar, e);
	unpack_close(u);
	return status;
}

static int
read_control(struct unpack *tar, const struct member *m, struct buf *text,
    struct err *e)
{
	ssize_t n;

	if (m->size > DEB_CONTROL_LIMIT)
		return err_set(e, ERR_DATA, "control file is larger than "
		    "%zu bytes", DEB_CONTROL_LIMIT);
	while ((n = unpack_read(tar, buf_room(text, 4096), 4096, e)) > 0) {
		text->n += (size_t)n;
		text->p[text->n] = '\0';
	}
	return (int)n;
}

/*
 * dpkg extracts all members into one directory and then opens "control": a
 * name or a link that leads there by another way would show it another file
 * than us. So there are plain files by plain names, and nothing else.
 */
static int
find_control(struct unpack *tar, struct buf *text, struct err *e)
{
	bool found = false;
	struct member m;
	const char *name;
	int status;

	while ((status = unpack_next(tar, &m, e)) > 0) {
		name = m.path;
		if (strncmp(name, "./", 2) == 0)
			name += 2;
		if (m.type == MEMBER_DIR &&
		    (name[0] == '\0' || strcmp(name, ".") == 0))
			continue;
		if (m.type != MEMBER_FILE || !path_is_name(name))
			return err_set(e, ERR_DATA, "'%s' is not a plain file",
			    m.path);
		if (strcmp(name, "control") != 0)
			continue;
		if (found)
			return err_set(e, ERR_DATA, "two control files");
		found = true;
		if (read_control(tar, &m, text, e) < 0)
			return -1;
	}
	if (status == 0 && text->n == 0)
		return err_set(e, ERR_DATA, "no control file");
	return status;
}

static bool
is_control_member(const char *name)
{
	return strcmp(name, "control.tar") == 0 ||
	    strcmp(name, "control.tar.gz") == 0 ||
	    strcmp(name, "control.tar.xz") == 0 ||
	    strcmp(name, "control.tar.zst") == 0;
}

static int
read_format_version(struct unpack *ar, const struct member *m, struct err *e)
{
	char text[16] = "";
	size_t digits;

	if (strcmp(m->path, "debian-binary") != 0)
		return err_set(e, ERR_DATA, "not a Debian package: the first "
		    "member is '%s'", m->path);
	if (unpack_read(ar, text, sizeof(text) - 1, e) < 0)
		return -1;
	digits = strncmp(text, "2.", 2) == 0 ?
	    strspn(text + 2, "0123456789") : 0;
	if (digits == 0 || text[2 + digits] != '\n')
		return err_set(e, ERR_DATA, "package format is not 2.x");
	return 0;
}

static int
read_control_member(struct unpack *ar, const struct member *m,
    struct buf *text, struct err *e)
{
	struct buf packed = BUF_INIT, tar = BUF_INIT;
	char name[sizeof("control.tar.zst")];
	struct unpack *u;
	int status;

	if (!is_control_member(m->path))
		return err_set(e, ERR_DATA, "the second member is '%s', not "
		    "control.tar, .gz, .xz or .zst", m->path);
	strcpy(name, m->path);
	status = read_whole(ar, &packed, e);
	if (status == 0)
		status = unpack_whole(&packed, name, &tar, e);
	if (status == 0) {
		u = unpack_open(UNPACK_TAR, UNPACK_PLAIN, read_memory, &tar);
		status = find_control(u, text, e);
		unpack_close(u);
	}
	buf_clear(&packed);
	buf_clear(&tar);
	return status < 0 ? err_wrap(e, "%s", name) : 0;
}

/*
 * deb(5): debian-binary, control.tar*, data.tar*, in this order; names that
 * begin with "_" are extensions. *end is where the last member ends.
 */
static int
read_members(struct unpack *ar, bool is_whole, struct buf *text,
    uint64_t *end, struct err *e)
{
	struct member m;
	int status, stage = 0;

	*end = AR_MAGIC;
	while ((status = unpack_next(ar, &m, e)) > 0) {
		*end += AR_HEADER + m.size + (m.size & 1);
		if (stage > 0 && m.path[0] == '_')
			continue;
		switch (stage++) {
		case 0:
			status = read_format_version(ar, &m, e);
			break;
		case 1:
			status = read_control_member(ar, &m, text, e);
			break;
		case 2:
			status = deb_data_read(ar, &m, is_whole, e);
			break;
		default:
			status = err_set(e, ERR_DATA, "member '%s' too many",
			    m.path);
		}
		if (status < 0)
			return -1;
	}
	if (status == 0 && stage < 3)
		return err_set(e, ERR_DATA, "truncated: %d of 3 members",
		    stage);
	return status;
}

static int
read_package(int fd, const char *name, bool is_whole, struct out *copy,
    struct deb *d, struct err *e)
{
	struct reader r = {.fd = fd, .copy = copy};
	struct buf text = BUF_INIT;
	struct unpack *ar;
	const void *rest;
	uint64_t end;
	ssize_t n;
	int status;

	r.chunk = mem_alloc(CHUNK);
	r.hash = hash_open();
	ar = unpack_open(UNPACK_AR, UNPACK_PLAIN, read_file, &r);
	status = read_members(ar, is_whole, &text, &end, e);
	unpack_close(ar);
	if (status == 0) {
		while ((n = read_file(&r, &rest, e)) > 0)
			;
		status = (int)n;
	}
	if (status == 0 && r.size != end)
		status = err_set(e, ERR_DATA, "the members end at byte %llu, "
		    "the file at %llu", (unsigned long long)end,
		    (unsigned long long)r.size);
	if (status == 0)
		status = deb_parse_control(text.p, text.n, d, e);
	d->digest.size = r.size;
	hash_close(r.hash, status == 0 ? d->digest.sha256 : NULL);
	free(r.chunk);
	buf_clear(&text);
	if (status < 0)
		err_wrap(e, "%s", name);
	return status;
}

int
deb_read(int fd, const char *name, struct out *copy, struct deb *d,
    struct err *e)
{
	return read_package(fd, name, false, copy, d, e);
}

int
deb_read_whole(int fd, const char *name, struct deb *d, struct err *e)
{
	return read_package(fd, name, true, NULL, d, e);
}

char *
deb_file_name(const struct deb *d)
{
	const char *colon = strchr(d->version, ':');

	return mem_format("%s_%s_%s.deb", d->package,
	    colon ? colon + 1 : d->version, d->architecture);
}

void
deb_clear(struct deb *d)
{
	free(d->package);
	free(d->version);
	free(d->architecture);
	buf_clear(&d->control);
	*d = (struct deb)DEB_INIT;
}
