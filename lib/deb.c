#include "lib/deb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/archive.h"
#include "lib/cleanup.h"
#include "lib/control.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/path.h"

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

/* A member of the ar archive, as the source of the tar archive in it. */
struct inner {
	struct unpack *ar;
	char *chunk;
};

static ssize_t
read_inner(void *arg, const void **chunk, struct err *e)
{
	struct inner *in = arg;

	*chunk = in->chunk;
	return unpack_read(in->ar, in->chunk, CHUNK, e);
}

static int
read_control(struct unpack *tar, const struct member *m, struct buf *text,
    struct err *e)
{
	ssize_t n;

	if (m->type != MEMBER_FILE)
		return err_set(e, ERR_DATA, "control is not a plain file");
	if (m->size > DEB_CONTROL_LIMIT)
		return err_set(e, ERR_DATA, "control file is larger than "
		    "%zu bytes", DEB_CONTROL_LIMIT);
	if (text->n > 0)
		return err_set(e, ERR_DATA, "two control files");
	while ((n = unpack_read(tar, buf_room(text, 4096), 4096, e)) > 0) {
		text->n += (size_t)n;
		text->p[text->n] = '\0';
		if (text->n > DEB_CONTROL_LIMIT)
			return err_set(e, ERR_DATA, "control file is larger "
			    "than %zu bytes", DEB_CONTROL_LIMIT);
	}
	return n < 0 ? -1 : 0;
}

static int
unpack_control(struct unpack *tar, struct buf *text, struct err *e)
{
	uint64_t total = 0;
	struct member m;
	const char *path;
	int status;

	while ((status = unpack_next(tar, &m, e)) > 0) {
		/* A small file may unpack to a huge one: stop early. */
		if (m.size > DEB_MEMBERS_LIMIT - total)
			return err_set(e, ERR_DATA, "control.tar unpacks to "
			    "more than %zu bytes", DEB_MEMBERS_LIMIT);
		total += m.size + 512;
		if (total > DEB_MEMBERS_LIMIT)
			total = DEB_MEMBERS_LIMIT;
		path = m.path;
		if (strncmp(path, "./", 2) == 0)
			path += 2;
		if (strcmp(path, "control") == 0 &&
		    read_control(tar, &m, text, e) < 0)
			return -1;
	}
	if (status == 0 && text->n == 0)
		return err_set(e, ERR_DATA, "no control file");
	return status;
}

static bool
tar_format(const char *name, const char *stem, enum unpack_format *format)
{
	static const struct {
		const char *suffix;
		enum unpack_format format;
	} known[] = {
		{"", UNPACK_TAR}, {".gz", UNPACK_TAR_GZ},
		{".xz", UNPACK_TAR_XZ}, {".zst", UNPACK_TAR_ZST},
	};
	size_t i;

	if (!path_starts_with(name, stem))
		return false;
	for (i = 0; i < COUNT(known); i++)
		if (strcmp(name + strlen(stem), known[i].suffix) == 0) {
			*format = known[i].format;
			return true;
		}
	return false;
}

static int
read_format_version(struct unpack *ar, const struct member *m, struct err *e)
{
	char text[16] = "";

	if (strcmp(m->path, "debian-binary") != 0)
		return err_set(e, ERR_DATA, "not a Debian package: the first "
		    "member is '%s'", m->path);
	if (unpack_read(ar, text, sizeof(text) - 1, e) < 0)
		return -1;
	if (strncmp(text, "2.", 2) != 0)
		return err_set(e, ERR_DATA, "package format is not 2.x");
	return 0;
}

static int
read_control_member(struct unpack *ar, const struct member *m,
    struct buf *text, struct err *e)
{
	struct inner in = {.ar = ar};
	enum unpack_format format;
	struct unpack *tar;
	int status;

	if (!tar_format(m->path, "control.tar", &format))
		return err_set(e, ERR_DATA, "the second member is '%s', not "
		    "control.tar, .gz, .xz or .zst", m->path);
	in.chunk = mem_alloc(CHUNK);
	tar = unpack_open(format, read_inner, &in);
	status = unpack_control(tar, text, e);
	unpack_close(tar);
	free(in.chunk);
	if (status < 0)
		err_wrap(e, "%s", m->path);
	return status;
}

/*
 * deb(5): debian-binary, control.tar*, data.tar*, in this order; names that
 * begin with "_" are extensions. *end is where the last member ends.
 */
static int
read_members(struct unpack *ar, struct buf *text, uint64_t *end,
    struct err *e)
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
			if (!path_starts_with(m.path, "data.tar"))
				status = err_set(e, ERR_DATA, "the third "
				    "member is '%s', not data.tar", m.path);
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

int
deb_read(int fd, const char *name, struct out *copy, struct deb *d,
    struct err *e)
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
	ar = unpack_open(UNPACK_AR, read_file, &r);
	status = read_members(ar, &text, &end, e);
	unpack_close(ar);
	if (status == 0) {
		while ((n = read_file(&r, &rest, e)) > 0)
			;
		status = (int)n;
	}
	/* A last member of odd length may lack its padding. */
	if (status == 0 && r.size != end && r.size + 1 != end)
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
