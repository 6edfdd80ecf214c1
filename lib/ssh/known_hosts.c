#include "lib/ssh/known_hosts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/data/hash.h"
#include "lib/sys/fs.h"

#define SHA1_SIZE 20
#define SHA1_BLOCK 64
#define FILE_LIMIT ((size_t)16 << 20)

/* What one file says of the host, the worst last. */
enum verdict {
	V_UNKNOWN, V_OK, V_OTHER, V_CHANGED
};

struct word {
	const char *p;
	size_t n;
};

struct search {
	const struct host_key *key;
	char *names[2];		/* with the port where it is not 22, without */
	const char *file;
	size_t line;
	/* of this file */
	bool has_key, has_type, has_other;
	size_t changed_line;
	/* of all files */
	const char *authority_file;
	size_t authority_line;
};

/*
 * ---------------------------------------------------------------- names
 * The first word of a line: patterns, or a hashed name.
 */

static bool
matches(const char *name, const char *p, const char *end)
{
	const char *star = NULL, *from = NULL;

	while (*name != '\0') {
		if (p < end && *p == '*') {
			star = ++p;
			from = name;
		} else if (p < end && (*p == '?' ||
		    tolower((unsigned char)*p) == *name)) {
			p++;
			name++;
		} else if (star != NULL) {
			p = star;
			name = ++from;
		} else
			return false;
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

/* "a,b*,!bc": what is denied wins. */
static bool
matches_list(const char *name, struct word list)
{
	const char *p = list.p, *end = list.p + list.n, *comma;
	bool found = false, denies;

	for (; p < end; p = comma < end ? comma + 1 : end) {
		comma = memchr(p, ',', (size_t)(end - p));
		if (comma == NULL)
			comma = end;
		denies = *p == '!';
		if (matches(name, denies ? p + 1 : p, comma)) {
			if (denies)
				return false;
			found = true;
		}
	}
	return found;
}

/* RFC 2104, with SHA-1; the key is no longer than a block. */
static bool
hmac_sha1(const struct buf *key, const char *text,
    uint8_t mac[HASH_SIZE_MAX])
{
	uint8_t pad[2][SHA1_BLOCK], inner[HASH_SIZE_MAX];
	struct hash *h;
	size_t i;

	for (i = 0; i < SHA1_BLOCK; i++) {
		pad[0][i] = (i < key->n ? (uint8_t)key->p[i] : 0) ^ 0x36;
		pad[1][i] = pad[0][i] ^ 0x36 ^ 0x5c;
	}
	h = hash_open_as(HASH_SHA1);
	if (h == NULL)
		return false;
	hash_add(h, pad[0], SHA1_BLOCK);
	hash_add(h, text, strlen(text));
	hash_finish(h, inner);
	h = hash_open_as(HASH_SHA1);
	if (h == NULL)
		return false;
	hash_add(h, pad[1], SHA1_BLOCK);
	hash_add(h, inner, SHA1_SIZE);
	hash_finish(h, mac);
	return true;
}

/* "|1|salt|hash" */
static bool
matches_hashed(const char *name, struct word host)
{
	const char *salt = host.p + 3, *end = host.p + host.n, *bar;
	struct buf key = BUF_INIT, wanted = BUF_INIT;
	uint8_t mac[HASH_SIZE_MAX];
	bool same = false;

	bar = memchr(salt, '|', (size_t)(end - salt));
	if (bar != NULL && base64_read(salt, (size_t)(bar - salt), &key) &&
	    base64_read(bar + 1, (size_t)(end - bar - 1), &wanted) &&
	    key.n <= SHA1_BLOCK && wanted.n == SHA1_SIZE &&
	    hmac_sha1(&key, name, mac))
		same = memcmp(mac, wanted.p, SHA1_SIZE) == 0;
	buf_clear(&key);
	buf_clear(&wanted);
	return same;
}

/* name, in lower case, is one of host: "a,b*,!bc", "|1|salt|hash". */
static bool
host_matches(const char *name, struct word host)
{
	if (host.n > 3 && memcmp(host.p, "|1|", 3) == 0)
		return matches_hashed(name, host);
	return matches_list(name, host);
}

/* ---------------------------------------------------------------- lines */

static struct word
next_word(const char **p, const char *end)
{
	struct word w;

	while (*p < end && (**p == ' ' || **p == '\t'))
		(*p)++;
	w.p = *p;
	while (*p < end && **p != ' ' && **p != '\t' && **p != '\r')
		(*p)++;
	w.n = (size_t)(*p - w.p);
	return w;
}

static bool
word_is(struct word w, const char *text)
{
	return w.n == strlen(text) && memcmp(w.p, text, w.n) == 0;
}

/* The type stands in the key itself, too: a string with its length. */
static bool
is_of_type(const struct host_key *key, struct word type)
{
	const uint8_t *p = key->blob;
	size_t n;

	if (key->n < 4)
		return false;
	n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	return n == type.n && n <= key->n - 4 && memcmp(p + 4, type.p, n) == 0;
}

static bool
is_same_key(const struct host_key *key, struct word text)
{
	struct buf blob = BUF_INIT;
	bool same = base64_read(text.p, text.n, &blob) && blob.n == key->n &&
	    memcmp(blob.p, key->blob, key->n) == 0;

	buf_clear(&blob);
	return same;
}

static int
say_revoked(const struct search *s, struct err *e)
{
	return err_set(e, ERR_REFUSED, "the host key of '%s', %s, is revoked "
	    "in '%s', line %zu: ask the machine's administrator for its key",
	    s->names[0], s->key->fingerprint, s->file, s->line);
}

static void
note_key(struct search *s, struct word type, struct word text)
{
	if (is_same_key(s->key, text))
		s->has_key = true;
	else if (is_of_type(s->key, type)) {
		s->has_type = true;
		s->changed_line = s->line;
	} else
		s->has_other = true;
}

static bool
is_either(const struct search *s, struct word host)
{
	return host_matches(s->names[0], host) ||
	    host_matches(s->names[1], host);
}

/*
 * A key is revoked for the host by either of its names: there is no harm in
 * refusing too much. Known it is by its name with the port only.
 */
static int
read_line(struct search *s, const char *p, const char *end, struct err *e)
{
	struct word mark = {NULL, 0}, host = next_word(&p, end);
	struct word type, text;

	if (host.n == 0 || host.p[0] == '#')
		return 0;
	if (host.p[0] == '@') {
		mark = host;
		host = next_word(&p, end);
	}
	type = next_word(&p, end);
	text = next_word(&p, end);
	if (text.n == 0)
		return 0;
	if (mark.n > 0 && word_is(mark, "@revoked"))
		return is_same_key(s->key, text) && is_either(s, host) ?
		    say_revoked(s, e) : 0;
	if (!host_matches(s->names[0], host))
		return 0;
	if (mark.n == 0)
		note_key(s, type, text);
	else if (word_is(mark, "@cert-authority") &&
	    s->authority_file == NULL) {
		s->authority_file = s->file;
		s->authority_line = s->line;
	}
	return 0;
}

static int
read_lines(struct search *s, const struct buf *b, struct err *e)
{
	const char *p = b->p, *end = p + b->n, *newline;

	for (; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL)
			newline = end;
		s->line++;
		if (read_line(s, p, newline, e) < 0)
			return -1;
		if (newline == end)
			break;
	}
	return 0;
}

/* A file that is not there knows nobody. */
static int
read_one(struct search *s, const char *file, enum verdict *v, struct err *e)
{
	struct buf b = BUF_INIT;
	int status = 0;

	s->file = file;
	s->line = 0;
	s->has_key = s->has_type = s->has_other = false;
	*v = V_UNKNOWN;
	if (fs_read_path(file, FILE_LIMIT, &b, e) < 0) {
		if (e->kind != ERR_MISSING)
			status = err_wrap(e, "read known host keys");
		else
			*e = (struct err)ERR_INIT;
	} else if (b.n > 0)
		status = read_lines(s, &b, e);
	buf_clear(&b);
	if (s->has_key)
		*v = V_OK;
	else if (s->has_type)
		*v = V_CHANGED;
	else if (s->has_other)
		*v = V_OTHER;
	return status;
}

/* ------------------------------------------------------------------ judging */

static int
say_unknown(const struct search *s, struct err *e)
{
	const char *const *files = s->key->files;

	if (s->authority_file != NULL)
		return err_set(e, ERR_REFUSED, "the host key of '%s' is not "
		    "known: %s; '%s', line %zu, has a @cert-authority, but "
		    "host certificates are not supported: add the key itself "
		    "to that file", s->names[0], s->key->fingerprint,
		    s->authority_file, s->authority_line);
	return err_set(e, ERR_REFUSED, "the host key of '%s' is not known: %s; "
	    "compare it with what the machine's administrator says, then add "
	    "it to '%s'", s->names[0], s->key->fingerprint,
	    files[0] != NULL ? files[0] : files[1]);
}

static int
say_wrong(const struct search *s, enum verdict v, const char *file,
    size_t line, struct err *e)
{
	if (v == V_CHANGED)
		return err_set(e, ERR_REFUSED, "the host key of '%s' is not "
		    "the one in '%s', line %zu: it has changed to %s, or "
		    "another machine answers; compare it with what the "
		    "machine's administrator says, then correct the file",
		    s->names[0], file, line, s->key->fingerprint);
	return err_set(e, ERR_REFUSED, "'%s' has keys of other types for '%s', "
	    "but not %s; compare it with what the machine's administrator "
	    "says, then add it to the file", file, s->names[0],
	    s->key->fingerprint);
}

/* All files are read, for a later one may revoke; the worst one decides. */
static int
judge_files(struct search *s, struct err *e)
{
	enum verdict v, worst = V_UNKNOWN;
	const char *worst_file = NULL;
	size_t i, line = 0;

	for (i = 0; i < COUNT(s->key->files); i++) {
		if (s->key->files[i] == NULL)
			continue;
		if (read_one(s, s->key->files[i], &v, e) < 0)
			return -1;
		if (v <= worst)
			continue;
		worst = v;
		worst_file = s->file;
		line = s->changed_line;
	}
	if (worst == V_OK)
		return 0;
	if (worst == V_UNKNOWN)
		return say_unknown(s, e);
	return say_wrong(s, worst, worst_file, line, e);
}

int
known_hosts_judge(const struct host_key *key, struct err *e)
{
	struct search s = {.key = key};
	int status;
	char *p;

	s.names[1] = mem_dup(key->host);
	for (p = s.names[1]; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	s.names[0] = key->port == 22 ? mem_dup(s.names[1]) :
	    mem_format("[%s]:%u", s.names[1], key->port);
	status = judge_files(&s, e);
	free(s.names[0]);
	free(s.names[1]);
	return status;
}
