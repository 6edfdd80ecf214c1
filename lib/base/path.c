#include "lib/base/path.h"

#include <string.h>

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' && strchr("._-+~^:@,%=", c));
}

bool
path_is_safe(const char *path)
{
	size_t len = 0, component = 0;
	const char *p;

	for (p = path; *p != '\0'; p++, len++) {
		if (*p == '/') {
			if (component == 0)
				return false;
			component = 0;
			continue;
		}
		/* a hidden component covers "." and ".." too */
		if (!is_plain(*p) || (*p == '.' && component == 0))
			return false;
		/* no option for a command that is given the name */
		if (*p == '-' && component == 0)
			return false;
		if (++component > 255)
			return false;
	}
	return component > 0 && len <= PATH_LIMIT;
}

bool
path_is_name(const char *name)
{
	return strchr(name, '/') == NULL && path_is_safe(name);
}

bool
path_climbs(const char *path)
{
	const char *p = path;
	size_t n;

	if (*p == '/' || *p == '\0')
		return true;
	for (;;) {
		n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return true;
		if (p[n] == '\0')
			return false;
		p += n + 1;
	}
}

const char *
path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool
path_ends_with(const char *path, const char *suffix)
{
	size_t n = strlen(path), m = strlen(suffix);

	return n >= m && strcmp(path + n - m, suffix) == 0;
}

bool
path_starts_with(const char *path, const char *prefix)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}
