#include "lib/frame/conf.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/frame/nearest.h"
#include "lib/sys/fs.h"

#define LINE_LIMIT 198	/* libinih reads lines of up to 200 bytes with "\n" */

#define SECTION_LIMIT 50

struct setting {
	char *section;
	char *key;
	char *value;
	int line;	/* 0: from the command line */
};

struct conf {
	char *file;	/* NULL: none was read */
	struct setting *v;
	size_t n;
	size_t cap;
};

/* ---------------------------------------------------------- the schema */

/* "suite stable" matches "suite NAME". */
static bool
section_matches(const char *pattern, const char *section)
{
	const char *blank = strchr(pattern, ' ');
	size_t n;

	if (blank == NULL)
		return strcmp(pattern, section) == 0;
	n = (size_t)(blank - pattern) + 1;
	return strncmp(pattern, section, n) == 0 &&
	    path_is_name(section + n);
}

static const struct conf_key *
find_key(const char *section, const char *key)
{
	const struct conf_key *k;

	for (k = conf_schema; k->section != NULL; k++)
		if (section_matches(k->section, section) &&
		    (key == NULL || strcmp(k->key, key) == 0))
			return k;
	return NULL;
}

/* The known section, or key of the section, that looks most like word. */
static const char *
nearest(const char *section, const char *word)
{
	const struct conf_key *k;
	const char *best = "", *candidate;
	size_t least = SIZE_MAX, d;

	for (k = conf_schema; k->section != NULL; k++) {
		if (section != NULL && !section_matches(k->section, section))
			continue;
		candidate = section ? k->key : k->section;
		d = nearest_distance(word, candidate);
		if (d < least) {
			least = d;
			best = candidate;
		}
	}
	return best;
}

static int
unknown_section(const char *section, struct err *e)
{
	return err_set(e, ERR_CONFIG, "unknown section [%s]: did you mean "
	    "[%s]?",
	    section, nearest(NULL, section));
}

/* ------------------------------------------------------ values by type */

bool
conf_parse_duration(const char *text, int64_t *seconds)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {
		{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800},
	};
	char *end;
	size_t i;
	long n;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || n > 999999999)
		return false;
	*seconds = n;
	if (*end == '\0')
		return true;
	for (i = 0; i < COUNT(units); i++)
		if (end[0] == units[i].letter && end[1] == '\0') {
			*seconds = n * units[i].seconds;
			return true;
		}
	return false;
}

bool
conf_parse_size(const char *text, uint64_t *bytes)
{
	static const char letters[] = "KMGT";
	size_t n = strspn(text, "0123456789");
	const char *unit = text + n, *letter;

	/* nine digits, and 2^40 at most: it fits */
	if (n > 9 || !decimal_read(text, n, bytes))
		return false;
	if (*unit == '\0')
		return true;
	letter = strchr(letters, *unit);
	if (letter == NULL || (unit[1] != '\0' && strcmp(unit + 1, "iB") != 0))
		return false;
	*bytes <<= 10 * (letter - letters + 1);
	return true;
}

static bool
has_word(const char *list, const char *word)
{
	struct strv words = STRV_INIT;
	bool found;

	strv_split(&words, list);
	found = strv_has(&words, word);
	strv_clear(&words);
	return found;
}

/* NULL if the value has the form of its type, else what it should be. */
static const char *
wrong_form(const struct conf_key *k, const char *value)
{
	int64_t seconds;
	uint64_t bytes;

	switch (k->type) {
	case CONF_TEXT:
	case CONF_LIST:
		return NULL;
	case CONF_WORD:
	case CONF_PATH:
		return value[0] && !strpbrk(value, " \t") ? NULL :
		    "one word without blanks";
	case CONF_NUMBER:
		return value[0] && strlen(value) <= 9 &&
		    strspn(value, "0123456789") == strlen(value) ? NULL :
		    "a number";
	case CONF_SIZE:
		return conf_parse_size(value, &bytes) ? NULL :
		    "a size like 4096, 300M or 4GiB";
	case CONF_DURATION:
		return conf_parse_duration(value, &seconds) ? NULL :
		    "a time like 90s, 15m, 6h or 7d";
	case CONF_URL:
		return (path_starts_with(value, "https://") ||
		    path_starts_with(value, "http://")) &&
		    !strpbrk(value, " \t@") ? NULL :
		    "a URL that begins with https:// or http://";
	case CONF_CHOICE:
		return has_word(k->choices, value) ? NULL : k->choices;
	}
	return NULL;
}

/* ------------------------------------------------------------- setting */

static int
set(struct conf *c, const char *section, const char *key, const char *value,
    int line, struct err *e)
{
	const struct conf_key *k = find_key(section, key);
	const char *form;

	if (find_key(section, NULL) == NULL)
		return unknown_section(section, e);
	if (k == NULL)
		return err_set(e, ERR_CONFIG, "unknown key '%s' in [%s]: did "
		    "you mean '%s'?", key, section, nearest(section, key));
	form = wrong_form(k, value);
	if (form != NULL)
		return err_set(e, ERR_CONFIG, "[%s] %s = '%s': must be %s",
		    section, key, value, form);
	if (c->n == c->cap) {
		c->cap = mem_grow(c->cap, c->n + 1);
		c->v = mem_resize(c->v, c->cap, sizeof(*c->v));
	}
	c->v[c->n++] = (struct setting){mem_dup(section), mem_dup(key),
	    mem_dup(value), line};
	return 0;
}

static struct setting *
find_setting(const struct conf *c, const char *section, const char *key)
{
	size_t i;

	/* The last one wins: overrides come after the file. */
	for (i = c->n; i-- > 0;)
		if (strcmp(c->v[i].section, section) == 0 &&
		    strcmp(c->v[i].key, key) == 0)
			return &c->v[i];
	return NULL;
}

/* ------------------------------------------------------------ the file */

struct reader {
	struct conf *conf;
	FILE *file;
	int line;
	struct err err;
};

/* libinih says nothing of a section without keys, and cuts long names. */
static int
check_section(struct reader *r, const char *line)
{
	const char *end = strchr(line, ']');
	char name[SECTION_LIMIT];

	if (end == NULL)
		return 0;	/* libinih will complain */
	if (end - line > SECTION_LIMIT)
		return err_set(&r->err, ERR_CONFIG,
		    "the section's name is too long");
	memcpy(name, line + 1, (size_t)(end - line) - 1);
	name[end - line - 1] = '\0';
	return find_key(name, NULL) ? 0 : unknown_section(name, &r->err);
}

static char *
read_line(char *line, int size, void *arg)
{
	struct reader *r = arg;
	int c;

	if (r->err.kind != ERR_NONE)
		return NULL;
	if (fgets(line, size, r->file) == NULL) {
		if (ferror(r->file))
			err_set(&r->err, ERR_CONFIG, "%s", strerror(errno));
		return NULL;
	}
	r->line++;
	if (strchr(line, '\n') == NULL && (c = getc(r->file)) != EOF) {
		ungetc(c, r->file);
		err_set(&r->err, ERR_CONFIG, "the line is longer than %d "
		    "bytes: continue a list on an indented line", LINE_LIMIT);
		return NULL;
	}
	return line[0] == '[' && check_section(r, line) < 0 ? NULL : line;
}

static int
take_setting(void *arg, const char *section, const char *key,
    const char *value)
{
	struct reader *r = arg;
	struct setting *before = find_setting(r->conf, section, key);
	const struct conf_key *k = find_key(section, key);
	char *longer;

	if (r->err.kind != ERR_NONE)
		return 1;
	if (before == NULL) {
		(void)set(r->conf, section, key, value, r->line, &r->err);
		return 1;
	}
	/* libinih repeats the key for an indented line: a list goes on */
	if (k->type != CONF_LIST) {
		err_set(&r->err, ERR_CONFIG, "'%s' in [%s] is already set in "
		    "line %d", key, section, before->line);
		return 1;
	}
	longer = mem_format("%s %s", before->value, value);
	free(before->value);
	before->value = longer;
	return 1;
}

static int
read_file(struct conf *c, struct err *e)
{
	struct reader r = {.conf = c};
	int bad;

	r.file = fopen(c->file, "re");
	if (r.file == NULL)
		return err_set(e, errno == ENOENT ? ERR_CONFIG : ERR_REFUSED,
		    "open configuration '%s': %s", c->file, strerror(errno));
	bad = ini_parse_stream(read_line, &r, take_setting, &r);
	if (ferror(r.file)) {
		fclose(r.file);
		return err_set(e, ERR_CONFIG, "read configuration '%s': %s",
		    c->file, r.err.text);
	}
	fclose(r.file);
	/* libinih goes on after a line that it does not understand */
	if (bad != 0 && (r.err.kind == ERR_NONE || bad < r.line)) {
		r.line = bad;
		err_set(&r.err, ERR_CONFIG,
		    "neither [section] nor key = value");
	}
	if (r.err.kind == ERR_NONE)
		return 0;
	return err_set(e, ERR_CONFIG, "%s:%d: %s", c->file, r.line, r.err.text);
}

static int
set_override(struct conf *c, const char *text, struct err *e)
{
	char *section = mem_dup(text), *key, *value;
	int status = -1;

	value = strchr(section, '=');
	if (value != NULL)
		*value++ = '\0';
	key = value ? strrchr(section, '.') : NULL;
	if (key == NULL) {
		err_set(e, ERR_CONFIG, "-o '%s': must be SECTION.KEY=VALUE",
		    text);
	} else {
		*key++ = '\0';
		status = set(c, section, key, value, 0, e);
		if (status < 0)
			err_wrap(e, "-o '%s'", text);
	}
	free(section);
	return status;
}

static char *
find_file(const char *file)
{
	const char *named = getenv("VEILID_CICD_CONF");
	char *home;

	if (file != NULL)
		return mem_dup(file);
	if (named != NULL && named[0] != '\0')
		return mem_dup(named);
	home = fs_expand_home("~/.config/veilid-cicd.conf");
	if (access(home, F_OK) == 0)
		return home;
	free(home);
	if (access("/etc/veilid-cicd.conf", F_OK) == 0)
		return mem_dup("/etc/veilid-cicd.conf");
	return NULL;
}

struct conf *
conf_load(const char *file, const struct strv *overrides, struct err *e)
{
	struct conf *c = mem_zero(1, sizeof(*c));
	size_t i;

	c->file = find_file(file);
	if (c->file != NULL && read_file(c, e) < 0)
		goto fail;
	for (i = 0; i < overrides->n; i++)
		if (set_override(c, overrides->v[i], e) < 0)
			goto fail;
	return c;
fail:
	conf_free(c);
	return NULL;
}

void
conf_free(struct conf *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n; i++) {
		free(c->v[i].section);
		free(c->v[i].key);
		free(c->v[i].value);
	}
	free(c->v);
	free(c->file);
	free(c);
}

/* ------------------------------------------------------------- getting */

const char *
conf_get(const struct conf *c, const char *section, const char *key)
{
	const struct setting *s = find_setting(c, section, key);
	const struct conf_key *k = find_key(section, key);

	if (k == NULL)
		abort();	/* a bug: the schema has no such key */
	return s ? s->value : k->value;
}

const char *
conf_need(const struct conf *c, const char *section, const char *key,
    struct err *e)
{
	const char *value = conf_get(c, section, key);

	if (value == NULL || value[0] == '\0') {
		err_set(e, ERR_CONFIG, "[%s] %s is not set: set it in %s or "
		    "with -o", section, key,
		    c->file ? c->file : "/etc/veilid-cicd.conf");
		return NULL;
	}
	return value;
}

char *
conf_path(const struct conf *c, const char *section, const char *key)
{
	const char *value = conf_get(c, section, key);

	return value ? fs_expand_home(value) : NULL;
}

uint64_t
conf_number(const struct conf *c, const char *section, const char *key)
{
	const char *value = conf_get(c, section, key);

	return value ? strtoull(value, NULL, 10) : 0;
}

uint64_t
conf_size(const struct conf *c, const char *section, const char *key)
{
	const char *value = conf_get(c, section, key);
	uint64_t bytes = 0;

	if (value != NULL)
		(void)conf_parse_size(value, &bytes);
	return bytes;
}

int64_t
conf_duration(const struct conf *c, const char *section, const char *key)
{
	const char *value = conf_get(c, section, key);
	int64_t seconds = 0;

	if (value != NULL)
		(void)conf_parse_duration(value, &seconds);
	return seconds;
}

void
conf_list(const struct conf *c, const char *section, const char *key,
    struct strv *words)
{
	const char *value = conf_get(c, section, key);

	if (value != NULL)
		strv_split(words, value);
}

void
conf_names(const struct conf *c, const char *kind, struct strv *names)
{
	size_t i, n = strlen(kind);

	for (i = 0; i < c->n; i++)
		if (strncmp(c->v[i].section, kind, n) == 0 &&
		    c->v[i].section[n] == ' ' &&
		    !strv_has(names, c->v[i].section + n + 1))
			strv_add(names, c->v[i].section + n + 1);
}
