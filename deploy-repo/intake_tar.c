#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deploy-repo/intake_tar.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/data/tar.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"

#define CHUNK ((size_t)256 << 10)

struct stream {
	int fd;
	char *chunk;
	struct untar *tar;
};

static ssize_t
read_stream(void *arg, const void **chunk, struct err *e)
{
	struct stream *s = arg;

	*chunk = s->chunk;
	return io_read(s->fd, s->chunk, CHUNK, "standard input", e);
}

/* Its name without "./", and size; directories are passed over. */
static int
next_file(struct stream *s, const char **path, uint64_t *size, struct err *e)
{
	struct tar_member m;
	int status;

	do
		status = untar_next(s->tar, &m, e);
	while (status > 0 && m.is_dir);
	if (status <= 0)
		return status;
	*path = m.path;
	*size = m.size;
	if (path_starts_with(m.path, "./"))
		*path += 2;
	return path_is_safe(*path) ? 1 : err_set(e, ERR_DATA, "unsafe path "
	    "'%s'", *path);
}

static int
read_member(struct stream *s, size_t max, struct buf *b, const char *path,
    struct err *e)
{
	const void *chunk;
	ssize_t n;

	while ((n = untar_read(s->tar, &chunk, e)) > 0) {
		if ((size_t)n > max - b->n)
			return err_set(e, ERR_DATA, "'%s' is larger than %zu "
			    "bytes", path, max);
		buf_add(b, chunk, (size_t)n);
	}
	return (int)n;
}

static int
read_first(struct stream *s, const char *wanted, size_t max, struct buf *b,
    struct err *e)
{
	const char *path = "";
	uint64_t size;
	int status = next_file(s, &path, &size, e);

	if (status < 0)
		return -1;
	if (status == 0 || strcmp(path, wanted) != 0)
		return err_set(e, ERR_DATA, "'%s' is not where it should be: "
		    "the archive must be one that distribute-packages export "
		    "wrote", wanted);
	return read_member(s, max, b, wanted, e);
}

static int
copy_member(struct intake *in, struct stream *s, size_t index, struct err *e)
{
	const void *chunk;
	struct digest d;
	struct out *o;
	ssize_t n;
	int at;

	o = intake_file_open(in, index, &at, &d, e);
	if (o == NULL)
		return -1;
	while ((n = untar_read(s->tar, &chunk, e)) > 0) {
		out_add(o, chunk, (size_t)n);
		log_progress_add((uint64_t)n);
	}
	if (n < 0) {
		intake_file_discard(o, at);
		return -1;
	}
	return intake_file_done(in, index, o, at, &d, e);
}

static int
copy_members(struct intake *in, struct stream *s, struct err *e)
{
	const struct manifest *m = &in->next.manifest;
	const struct manifest_entry *f;
	const char *path;
	uint64_t size;
	size_t at;
	int status;

	while ((status = next_file(s, &path, &size, e)) > 0) {
		f = manifest_find(m, path);
		if (f == NULL)
			return err_set(e, ERR_DATA, "'%s' is not listed in "
			    MANIFEST_NAME, path);
		at = (size_t)(f - m->v);
		if (in->placed[at])
			return err_set(e, ERR_DATA, "'%s' appears twice", path);
		if (intake_check_size(in, at, size, e) < 0 ||
		    (!intake_is_live(in, at) &&
		    intake_check_room(in, size, e) < 0) ||
		    copy_member(in, s, at, e) < 0)
			return -1;
	}
	return status;
}

/* So that the sender does not die of a broken pipe when we know enough. */
static int
drain(struct stream *s, struct err *e)
{
	const void *chunk;
	ssize_t n;

	while ((n = read_stream(s, &chunk, e)) > 0)
		;
	return (int)n;
}

int
intake_tar(struct intake *in, int fd, struct err *e)
{
	struct stream s = {.fd = fd};
	int status = -1;

	s.chunk = mem_alloc(CHUNK);
	s.tar = untar_open(read_stream, &s);
	log_progress_start("taking files", 0);
	if (read_first(&s, MANIFEST_NAME, MANIFEST_LIMIT, &in->next.text,
	    e) == 0 && read_first(&s, MANIFEST_SIGNATURE, SIGNATURE_LIMIT,
	    &in->next.signature, e) == 0 && intake_begin(in, e) == 0)
		status = 0;
	if (status == 0 && !in->is_known)
		status = copy_members(in, &s, e);
	if (status == 0)
		status = drain(&s, e);
	log_progress_end();
	if (status == 0 && !in->is_known)
		status = intake_complete(in, e);
	untar_close(s.tar);
	free(s.chunk);
	return status < 0 ? err_wrap(e, "tar archive") : 0;
}
