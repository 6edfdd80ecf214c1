#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deploy-repo/intake_drop.h"
#include "lib/base/mem.h"
#include "lib/sys/fs.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/par.h"

/* What the drop brings. */
struct files {
	struct intake *in;
	int drop;
	size_t *v;	/* indexes into the manifest */
	size_t n;
	bool *seen;	/* one for each file of the manifest */
	uint64_t bytes;
	uint64_t new_bytes;	/* of what is not live */
};

static int
note_file(const char *path, const struct stat *st, void *arg, struct err *e)
{
	struct files *files = arg;
	const struct manifest *m = &files->in->next.manifest;
	const struct manifest_entry *f;
	size_t at;

	if (strcmp(path, MANIFEST_NAME) == 0 ||
	    strcmp(path, MANIFEST_SIGNATURE) == 0)
		return 0;
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_DATA, "'%s' is not a regular file", path);
	f = manifest_find(m, path);
	if (f == NULL)
		return err_set(e, ERR_DATA, "'%s' is not listed in "
		    MANIFEST_NAME, path);
	at = (size_t)(f - m->v);
	/* a network's file system may list a name twice */
	if (files->seen[at])
		return 0;
	files->seen[at] = true;
	files->v[files->n++] = at;
	files->bytes += (uint64_t)st->st_size;
	if (!intake_is_live(files->in, at))
		files->new_bytes += (uint64_t)st->st_size;
	return intake_check_size(files->in, at, (uint64_t)st->st_size, e);
}

/*
 * The sender can still write to its drop, so the file is copied, and hashed
 * on the way: what was checked is what will be served.
 */
static int
copy_file(size_t i, void *arg, struct err *e)
{
	struct files *files = arg;
	const char *path = files->in->next.manifest.v[files->v[i]].path;
	struct digest d;
	struct out *o;
	int fd = fs_open(files->drop, path, e), at;

	if (fd < 0)
		return -1;
	o = intake_file_open(files->in, files->v[i], &at, &d, e);
	if (o == NULL) {
		close(fd);
		return -1;
	}
	if (intake_copy(fd, path, o, e) < 0) {
		intake_file_discard(o, at);
		close(fd);
		return -1;
	}
	close(fd);
	return intake_file_done(files->in, files->v[i], o, at, &d, e);
}

static int
copy_files(struct intake *in, int drop, struct err *e)
{
	struct files files = {.in = in, .drop = drop};
	int status;

	files.v = mem_zero(in->next.manifest.n, sizeof(*files.v));
	files.seen = mem_zero(in->next.manifest.n, sizeof(*files.seen));
	status = fs_walk(drop, note_file, &files, e);
	if (status == 0)
		status = intake_check_room(in, files.new_bytes, e);
	if (status == 0 && files.n > 0) {
		log_progress_start("taking files", files.bytes);
		status = par_each(files.n, copy_file, &files, e);
		log_progress_end();
	}
	free(files.v);
	free(files.seen);
	return status;
}

int
intake_drop(struct intake *in, const char *name, struct err *e)
{
	int drop = fs_open_subdir(in->site->inbox, name, e), status = -1;

	if (drop < 0)
		return -1;
	if (kept_read(drop, &in->next, e) == 0 && intake_begin(in, e) == 0)
		status = 0;
	if (status == 0 && !in->is_known) {
		status = copy_files(in, drop, e);
		if (status == 0)
			status = intake_complete(in, e);
	}
	close(drop);
	return status < 0 ? err_wrap(e, "drop '%s'", name) : 0;
}
