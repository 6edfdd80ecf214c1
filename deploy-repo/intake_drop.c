#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deploy-repo/intake.h"
#include "lib/base/mem.h"
#include "lib/sys/fs.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"

#define CHUNK ((size_t)256 << 10)

struct taking {
	struct intake *in;
	int drop;
	size_t *v;	/* indexes into the manifest, of the files to take */
	size_t n;
	uint64_t bytes;
};

static int
note_file(const char *path, const struct stat *st, void *arg, struct err *e)
{
	struct taking *t = arg;
	const struct manifest *m = &t->in->in.manifest;
	const struct manifest_entry *f;

	if (strcmp(path, MANIFEST_NAME) == 0 ||
	    strcmp(path, MANIFEST_SIGNATURE) == 0)
		return 0;
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_DATA, "'%s' is not a regular file", path);
	f = manifest_find(m, path);
	if (f == NULL)
		return err_set(e, ERR_DATA, "'%s' is not listed in "
		    MANIFEST_NAME, path);
	t->v[t->n++] = (size_t)(f - m->v);
	t->bytes += (uint64_t)st->st_size;
	return 0;
}

int
intake_copy(int fd, const char *path, struct out *o, struct err *e)
{
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;

	while ((n = io_read(fd, chunk, CHUNK, path, e)) > 0) {
		out_add(o, chunk, (size_t)n);
		log_progress_add((uint64_t)n);
	}
	free(chunk);
	return (int)n;
}

/*
 * The sender can still write to its drop, so the file is copied, and hashed
 * on the way: what was checked is what will be served.
 */
static int
take_file(size_t i, void *arg, struct err *e)
{
	struct taking *t = arg;
	const char *path = t->in->in.manifest.v[t->v[i]].path;
	struct digest d;
	struct out *o;
	int fd = fs_open(t->drop, path, e), at;

	if (fd < 0)
		return -1;
	o = intake_file(t->in, t->v[i], &at, &d, e);
	if (o == NULL) {
		close(fd);
		return -1;
	}
	if (intake_copy(fd, path, o, e) < 0) {
		out_discard(o);
		if (at >= 0)
			close(at);
		close(fd);
		return -1;
	}
	close(fd);
	return intake_file_done(t->in, t->v[i], o, at, &d, e);
}

static int
take_files(struct intake *in, int drop, struct err *e)
{
	struct taking t = {.in = in, .drop = drop};
	int status;

	t.v = mem_zero(in->in.manifest.n, sizeof(*t.v));
	status = fs_walk(drop, note_file, &t, e);
	if (status == 0 && t.n > 0) {
		log_progress_start("taking files", t.bytes);
		status = par_each(t.n, take_file, &t, e);
		log_progress_end();
	}
	free(t.v);
	return status;
}

int
intake_drop(struct intake *in, int inbox, const char *name, struct err *e)
{
	int drop = fs_open_subdir(inbox, name, e), status = -1;

	if (drop < 0)
		return -1;
	if (fs_read(drop, MANIFEST_NAME, MANIFEST_LIMIT, &in->in.text,
	    e) == 0 && fs_read(drop, MANIFEST_SIGNATURE, SIGNATURE_LIMIT,
	    &in->in.signature, e) == 0 && intake_judge(in, e) == 0)
		status = 0;
	if (status == 0 && !in->is_known) {
		status = take_files(in, drop, e);
		if (status == 0)
			status = intake_complete(in, e);
	}
	close(drop);
	return status < 0 ? err_wrap(e, "drop '%s'", name) : 0;
}
