#include "lib/tree/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/date.h"
#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/frame/report.h"

#define SIZES_LINE 900		/* bytes, about */
#define ENTRY_PREFIX (2 * HASH_SIZE + 2)	/* digest, two blanks */

static bool
parse_sizes(struct manifest *m, const char *p)
{
	size_t n;

	for (;; p += n + 1) {
		if (m->n_sizes == m->cap_sizes) {
			m->cap_sizes = mem_grow(m->cap_sizes, m->n_sizes + 1);
			m->sizes = mem_resize(m->sizes, m->cap_sizes,
			    sizeof(*m->sizes));
		}
		n = strcspn(p, " ");
		if (!decimal_read(p, n, &m->sizes[m->n_sizes++]))
			return false;
		if (p[n] == '\0')
			return true;
	}
}

static bool
parse_comment(struct manifest *m, char *line)
{
	char *value;

	if (strncmp(line, "# ", 2) != 0 ||
	    (value = strchr(line + 2, ' ')) == NULL)
		return false;
	*value++ = '\0';
	line += 2;
	if (strcmp(line, "serial") == 0)
		return m->serial == 0 && serial_read(value, &m->serial);
	if (strcmp(line, "release") == 0) {
		if (m->release[0] != '\0' || !path_is_name(value) ||
		    strlen(value) >= sizeof(m->release))
			return false;
		strcpy(m->release, value);
		return true;
	}
	if (strcmp(line, "date") == 0)
		return m->date == 0 && date_parse_exact(value, &m->date);
	if (strcmp(line, "previous") == 0) {
		if (m->has_previous)
			return false;
		m->has_previous = true;
		return strlen(value) == 2 * HASH_SIZE &&
		    hash_parse(value, m->previous);
	}
	if (strcmp(line, "sizes") == 0)
		return parse_sizes(m, value);
	return true;	/* a later version may say more */
}

static int
parse_comments(struct manifest *m, const char **p, const char *end,
    const char *what, struct err *e)
{
	const char *newline;
	char *line;
	bool good;

	while (*p < end && **p == '#') {
		newline = memchr(*p, '\n', (size_t)(end - *p));
		if (newline == NULL || newline - *p > 1024 ||
		    memchr(*p, '\0', (size_t)(newline - *p)) != NULL)
			return err_set(e, ERR_DATA, "%s: bad comment line",
			    what);
		line = mem_dupn(*p, (size_t)(newline - *p));
		good = parse_comment(m, line);
		if (!good)
			err_set(e, ERR_DATA, "%s: bad line '%s'", what, line);
		free(line);
		if (!good)
			return -1;
		*p = newline + 1;
	}
	return 0;
}

static void
add_entry(struct manifest *m, char *path, const uint8_t sha256[HASH_SIZE])
{
	if (m->n == m->cap) {
		m->cap = mem_grow(m->cap, m->n + 1);
		m->v = mem_resize(m->v, m->cap, sizeof(*m->v));
	}
	m->v[m->n].path = path;
	memcpy(m->v[m->n].sha256, sha256, HASH_SIZE);
	m->v[m->n].size = MANIFEST_NO_SIZE;
	m->n++;
}

static int
parse_entry(struct manifest *m, const char **p, const char *end,
    bool is_tree, const char *what, struct err *e)
{
	const char *newline = memchr(*p, '\n', (size_t)(end - *p));
	uint8_t sha256[HASH_SIZE];
	char *path;

	if (!is_tree && m->n == MANIFEST_DROP_FILES)
		return err_set(e, ERR_DATA, "%s: lists more than %zu files",
		    what, MANIFEST_DROP_FILES);
	if (newline == NULL || newline - *p <= ENTRY_PREFIX ||
	    newline - *p > ENTRY_PREFIX + PATH_LIMIT ||
	    !hash_parse(*p, sha256) ||
	    memcmp(*p + 2 * HASH_SIZE, "  ", 2) != 0)
		return err_set(e, ERR_DATA, "%s: line for file %zu is not "
		    "'sha256  path'", what, m->n + 1);
	path = arena_dupn(&m->names, *p + ENTRY_PREFIX,
	    (size_t)(newline - *p) - ENTRY_PREFIX);
	if (strlen(path) != (size_t)(newline - *p) - ENTRY_PREFIX ||
	    !(is_tree ? path_is_safe(path) : path_is_name(path)) ||
	    strcmp(path, MANIFEST_NAME) == 0 ||
	    strcmp(path, MANIFEST_SIGNATURE) == 0)
		return err_set(e, ERR_DATA, "%s: unsafe path '%s'", what, path);
	if (m->n > 0 && strcmp(m->v[m->n - 1].path, path) >= 0)
		return err_set(e, ERR_DATA, "%s: '%s' is out of order", what,
		    path);
	add_entry(m, path, sha256);
	*p = newline + 1;
	return 0;
}

static int
set_sizes(struct manifest *m, const char *what, struct err *e)
{
	size_t i;

	if (m->n_sizes > 0 && m->n_sizes != m->n)
		return err_set(e, ERR_DATA, "%s: has %zu sizes for %zu files",
		    what, m->n_sizes, m->n);
	for (i = 0; i < m->n_sizes; i++)
		m->v[i].size = m->sizes[i];
	free(m->sizes);
	m->sizes = NULL;
	m->n_sizes = m->cap_sizes = 0;
	return 0;
}

/* No file may be the directory of another one. */
static int
check_directories(const struct manifest *m, const char *what, struct err *e)
{
	const char *path, *before = "", *slash;
	char parent[PATH_LIMIT + 1];
	size_t i, n;

	for (i = 0; i < m->n; i++, before = path) {
		path = m->v[i].path;
		n = (size_t)(path_base(path) - path);
		/* most files lie where the one before lies */
		if (strncmp(before, path, n) == 0)
			continue;
		for (slash = strchr(path, '/'); slash != NULL;
		    slash = strchr(slash + 1, '/')) {
			memcpy(parent, path, (size_t)(slash - path));
			parent[slash - path] = '\0';
			if (manifest_find(m, parent) != NULL)
				return err_set(e, ERR_DATA, "%s: '%s' is in "
				    "'%s', which is a file", what, path,
				    parent);
		}
	}
	return 0;
}

int
manifest_parse(struct manifest *m, const char *text, size_t n, bool is_tree,
    const char *what, struct err *e)
{
	const char *p = text, *end = text + n;

	hash_data(text, n, m->self);
	if (is_tree) {
		if (parse_comments(m, &p, end, what, e) < 0)
			return -1;
		if (m->serial == 0 || m->date == 0 || m->release[0] == '\0')
			return err_set(e, ERR_DATA,
			    "%s: no serial, release or date", what);
	}
	while (p < end)
		if (parse_entry(m, &p, end, is_tree, what, e) < 0)
			return -1;
	if (m->n == 0)
		return err_set(e, ERR_DATA, "%s: lists no files", what);
	if (set_sizes(m, what, e) < 0)
		return -1;
	return check_directories(m, what, e);
}

void
manifest_add(struct manifest *m, const char *path,
    const uint8_t sha256[HASH_SIZE])
{
	add_entry(m, arena_dupn(&m->names, path, strlen(path)), sha256);
}

static int
by_path(const void *a, const void *b)
{
	const struct manifest_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void
manifest_sort(struct manifest *m)
{
	size_t i, kept = 0;

	if (m->n > 1)
		qsort(m->v, m->n, sizeof(*m->v), by_path);
	for (i = 0; i < m->n; i++) {
		if (kept > 0 && by_path(&m->v[kept - 1], &m->v[i]) == 0) {
			if (!hash_equal(m->v[kept - 1].sha256, m->v[i].sha256))
				abort();	/* one path, two contents */
			continue;
		}
		m->v[kept++] = m->v[i];
	}
	m->n = kept;
}

const struct manifest_entry *
manifest_find(const struct manifest *m, const char *path)
{
	struct manifest_entry key = {.path = path};

	if (m->n == 0)
		return NULL;
	return bsearch(&key, m->v, m->n, sizeof(*m->v), by_path);
}

/* All of them or none. Lines of less than 1024 bytes, as readers have it. */
static void
write_sizes(const struct manifest *m, struct buf *text)
{
	size_t i, line = 0;

	for (i = 0; i < m->n; i++)
		if (m->v[i].size == MANIFEST_NO_SIZE)
			return;
	for (i = 0; i < m->n; i++) {
		if (i == 0 || text->n - line > SIZES_LINE) {
			buf_str(text, i == 0 ? "# sizes" : "\n# sizes");
			line = text->n;
		}
		buf_addf(text, " %" PRIu64, m->v[i].size);
	}
	buf_str(text, m->n > 0 ? "\n" : "");
}

void
manifest_write(struct manifest *m, struct buf *text)
{
	char hex[HASH_HEX], date[DATE_SIZE];
	size_t i, start = text->n;

	if (m->serial != 0) {
		date_format(m->date, date);
		buf_addf(text, "# serial %" PRIu64 "\n# release %s\n# date "
		    "%s\n", m->serial, m->release, date);
	}
	if (m->has_previous) {
		hash_hex(m->previous, hex);
		buf_addf(text, "# previous %s\n", hex);
	}
	if (m->serial != 0)
		write_sizes(m, text);
	for (i = 0; i < m->n; i++) {
		hash_hex(m->v[i].sha256, hex);
		buf_add(text, hex, 2 * HASH_SIZE);
		buf_str(text, "  ");
		buf_str(text, m->v[i].path);
		buf_str(text, "\n");
	}
	hash_data(buf_cstr(text) + start, text->n - start, m->self);
}

void
manifest_clear(struct manifest *m)
{
	free(m->v);
	free(m->sizes);
	arena_clear(&m->names);
	*m = (struct manifest)MANIFEST_INIT;
}

int
manifest_report(const struct manifest *m, bool wants_json, struct err *e)
{
	static const struct report_column columns[] = {
		{"serial", REPORT_NUMBER}, {"release", REPORT_TEXT},
		{"date", REPORT_TEXT}, {"files", REPORT_NUMBER},
	};
	struct report *r = report_open(columns, COUNT(columns), wants_json);
	char serial[24], date[DATE_SIZE], files[24];

	snprintf(serial, sizeof(serial), "%" PRIu64, m->serial);
	snprintf(files, sizeof(files), "%zu", m->n);
	date_format(m->date, date);
	report_row(r, serial, m->release, date, files);
	return report_close(r, e);
}
