#include "lib/frame/installed.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define SHARE "share/veilid-cicd"

char *
installed_path(const char *name)
{
	char tool[PATH_MAX], *slash, *path;
	ssize_t n = readlink("/proc/self/exe", tool, sizeof(tool) - 1);
	int i;

	tool[n < 0 ? 0 : n] = '\0';
	for (i = 0; i < 2; i++) {	/* "/usr/bin/deploy-repo" */
		slash = strrchr(tool, '/');
		*(slash ? slash : tool) = '\0';
	}
	path = mem_format("%s/" SHARE "/%s", tool, name);
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return mem_format("/usr/local/" SHARE "/%s", name);
}
