/*
 * What package_read, which all tools have their packages from, says of each
 * file: a line each, the file and "ok", or the file and what is wrong.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/sys/reader.h"
#include "lib/tree/package.h"

static void
read_one(const char *file)
{
	struct err e = ERR_INIT;
	struct package p;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	int status = fd < 0 ? err_sys(&e, "open '%s'", file) :
	    package_read(fd, file, &p, &e);

	printf("%s\t%s\n", file, status == 0 ? "ok" : e.text);
	if (fd < 0)
		return;
	package_clear(&p);
	close(fd);
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		read_one(argv[i]);
	reader_stop();
	return 0;
}
