#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "distribute-packages/cmd.h"
#include "distribute-packages/store.h"
#include "lib/base/mem.h"
#include "lib/data/tar.h"
#include "lib/sys/fs.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/sandbox.h"

#define CHUNK ((size_t)256 << 10)

static int
copy_data(struct tar *tar, int fd, uint64_t size, const char *path,
    char *chunk, struct err *e)
{
	ssize_t n;

	while ((n = io_read(fd, chunk, CHUNK, path, e)) > 0) {
		tar_add_data(tar, chunk, (size_t)n);
		log_progress_add((uint64_t)n);
		size -= (uint64_t)n < size ? (uint64_t)n : size;
	}
	if (n < 0)
		return -1;
	return size == 0 ? 0 : err_set(e, ERR_DATA, "'%s' is truncated: run "
	    "distribute-packages verify", path);
}

static int
add_file(struct tar *tar, const struct tree *t,
    const struct manifest_entry *f, char *chunk, struct err *e)
{
	int fd = tree_open(t, f, e), status;
	uint64_t size;

	if (fd < 0)
		return -1;
	status = tree_size(t, f, &size, e);
	if (status == 0) {
		tar_add_header(tar, f->path, size);
		status = copy_data(tar, fd, size, f->path, chunk, e);
	}
	close(fd);
	return status;
}

static void
add_text(struct tar *tar, const char *path, const struct buf *text)
{
	tar_add_header(tar, path, text->n);
	tar_add_data(tar, text->p, text->n);
}

/* The manifest first: the receiver takes only files that it lists. */
static int
export(const struct store *store, const struct generation *g, struct err *e)
{
	struct tar *tar = tar_open(out_fd(STDOUT_FILENO, "standard output"),
	    g->manifest.date);
	struct tree t = store_tree(store, g);
	char *chunk = mem_alloc(CHUNK);
	uint64_t total = 0, size;
	struct err ignored = ERR_INIT;
	int status = 0;
	size_t i;

	for (i = 0; i < g->manifest.n; i++)
		if (tree_size(&t, &g->manifest.v[i], &size, &ignored) == 0)
			total += size;
	add_text(tar, MANIFEST_NAME, &g->text);
	add_text(tar, MANIFEST_SIGNATURE, &g->signature);
	log_progress_start("exporting", total);
	for (i = 0; i < g->manifest.n && status == 0; i++)
		status = add_file(tar, &t, &g->manifest.v[i], chunk, e);
	log_progress_end();
	free(chunk);
	if (status == 0)
		return tar_commit(tar, e);
	tar_discard(tar);
	return -1;
}

int
cmd_export(const struct tool_call *call, struct err *e)
{
	struct generation g = GENERATION_INIT;
	struct store store = STORE_INIT;
	const struct strv nowhere = STRV_INIT;
	int status;

	if (!call->is_dry_run && isatty(STDOUT_FILENO))
		return err_set(e, ERR_USAGE, "will not write a tar archive to "
		    "a terminal: distribute-packages export | ssh HOST "
		    "deploy-repo -");
	/* With the lock: no other run removes objects meanwhile. */
	status = store_open(&store, call->conf, true, e);
	if (status == 0)
		status = sandbox_enter(&nowhere, e);
	if (status == 0)
		status = store_load(&store, 0, &g, e);
	if (status == 0 && g.manifest.serial == 0)
		status = err_set(e, ERR_MISSING, "no generation yet: run "
		    "distribute-packages build first");
	if (status == 0 && call->is_dry_run)
		log_notice("dry run: would export generation %" PRIu64 ", %zu "
		    "files", g.manifest.serial, g.manifest.n);
	else if (status == 0)
		status = export(&store, &g, e);
	generation_clear(&g);
	store_close(&store);
	return status;
}
