#include "lib/rpm/listed_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"
#include "lib/data/hash.h"

/* include/rpm/rpmtag.h */
enum {
	TAG_FILESIZES = 1028, TAG_FILEMODES = 1030, TAG_FILEDIGESTS = 1035,
	TAG_FILELINKTOS = 1036, TAG_FILEFLAGS = 1037, TAG_DEVICES = 1095,
	TAG_INODES = 1096, TAG_DIRINDEXES = 1116, TAG_BASENAMES = 1117,
	TAG_DIRNAMES = 1118, TAG_LONGFILESIZES = 5008, TAG_DIGESTALGO = 5011
};

#define FLAG_GHOST (1U << 6)	/* RPMFILE_GHOST */
#define NAME_LIMIT 255		/* NAME_MAX */
#define LINK_LIMIT 4095		/* PATH_MAX */
#define CHUNK ((size_t)64 << 10)

struct listed_file {
	char *path;		/* without the first "/" */
	size_t i;		/* in the header */
	mode_t mode;
	uint64_t size;
	uint64_t inode;		/* and device */
	const char *digest;
	bool is_ghost;
	bool is_found;
	bool has_data_later;	/* a hard link; the last of them has the data */
};

/* ---------------------------------------------------------------- reading */

static int
check_file(const struct listed_file *f, const char *base, const char *link,
    struct err *e)
{
	size_t n = strlen(base);

	if (n == 0 || n > NAME_LIMIT || strchr(base, '/') != NULL ||
	    strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return err_set(e, ERR_DATA, "'%.80s' is no name of a file",
		    base);
	if (!S_ISREG(f->mode) && !S_ISDIR(f->mode) && !S_ISLNK(f->mode) &&
	    !S_ISCHR(f->mode) && !S_ISBLK(f->mode) && !S_ISFIFO(f->mode))
		return err_set(e, ERR_DATA, "'/%s' has the mode %o, which is "
		    "of no kind of file", f->path, (unsigned)f->mode);
	if (S_ISLNK(f->mode) && !f->is_ghost &&
	    (link[0] == '\0' || strlen(link) > LINK_LIMIT))
		return err_set(e, ERR_DATA, "'/%s' is a link to nothing",
		    f->path);
	return 0;
}

static void
read_file(const struct rpm_header *h, size_t i, struct listed_file *f)
{
	f->i = i;
	f->mode = (mode_t)rpm_header_number(h, TAG_FILEMODES, i, 0);
	f->size = rpm_header_number(h, TAG_LONGFILESIZES, i, 0);
	f->size = rpm_header_number(h, TAG_FILESIZES, i, f->size);
	f->inode = rpm_header_number(h, TAG_DEVICES, i, 0) << 32 |
	    rpm_header_number(h, TAG_INODES, i, 0);
	f->is_ghost = rpm_header_number(h, TAG_FILEFLAGS, i, 0) & FLAG_GHOST;
}

static int
read_files(const struct rpm_header *h, struct listed *l, struct err *e)
{
	size_t bases_n, dirs_n, links_n, digests_n, i;
	const char **bases = rpm_header_strings(h, TAG_BASENAMES, &bases_n);
	const char **dirs = rpm_header_strings(h, TAG_DIRNAMES, &dirs_n);
	const char **links = rpm_header_strings(h, TAG_FILELINKTOS, &links_n);
	const char **digests = rpm_header_strings(h, TAG_FILEDIGESTS,
	    &digests_n);
	int status = 0;

	l->v = mem_zero(bases_n + 1, sizeof(*l->v));
	for (i = 0; i < bases_n && status == 0; i++) {
		struct listed_file *f = &l->v[l->n++];
		const char *dir = dirs[rpm_header_number(h, TAG_DIRINDEXES, i,
		    0)];

		read_file(h, i, f);
		f->digest = i < digests_n ? digests[i] : "";
		f->path = mem_format("%s%s", dir + (dir[0] == '/'), bases[i]);
		status = dir[0] != '/' ? err_set(e, ERR_DATA, "directory '%s' "
		    "is not below the root", dir) :
		    check_file(f, bases[i], i < links_n ? links[i] : "", e);
	}
	free(bases);
	free(dirs);
	free(links);
	free(digests);
	return status;
}

/* ------------------------------------------------------------- in relation */

static int
by_path(const void *a, const void *b)
{
	const struct listed_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int
by_inode(const void *a, const void *b)
{
	const struct listed_file *x = *(struct listed_file *const *)a;
	const struct listed_file *y = *(struct listed_file *const *)b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return (x->i > y->i) - (x->i < y->i);
}

static void
find_hard_links(struct listed *l)
{
	struct listed_file **sorted = mem_zero(l->n + 1, sizeof(*sorted));
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		if (S_ISREG(l->v[i].mode) && !l->v[i].is_ghost &&
		    (uint32_t)l->v[i].inode != 0)
			sorted[n++] = &l->v[i];
	if (n > 1)
		qsort(sorted, n, sizeof(*sorted), by_inode);
	for (i = 1; i < n; i++)
		if (sorted[i - 1]->inode == sorted[i]->inode)
			sorted[i - 1]->has_data_later = true;
	free(sorted);
}

static struct listed_file *
find(const struct listed *l, const char *path)
{
	struct listed_file wanted = {.path = (char *)path};

	return l->n == 0 ? NULL : bsearch(&wanted, l->v, l->n,
	    sizeof(wanted), by_path);
}

/* Twice the same path; a file below what is no directory. */
static int
check_tree(const struct listed *l, struct err *e)
{
	const struct listed_file *above;
	char *slash, *path;
	size_t i;
	int status = 0;

	for (i = 1; i < l->n; i++)
		if (strcmp(l->v[i - 1].path, l->v[i].path) == 0)
			return err_set(e, ERR_DATA, "the header lists '/%s' "
			    "twice", l->v[i].path);
	for (i = 0; i < l->n && status == 0; i++) {
		path = mem_dup(l->v[i].path);
		while (status == 0 && (slash = strrchr(path, '/')) != NULL) {
			*slash = '\0';
			above = find(l, path);
			if (above != NULL && above->mode != 0 &&
			    !S_ISDIR(above->mode))
				status = err_set(e, ERR_DATA, "'/%s' is below "
				    "'/%s', which is no directory",
				    l->v[i].path, path);
		}
		free(path);
	}
	return status;
}

int
listed_read(const struct rpm_header *h, struct listed *l, struct err *e)
{
	uint64_t algorithm = rpm_header_number(h, TAG_DIGESTALGO, 0, 1);

	*l = (struct listed){.algorithm = algorithm};
	if (read_files(h, l, e) < 0)
		return -1;
	find_hard_links(l);
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
	return check_tree(l, e);
}

void
listed_clear(struct listed *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i].path);
	free(l->v);
	*l = (struct listed){.v = NULL};
}

/* ------------------------------------------------------------- the payload */

/* RFC 9580 9.5; rpm takes what it does not know for MD5. NULL: FIPS. */
static struct hash *
open_hash(uint64_t algorithm)
{
	switch (algorithm) {
	case 2:
		return hash_open_as(HASH_SHA1);
	case 8:
		return hash_open_as(HASH_SHA256);
	case 9:
		return hash_open_as(HASH_SHA384);
	case 10:
		return hash_open_as(HASH_SHA512);
	case 12:
		return hash_open_as(HASH_SHA3_256);
	default:
		return hash_open_as(HASH_MD5);
	}
}

static int
check_digest(const struct listed *l, const struct listed_file *f,
    struct unpack *u, struct err *e)
{
	uint8_t digest[HASH_SIZE_MAX], *chunk;
	struct hash *h = l->algorithm == 11 ? NULL : open_hash(l->algorithm);
	ssize_t got;
	size_t n;

	if (h == NULL)
		return 0;
	chunk = mem_alloc(CHUNK);
	while ((got = unpack_read(u, chunk, CHUNK, e)) > 0)
		hash_add(h, chunk, (size_t)got);
	free(chunk);
	n = hash_finish(h, digest);
	if (got < 0)
		return -1;
	/* as rpm before 4.6 had it for an empty file */
	if (f->size == 0 && strspn(f->digest, "0") == strlen(f->digest) &&
	    n == 16)
		return 0;
	return hash_is_hex(f->digest, digest, n) ? 0 : err_set(e, ERR_DATA,
	    "'/%s' does not have the digest that the header lists", f->path);
}

int
listed_member(void *arg, const struct member *m, struct unpack *u,
    struct err *e)
{
	struct listed *l = arg;
	const char *path = m->path;
	struct listed_file *f;

	if (strncmp(path, "./", 2) == 0)
		path += 2;
	path += path[0] == '/';
	f = find(l, path);
	if (f == NULL)
		return err_set(e, ERR_DATA, "'%s' is not in the header",
		    m->path);
	if (f->is_ghost)
		return 0;
	f->is_found = true;
	if (S_ISLNK(f->mode) && f->size > m->size)
		return err_set(e, ERR_DATA, "'/%s' is a link of %llu bytes, "
		    "not %llu", f->path, (unsigned long long)m->size,
		    (unsigned long long)f->size);
	if (!S_ISREG(f->mode) || f->has_data_later)
		return 0;
	if (f->size != m->size)
		return err_set(e, ERR_DATA, "'/%s' has %llu bytes, but %llu by "
		    "the header", f->path, (unsigned long long)m->size,
		    (unsigned long long)f->size);
	return check_digest(l, f, u, e);
}

int
listed_end(const struct listed *l, struct err *e)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!l->v[i].is_found && !l->v[i].is_ghost)
			return err_set(e, ERR_DATA, "'/%s' is in the header "
			    "alone", l->v[i].path);
	return 0;
}
