/*
 * Opens all .debs of a directory to their end, one after the other: by a
 * reader, as the tools do it, or in this very process, as they must not.
 *
 *	read_debs reader|process DIR
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/deb/deb.h"
#include "lib/sys/reader.h"

#define CHUNK ((size_t)128 << 10)

struct source {
	int fd;
	struct hash *hash;
	char chunk[CHUNK];
};

static ssize_t
next_chunk(void *arg, const void **chunk, struct err *e)
{
	struct source *s = arg;
	ssize_t n = read(s->fd, s->chunk, CHUNK);

	if (n < 0)
		return err_sys(e, "read");
	hash_add(s->hash, s->chunk, (size_t)n);
	*chunk = s->chunk;
	return n;
}

static int
in_process(int fd, struct deb *d, struct err *e)
{
	static struct source s;
	struct buf text = BUF_INIT;
	int status;

	s.fd = fd;
	s.hash = hash_open();
	status = deb_unpack(next_chunk, &s, true, &text, e);
	hash_close(s.hash, d->digest.sha256);
	if (status == 0)
		status = deb_parse_control(buf_cstr(&text), text.n, d, e);
	buf_clear(&text);
	return status;
}

int
main(int argc, char **argv)
{
	bool by_reader = argc == 3 && strcmp(argv[1], "reader") == 0;
	struct err e = ERR_INIT;
	struct deb d = DEB_INIT;
	struct dirent *entry;
	int fd, status = 0;
	DIR *dir;

	if (argc != 3 || (dir = opendir(argv[2])) == NULL)
		return 64;
	if (by_reader && reader_start(&e) < 0)
		status = -1;
	while (status == 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		status = by_reader ? deb_read(fd, entry->d_name, NULL, &d,
		    &e) : in_process(fd, &d, &e);
		deb_clear(&d);
		close(fd);
	}
	reader_stop();
	closedir(dir);
	if (status < 0)
		fprintf(stderr, "%s\n", e.text);
	return status < 0 ? 1 : 0;
}
