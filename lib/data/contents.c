#include "lib/data/contents.h"

#include <string.h>

#include "lib/base/path.h"

#define TAR_END 1024	/* bytes: two blocks of zeros */
#define CPIO_END 120	/* a header, and "TRAILER!!!" */

/* The unpacked bytes, on their way to libarchive. */
struct view {
	struct stream *stream;
	uint64_t size;		/* so many came */
	uint64_t zeros;		/* so many of the last ones are 0 */
	const void *first;	/* looked at, and not given away yet */
	ssize_t first_n;
};

static void
count_zeros(struct view *v, const char *p, size_t n)
{
	size_t i = n;

	while (i > 0 && p[i - 1] == '\0')
		i--;
	v->zeros = i == 0 ? v->zeros + n : n - i;
}

static ssize_t
read_view(void *arg, const void **chunk, struct err *e)
{
	struct view *v = arg;
	ssize_t n = v->first_n;

	if (n > 0) {
		*chunk = v->first;
		v->first_n = 0;
		return n;
	}
	n = stream_read(v->stream, chunk, e);
	if (n <= 0)
		return n;
	count_zeros(v, *chunk, (size_t)n);
	v->size += (uint64_t)n;
	return n;
}

static int
check_member(const struct member *m, struct err *e)
{
	if (path_climbs(m->path))
		return err_set(e, ERR_DATA, "'%s' is not a path below the "
		    "root", m->path);
	if (m->hard_link != NULL && path_climbs(m->hard_link))
		return err_set(e, ERR_DATA, "'%s' is a link to '%s', which is "
		    "not a path below the root", m->path, m->hard_link);
	if (m->type == MEMBER_OTHER && m->hard_link == NULL &&
	    m->symbolic_link == NULL)
		return err_set(e, ERR_DATA, "'%s' is not a file, directory or "
		    "link", m->path);
	return 0;
}

/*
 * A tar that was cut between two members looks whole to libarchive: what shows
 * it is that the zeros at its end are missing. After the end there may be more
 * of these, and nothing else.
 */
static int
check_end(const struct contents *c, const struct view *v, uint64_t end,
    struct err *e)
{
	uint64_t after = v->size > end ? v->size - end : 0;

	if (c->format == UNPACK_TAR && after < TAR_END)
		return err_set(e, ERR_DATA, "the archive ends early, after "
		    "%llu bytes", (unsigned long long)v->size);
	if (after - (v->zeros < after ? v->zeros : after) >
	    (c->format == UNPACK_TAR ? 0 : CPIO_END))
		return err_set(e, ERR_DATA, "something follows the end of the "
		    "archive");
	return 0;
}

static int
read_rest(struct view *v, struct err *e)
{
	const void *chunk;
	ssize_t n;

	while ((n = read_view(v, &chunk, e)) > 0)
		continue;
	return (int)n;
}

static int
read_members(const struct contents *c, struct view *v, struct err *e)
{
	struct unpack *u = unpack_open(c->format, UNPACK_PLAIN, read_view, v);
	struct member m;
	uint64_t end = 0;
	int status;

	while ((status = unpack_next(u, &m, e)) > 0)
		if ((c->judge != NULL ? c->judge(c->judge_arg, &m, u, e) :
		    check_member(&m, e)) < 0) {
			status = -1;
			break;
		}
	if (status == 0) {
		end = unpack_position(u);
		status = read_rest(v, e);
	}
	unpack_close(u);
	return status < 0 ? -1 : check_end(c, v, end, e);
}

/*
 * Of an rpm of the newest format, or with a file beyond 4 GiB, the cpio has no
 * names of its own, and libarchive cannot read it: the header has them all.
 */
static bool
is_stripped(const struct view *v)
{
	return v->first_n >= 6 && memcmp(v->first, "07070X", 6) == 0;
}

int
contents_check(struct contents *c, struct err *e)
{
	struct view v = {.stream = stream_open(c->packing, c->source,
	    c->arg)};
	int status = 0;

	if (c->format == UNPACK_CPIO) {
		v.first_n = read_view(&v, &v.first, e);
		status = v.first_n < 0 ? -1 : 0;
	}
	c->is_named = !is_stripped(&v);
	if (status == 0)
		status = !c->is_named ? read_rest(&v, e) :
		    read_members(c, &v, e);
	stream_close(v.stream);
	return status;
}
