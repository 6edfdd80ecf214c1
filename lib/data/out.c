#include "lib/data/out.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/mem.h"
#include "lib/sys/fs.h"
#include "lib/sys/io.h"

#define FILE_BUFFER ((size_t)64 << 10)
/* Start writing to the disk this early, so that the last flush is short. */
#define WRITE_BEHIND ((uint64_t)8 << 20)
#define GZIP_CHUNK ((size_t)64 << 10)
#define GZIP_WINDOW (MAX_WBITS + 16)	/* zlib.h: +16 is gzip framing */
#define GZIP_LEVEL 6

/* One link of a chain: each kind of link has a struct that begins with it. */
struct out_type {
	int (*write)(struct out *o, const void *data, size_t n, struct err *e);
	int (*commit)(struct out *o, struct err *e);	/* frees o, always */
	void (*discard)(struct out *o);
};

struct out {
	const struct out_type *type;
	struct err failed;	/* the first failure, which sticks */
};

void
out_add(struct out *o, const void *data, size_t n)
{
	if (o->failed.kind == ERR_NONE && n > 0)
		(void)o->type->write(o, data, n, &o->failed);
}

void
out_str(struct out *o, const char *s)
{
	out_add(o, s, strlen(s));
}

bool
out_has_failed(const struct out *o)
{
	return o->failed.kind != ERR_NONE;
}

int
out_commit(struct out *o, struct err *e)
{
	if (o->failed.kind != ERR_NONE) {
		*e = o->failed;
		out_discard(o);
		return -1;
	}
	return o->type->commit(o, e);
}

void
out_discard(struct out *o)
{
	if (o != NULL)
		o->type->discard(o);
}

/* ------------------------------------------------------------- a file */

struct out_to_file {
	struct out base;
	int dir;
	char *name;		/* NULL: by digest */
	char tmp[32];
	mode_t mode;
	int fd;			/* -1: all is still in the buffer */
	enum out_sync sync;
	struct hash *hash;	/* NULL: the caller hashes */
	const struct digest *known;
	struct digest *wanted;
	uint64_t size;
	uint64_t written;	/* handed to the kernel */
	uint64_t behind;	/* and asked to be written to the disk */
	size_t held;
	char *buffer;
};

static const char *
label(const struct out_to_file *o)
{
	return o->name ? o->name : o->tmp;
}

static int
open_temporary(struct out_to_file *o, struct err *e)
{
	o->fd = openat(o->dir, o->tmp, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, o->mode);
	if (o->fd < 0)
		return err_sys(e, "create '%s'", label(o));
	if (fchmod(o->fd, o->mode) < 0)
		return err_sys(e, "set the mode of '%s'", label(o));
	return 0;
}

static int
file_flush(struct out_to_file *o, const void *data, size_t n, struct err *e)
{
	if (o->fd < 0 && open_temporary(o, e) < 0)
		return -1;
	if (io_write(o->fd, data, n, label(o), e) < 0)
		return -1;
	o->written += n;
	if (o->written - o->behind >= WRITE_BEHIND) {
		(void)sync_file_range(o->fd, (off_t)o->behind,
		    (off_t)(o->written - o->behind), SYNC_FILE_RANGE_WRITE);
		o->behind = o->written;
	}
	return 0;
}

static int
file_write(struct out *base, const void *data, size_t n, struct err *e)
{
	struct out_to_file *o = (struct out_to_file *)base;

	if (o->hash != NULL)
		hash_add(o->hash, data, n);
	o->size += n;
	if (o->held + n > FILE_BUFFER) {
		if (o->held > 0 && file_flush(o, o->buffer, o->held, e) < 0)
			return -1;
		o->held = 0;
		if (n >= FILE_BUFFER)
			return file_flush(o, data, n, e);
	}
	if (o->buffer == NULL)
		o->buffer = mem_alloc(FILE_BUFFER);
	memcpy(o->buffer + o->held, data, n);
	o->held += n;
	return 0;
}

static void
file_free(struct out_to_file *o)
{
	hash_close(o->hash, NULL);
	free(o->buffer);
	free(o->name);
	free(o);
}

static void
file_discard(struct out *base)
{
	struct out_to_file *o = (struct out_to_file *)base;

	if (o->fd >= 0) {
		close(o->fd);
		unlinkat(o->dir, o->tmp, 0);
	}
	file_free(o);
}

/*
 * A small object goes straight to its name: half the cost of a temporary one
 * and a rename. A file that is there is never written to: it may be in use.
 * What a kill leaves half written, no generation lists.
 */
static int
write_small_object(struct out_to_file *o, const char *name, bool *done,
    struct err *e)
{
	int fd, status;

	*done = false;
	if (o->fd >= 0 || o->name != NULL || o->sync == OUT_NOW)
		return 0;
	fd = openat(o->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    o->mode);
	if (fd < 0)
		return errno == EEXIST ? 0 : err_sys(e, "create '%s'", name);
	status = io_write(fd, o->buffer, o->held, name, e);
	close(fd);
	if (status < 0)
		unlinkat(o->dir, name, 0);
	*done = status == 0;
	return status;
}

/* The temporary file, complete, gets its name. */
static int
name_file(struct out_to_file *o, const char *name, struct err *e)
{
	int fd;

	if (file_flush(o, o->buffer, o->held, e) < 0)
		return -1;
	if (o->sync == OUT_NOW && fsync(o->fd) < 0)
		return err_sys(e, "flush '%s'", name);
	if (renameat(o->dir, o->tmp, o->dir, name) < 0)
		return err_sys(e, "rename '%s' to '%s'", o->tmp, name);
	fd = o->fd;
	o->fd = -1;
	if (close(fd) < 0)
		return err_sys(e, "close '%s'", name);
	return o->sync == OUT_NOW ? fs_sync_dir(o->dir, e) : 0;
}

static int
file_commit(struct out *base, struct err *e)
{
	struct out_to_file *o = (struct out_to_file *)base;
	char hex[HASH_HEX];
	struct digest d = {.size = o->size};
	const char *name;
	bool done;

	if (o->known != NULL)
		d = *o->known;
	else
		hash_close(o->hash, d.sha256);
	o->hash = NULL;
	hash_hex(d.sha256, hex);
	name = o->name ? o->name : hex;
	if (write_small_object(o, name, &done, e) < 0 ||
	    (!done && name_file(o, name, e) < 0)) {
		file_discard(base);
		return -1;
	}
	if (o->wanted != NULL)
		*o->wanted = d;
	file_free(o);
	return 0;
}

static const struct out_type file_type = {
	file_write, file_commit, file_discard,
};

static struct out_to_file *
file_new(int dir, mode_t mode)
{
	static atomic_uint serial;
	struct out_to_file *o = mem_zero(1, sizeof(*o));

	o->base.type = &file_type;
	o->dir = dir;
	o->mode = mode;
	o->fd = -1;
	snprintf(o->tmp, sizeof(o->tmp), ".out%u.tmp",
	    atomic_fetch_add(&serial, 1));
	return o;
}

struct out *
out_file(int dir, const char *name, mode_t mode, enum out_sync sync,
    struct digest *d)
{
	struct out_to_file *o = file_new(dir, mode);

	o->name = name ? mem_dup(name) : NULL;
	o->sync = sync;
	o->wanted = d;
	o->hash = hash_open();
	return &o->base;
}

struct out *
out_object(int dir, const struct digest *d)
{
	struct out_to_file *o = file_new(dir, 0644);

	o->sync = OUT_LATER;
	o->known = d;
	return &o->base;
}

/* ------------------------------------------- a descriptor, a buffer, none */

struct out_simple {
	struct out base;
	int fd;
	const char *name;
	struct buf *buf;
	struct hash *hash;
	struct digest *digest;
};

static int
simple_write(struct out *base, const void *data, size_t n, struct err *e)
{
	struct out_simple *o = (struct out_simple *)base;

	if (o->buf != NULL) {
		buf_add(o->buf, data, n);
	} else if (o->hash != NULL) {
		hash_add(o->hash, data, n);
		o->digest->size += n;
	} else {
		return io_write(o->fd, data, n, o->name, e);
	}
	return 0;
}

static int
simple_commit(struct out *base, struct err *e)
{
	struct out_simple *o = (struct out_simple *)base;

	(void)e;
	if (o->hash != NULL)
		hash_close(o->hash, o->digest->sha256);
	free(o);
	return 0;
}

static void
simple_discard(struct out *base)
{
	hash_close(((struct out_simple *)base)->hash, NULL);
	free(base);
}

static const struct out_type simple_type = {
	simple_write, simple_commit, simple_discard,
};

static struct out_simple *
simple_new(void)
{
	struct out_simple *o = mem_zero(1, sizeof(*o));

	o->base.type = &simple_type;
	return o;
}

struct out *
out_fd(int fd, const char *name)
{
	struct out_simple *o = simple_new();

	o->fd = fd;
	o->name = name;
	return &o->base;
}

struct out *
out_buf(struct buf *b)
{
	struct out_simple *o = simple_new();

	o->buf = b;
	return &o->base;
}

struct out *
out_nowhere(struct digest *d)
{
	struct out_simple *o = simple_new();

	d->size = 0;
	o->digest = d;
	o->hash = hash_open();
	return &o->base;
}

/* --------------------------------------------------------- two at once */

struct out_to_both {
	struct out base;
	struct out *a, *b;
};

static int
both_write(struct out *base, const void *data, size_t n, struct err *e)
{
	struct out_to_both *o = (struct out_to_both *)base;

	out_add(o->a, data, n);
	out_add(o->b, data, n);
	if (o->a->failed.kind == ERR_NONE && o->b->failed.kind == ERR_NONE)
		return 0;
	*e = o->a->failed.kind ? o->a->failed : o->b->failed;
	return -1;
}

static void
both_discard(struct out *base)
{
	struct out_to_both *o = (struct out_to_both *)base;

	out_discard(o->a);
	out_discard(o->b);
	free(o);
}

static int
both_commit(struct out *base, struct err *e)
{
	struct out_to_both *o = (struct out_to_both *)base;
	int status = out_commit(o->a, e);

	o->a = NULL;
	if (status == 0) {
		status = out_commit(o->b, e);
		o->b = NULL;
	}
	both_discard(base);
	return status;
}

static const struct out_type both_type = {
	both_write, both_commit, both_discard,
};

struct out *
out_tee(struct out *a, struct out *b)
{
	struct out_to_both *o = mem_zero(1, sizeof(*o));

	o->base.type = &both_type;
	o->a = a;
	o->b = b;
	return &o->base;
}

/* ------------------------------------------------------------------ gzip */

struct out_to_gzip {
	struct out base;
	struct out *next;
	z_stream z;
	unsigned char chunk[GZIP_CHUNK];
};

static int
deflate_into_next(struct out_to_gzip *o, int flush, struct err *e)
{
	int status;

	do {
		o->z.next_out = o->chunk;
		o->z.avail_out = GZIP_CHUNK;
		status = deflate(&o->z, flush);
		if (status == Z_STREAM_ERROR)
			return err_set(e, ERR_BUG, "deflate failed");
		out_add(o->next, o->chunk, GZIP_CHUNK - o->z.avail_out);
	} while (o->z.avail_out == 0 || (flush == Z_FINISH &&
	    status != Z_STREAM_END));
	return 0;
}

static int
gzip_write(struct out *base, const void *data, size_t n, struct err *e)
{
	struct out_to_gzip *o = (struct out_to_gzip *)base;
	const unsigned char *p = data;
	size_t step;

	while (n > 0) {
		step = n > (size_t)1 << 30 ? (size_t)1 << 30 : n;
		o->z.next_in = (unsigned char *)(uintptr_t)p;
		o->z.avail_in = (uInt)step;
		if (deflate_into_next(o, Z_NO_FLUSH, e) < 0)
			return -1;
		p += step;
		n -= step;
	}
	return 0;
}

static void
gzip_free(struct out_to_gzip *o)
{
	deflateEnd(&o->z);
	free(o);
}

static int
gzip_commit(struct out *base, struct err *e)
{
	struct out_to_gzip *o = (struct out_to_gzip *)base;
	int status;

	o->z.next_in = NULL;
	o->z.avail_in = 0;
	status = deflate_into_next(o, Z_FINISH, e);
	if (status == 0)
		status = out_commit(o->next, e);
	else
		out_discard(o->next);
	gzip_free(o);
	return status;
}

static void
gzip_discard(struct out *base)
{
	struct out_to_gzip *o = (struct out_to_gzip *)base;

	out_discard(o->next);
	gzip_free(o);
}

static const struct out_type gzip_type = {
	gzip_write, gzip_commit, gzip_discard,
};

struct out *
out_gzip(struct out *next)
{
	struct out_to_gzip *o = mem_zero(1, sizeof(*o));
	/* RFC 1952: no name, no time; 3 is Unix, whatever zlib was built on */
	static gz_header header = {.os = 3};

	o->base.type = &gzip_type;
	o->next = next;
	if (deflateInit2(&o->z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflateSetHeader(&o->z, &header) != Z_OK)
		abort();
	return &o->base;
}
