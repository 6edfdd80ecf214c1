#include "lib/tree/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/sys/log.h"
#include "lib/sys/par.h"

static const char *
stored_name(const struct tree *t, const struct manifest_entry *f,
    char hex[HASH_HEX])
{
	if (!t->is_store)
		return f->path;
	hash_hex(f->sha256, hex);
	return hex;
}

bool
tree_is_known(const struct tree *t, const struct manifest_entry *f)
{
	const struct manifest_entry *same = t->known ?
	    manifest_find(t->known, f->path) : NULL;

	return same != NULL && hash_equal(same->sha256, f->sha256);
}

static int
is_lost(const struct manifest_entry *f, struct err *e)
{
	return err_set(e, ERR_DATA, "'%s' is listed, but missing", f->path);
}

int
tree_open(const struct tree *t, const struct manifest_entry *f,
    struct err *e)
{
	char hex[HASH_HEX];
	int fd = fs_open(t->dir, stored_name(t, f, hex), e);

	if (fd < 0 && e->kind == ERR_MISSING)
		is_lost(f, e);
	return fd;
}

int
tree_size(const struct tree *t, const struct manifest_entry *f,
    uint64_t *size, struct err *e)
{
	char hex[HASH_HEX];
	struct stat st;

	if (fstatat(t->dir, stored_name(t, f, hex), &st,
	    AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR ?
		    is_lost(f, e) : err_sys(e, "stat '%s'", f->path);
	if (!S_ISREG(st.st_mode))
		return is_lost(f, e);
	*size = (uint64_t)st.st_size;
	return 0;
}

int
tree_map(const struct tree *t, const char *path, struct fs_map *map,
    struct err *e)
{
	return tree_map_most(t, path, SIZE_MAX, map, e);
}

int
tree_map_most(const struct tree *t, const char *path, size_t max,
    struct fs_map *map, struct err *e)
{
	const struct manifest_entry *f = manifest_find(t->manifest, path);
	int fd, status;

	*map = (struct fs_map){"", 0};
	if (f == NULL)
		return err_set(e, ERR_DATA, "'%s' is not in the manifest",
		    path);
	fd = tree_open(t, f, e);
	if (fd < 0)
		return -1;
	status = fs_map_fd(fd, path, map, e);
	close(fd);
	if (status == 0 && map->n > max) {
		err_set(e, ERR_DATA, "'%s' has %zu bytes, more than %zu",
		    path, map->n, max);
		fs_unmap(map);
		*map = (struct fs_map){"", 0};
		status = -1;
	}
	return status;
}

static int
check_hash(size_t i, void *arg, struct err *e)
{
	const struct tree *t = arg;
	const struct manifest_entry *f = &t->manifest->v[i];
	struct digest d;
	int fd = tree_open(t, f, e), status;

	if (fd < 0)
		return -1;
	status = hash_fd(fd, f->path, &d, e);
	close(fd);
	if (status == 0 && !hash_equal(d.sha256, f->sha256))
		status = err_set(e, ERR_DATA, "'%s' does not have the hash "
		    "that is listed", f->path);
	log_progress_add(status == 0 ? d.size : 0);
	return status;
}

int
tree_check_hashes(const struct tree *t, struct err *e)
{
	struct err ignored = ERR_INIT;
	uint64_t total = 0, size;
	size_t i;
	int status;

	for (i = 0; i < t->manifest->n; i++)
		if (tree_size(t, &t->manifest->v[i], &size, &ignored) == 0)
			total += size;
	log_progress_start("comparing hashes", total);
	status = par_each(t->manifest->n, check_hash, (void *)(uintptr_t)t, e);
	log_progress_end();
	return status;
}

int
tree_check(const struct tree *t, struct pgp *trusted, int64_t now,
    struct err *e)
{
	if (tree_check_apt(t, trusted, now, e) < 0)
		return -1;
	return tree_check_rpm(t, trusted, now, e);
}
