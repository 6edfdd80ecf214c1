#include "distribute-packages/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/path.h"

bool
ledger_is_package(const char *path)
{
	return path_starts_with(path, "apt/pool/") ||
	    (path_starts_with(path, "rpm/") && path_ends_with(path, ".rpm"));
}

bool
ledger_keeps(const char *path)
{
	return ledger_is_package(path) || strstr(path, "/by-hash/") != NULL ||
	    (path_starts_with(path, "rpm/") &&
	    path_ends_with(path, ".xml.gz"));
}

static int
parse_line(struct ledger *l, char *line, struct err *e)
{
	char *state = line + 2 * HASH_SIZE, *path;
	uint8_t sha256[HASH_SIZE], content[HASH_SIZE];
	size_t n = strlen(line);
	int64_t value;
	bool good;

	good = n >= 2 * HASH_SIZE + 4 && hash_parse(line, sha256);
	memcpy(content, sha256, good ? HASH_SIZE : 0);
	if (good && *state == ':') {
		good = n >= 4 * HASH_SIZE + 5 && hash_parse(state + 1, content);
		state += 1 + 2 * HASH_SIZE;
	}
	if (!good || *state != ' ' || (path = strchr(state + 1, ' ')) == NULL ||
	    !path_is_safe(path + 1))
		return err_set(e, ERR_DATA, "the ledger has a bad line: "
		    "'%s'", line);
	*path++ = '\0';
	state++;
	if (strcmp(state, "live") == 0)
		value = LEDGER_LIVE;
	else if (strcmp(state, "gone") == 0)
		value = LEDGER_GONE;
	else
		value = strtoll(state, NULL, 10);
	ledger_add(l, path, sha256, content, value);
	return 0;
}

int
ledger_parse(struct ledger *l, const char *text, size_t n, struct err *e)
{
	const char *p = text, *end = text + n, *newline;
	struct buf line = BUF_INIT;
	int status = 0;

	while (p < end && status == 0) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL) {
			status = err_set(e, ERR_DATA, "the ledger is "
			    "truncated");
			break;
		}
		line.n = 0;
		buf_add(&line, p, (size_t)(newline - p));
		status = parse_line(l, line.p, e);
		p = newline + 1;
	}
	buf_clear(&line);
	return status;
}

void
ledger_add(struct ledger *l, const char *path,
    const uint8_t sha256[HASH_SIZE], const uint8_t content[HASH_SIZE],
    int64_t state)
{
	struct ledger_entry *entry;

	if (l->n == l->cap) {
		l->cap = mem_grow(l->cap, l->n + 1);
		l->v = mem_resize(l->v, l->cap, sizeof(*l->v));
	}
	entry = &l->v[l->n++];
	entry->path = arena_dupn(&l->names, path, strlen(path));
	memcpy(entry->sha256, sha256, HASH_SIZE);
	memcpy(entry->content, content ? content : sha256, HASH_SIZE);
	entry->state = state;
}

static int
by_path(const void *a, const void *b)
{
	const struct ledger_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void
ledger_sort(struct ledger *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
}

struct ledger_entry *
ledger_find(const struct ledger *l, const char *path)
{
	struct ledger_entry key = {.path = path};

	if (l->n == 0)
		return NULL;
	return bsearch(&key, l->v, l->n, sizeof(*l->v), by_path);
}

int
ledger_compare(const struct ledger *l, const char *path,
    const uint8_t content[HASH_SIZE], struct err *e)
{
	const struct ledger_entry *old = ledger_find(l, path);

	if (old == NULL)
		return 0;
	if (!hash_equal(old->content, content))
		return err_set(e, ERR_DATA, "'%s' was published with "
		    "different contents: give the package a new version; if "
		    "it is the same one built again, run distribute-packages "
		    "send", path);
	return old->state == LEDGER_LIVE;
}

void
ledger_write(const struct ledger *l, struct buf *text)
{
	char hex[HASH_HEX];
	size_t i;

	for (i = 0; i < l->n; i++) {
		hash_hex(l->v[i].sha256, hex);
		buf_add(text, hex, 2 * HASH_SIZE);
		if (!hash_equal(l->v[i].sha256, l->v[i].content)) {
			hash_hex(l->v[i].content, hex);
			buf_addf(text, ":%s", hex);
		}
		if (l->v[i].state == LEDGER_LIVE)
			buf_str(text, " live ");
		else if (l->v[i].state == LEDGER_GONE)
			buf_str(text, " gone ");
		else
			buf_addf(text, " %" PRId64 " ", l->v[i].state);
		buf_str(text, l->v[i].path);
		buf_str(text, "\n");
	}
}

void
ledger_clear(struct ledger *l)
{
	free(l->v);
	arena_clear(&l->names);
	*l = (struct ledger)LEDGER_INIT;
}
