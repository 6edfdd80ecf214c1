#include "deploy-repo/mark.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/sys/fs.h"

#define HIGHEST "highest "
#define WITHDRAWN "withdrawn "
#define PATH ".releases/" MARK_NAME	/* for messages */
#define LIMIT 128	/* bytes of the file */

static bool
read_line(const char **p, const char *label, uint64_t *serial)
{
	size_t n;
	bool is_good;

	if (!path_starts_with(*p, label))
		return false;
	*p += strlen(label);
	n = strcspn(*p, "\n");
	is_good = (*p)[n] == '\n' && decimal_read(*p, n, serial) &&
	    *serial != 0;
	*p += n + is_good;
	return is_good;
}

static bool
parse(const char *p, struct mark *m)
{
	if (!read_line(&p, HIGHEST, &m->highest))
		return false;
	return *p == '\0' ||
	    (read_line(&p, WITHDRAWN, &m->withdrawn) && *p == '\0');
}

int
mark_read(int releases, struct mark *m, struct err *e)
{
	struct buf text = BUF_INIT;
	int there = fs_exists(releases, MARK_NAME, e), status = 0;

	*m = (struct mark){0, 0};
	if (there <= 0)
		return there;
	status = fs_read(releases, MARK_NAME, LIMIT, &text, e);
	if (status == 0 && (strlen(buf_cstr(&text)) != text.n ||
	    !parse(buf_cstr(&text), m)))
		status = err_set(e, ERR_DATA, "'" PATH "' is damaged: write "
		    "'highest N' into it, with the serial of the newest "
		    "generation that ever was here");
	buf_clear(&text);
	return status;
}

int
mark_write(int releases, const struct mark *m, struct err *e)
{
	char text[LIMIT];
	int n;

	if (m->highest == 0)
		return unlinkat(releases, MARK_NAME, 0) == 0 ||
		    errno == ENOENT ? 0 : err_sys(e, "remove '" PATH "'");
	n = snprintf(text, sizeof(text), HIGHEST "%" PRIu64 "\n", m->highest);
	if (m->withdrawn != 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, WITHDRAWN
		    "%" PRIu64 "\n", m->withdrawn);
	return fs_write(releases, MARK_NAME, text, (size_t)n, 0644, e);
}

struct mark
mark_after(struct mark m, uint64_t from, uint64_t to)
{
	if (m.highest < from)
		m.highest = from;
	if (m.highest < to)
		m.highest = to;
	if (to >= m.withdrawn)
		m.withdrawn = 0;
	if (to < from)
		m.withdrawn = m.highest;
	return m;
}
