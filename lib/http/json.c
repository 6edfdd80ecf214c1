#include "lib/http/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"

#define EXACT 9007199254740992.0	/* 2^53: from here on, rounded */

/*
 * A struct json is a cJSON under another name, so that no other file needs
 * to know whose it is.
 */
static const cJSON *
item(const struct json *j)
{
	return (const cJSON *)(const void *)j;
}

static cJSON *
item_to_change(struct json *j)
{
	return (cJSON *)(void *)j;
}

static const struct json *
wrap(const cJSON *c)
{
	return (const struct json *)(const void *)c;
}

/* ---------------------------------------------------------- to read */

/*
 * cJSON decodes "\u0000" to the byte that ends a string in C: what is behind
 * it would be there and not be seen. Backslashes are in strings only.
 */
static bool
has_nul(const char *text, size_t n)
{
	const char *p = text, *end = text + n;

	if (memchr(text, '\0', n) != NULL)
		return true;
	while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
		if (end - p >= 6 && memcmp(p, "\\u0000", 6) == 0)
			return true;
		if (end - p < 2)
			break;
		p += 2;
	}
	return false;
}

static bool
is_blank(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n", *p) != NULL)
		p++;
	return p == end;
}

struct json *
json_parse(const char *text, size_t n, struct err *e)
{
	const char *end = NULL;
	cJSON *c;

	if (n == 0 || has_nul(text, n)) {
		err_set(e, ERR_PROTOCOL, n == 0 ? "not JSON: it is empty" :
		    "not JSON: it contains a NUL");
		return NULL;
	}
	c = cJSON_ParseWithLengthOpts(text, n, &end, false);
	if (c == NULL) {
		err_set(e, ERR_PROTOCOL, "not JSON: error at byte %zu",
		    end != NULL ? (size_t)(end - text) : 0);
		return NULL;
	}
	if (!is_blank(end, text + n)) {
		err_set(e, ERR_PROTOCOL, "not JSON: more text at byte %zu",
		    (size_t)(end - text));
		json_free((struct json *)(void *)c);
		return NULL;
	}
	return (struct json *)(void *)c;
}

/* Not deeper than cJSON has parsed, or we have built. */
static void
wipe(cJSON *c)
{
	for (; c != NULL; c = c->next) {
		if (c->string != NULL)
			explicit_bzero(c->string, strlen(c->string));
		if (c->valuestring != NULL)
			explicit_bzero(c->valuestring,
			    strlen(c->valuestring));
		c->valuedouble = 0;
		wipe(c->child);
	}
}

void
json_free(struct json *j)
{
	wipe(item_to_change(j));
	cJSON_Delete(item_to_change(j));
}

/* The first of that name, as cJSON and most others have it. */
static const cJSON *
child_of(const cJSON *c, const char *key, size_t n)
{
	if (!cJSON_IsObject(c))
		return NULL;
	for (c = c->child; c != NULL; c = c->next)
		if (c->string != NULL && strlen(c->string) == n &&
		    memcmp(c->string, key, n) == 0)
			return c;
	return NULL;
}

const struct json *
json_at(const struct json *j, const char *path)
{
	const cJSON *c = item(j);
	size_t n;

	while (c != NULL && *path != '\0') {
		n = strcspn(path, ".");
		c = child_of(c, path, n);
		path += n;
		if (*path == '.')
			path++;
	}
	return wrap(c);
}

const char *
json_string(const struct json *j, const char *path)
{
	return cJSON_GetStringValue(item(json_at(j, path)));
}

bool
json_number(const struct json *j, const char *path, double *v)
{
	const cJSON *c = item(json_at(j, path));

	if (!cJSON_IsNumber(c) || !isfinite(c->valuedouble))
		return false;
	*v = c->valuedouble;
	return true;
}

bool
json_integer(const struct json *j, const char *path, int64_t *v)
{
	double d;

	if (!json_number(j, path, &d) || d <= -EXACT || d >= EXACT ||
	    (double)(int64_t)d != d)
		return false;
	*v = (int64_t)d;
	return true;
}

bool
json_bool(const struct json *j, const char *path, bool *v)
{
	const cJSON *c = item(json_at(j, path));

	if (!cJSON_IsBool(c))
		return false;
	*v = cJSON_IsTrue(c);
	return true;
}

bool
json_is_array(const struct json *j, const char *path)
{
	return cJSON_IsArray(item(json_at(j, path)));
}

const struct json *
json_first(const struct json *j, const char *path)
{
	const cJSON *c = item(json_at(j, path));

	return cJSON_IsArray(c) ? wrap(c->child) : NULL;
}

const struct json *
json_next(const struct json *element)
{
	return element != NULL ? wrap(item(element)->next) : NULL;
}

bool
json_has(const struct json *j, const char *path, const char *word)
{
	const struct json *i;
	const char *s;

	for (i = json_first(j, path); i != NULL; i = json_next(i)) {
		s = json_string(i, "");
		if (s != NULL && strcmp(s, word) == 0)
			return true;
	}
	return false;
}

/* --------------------------------------------------------- to write */

/* cJSON says NULL for no memory. */
static cJSON *
made(cJSON *c)
{
	if (c == NULL)
		abort();
	return c;
}

static void
add(struct json *object, const char *key, cJSON *value)
{
	if (!cJSON_AddItemToObject(item_to_change(object), key, made(value)))
		abort();
}

struct json *
json_object(void)
{
	return (struct json *)(void *)made(cJSON_CreateObject());
}

void
json_add_string(struct json *object, const char *key, const char *v)
{
	add(object, key, cJSON_CreateString(v));
}

void
json_add_integer(struct json *object, const char *key, int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, v);
	add(object, key, cJSON_CreateRaw(text));
}

void
json_add_bool(struct json *object, const char *key, bool v)
{
	add(object, key, cJSON_CreateBool(v));
}

/* "007" is none: JSON's numbers do not begin with zeros. */
static bool
is_number(const char *word)
{
	size_t n = strspn(word, "0123456789");

	return n > 0 && word[n] == '\0' && (n == 1 || word[0] != '0');
}

void
json_add_words(struct json *object, const char *key,
    const struct strv *words, bool digits_are_numbers)
{
	cJSON *array = made(cJSON_CreateArray()), *c;
	size_t i;

	for (i = 0; i < words->n; i++) {
		c = digits_are_numbers && is_number(words->v[i]) ?
		    cJSON_CreateRaw(words->v[i]) :
		    cJSON_CreateString(words->v[i]);
		if (!cJSON_AddItemToArray(array, made(c)))
			abort();
	}
	add(object, key, array);
}

void
json_print(const struct json *j, struct buf *out)
{
	char *text = cJSON_PrintUnformatted(item(j));

	if (text == NULL)
		abort();
	buf_str(out, text);
	explicit_bzero(text, strlen(text));
	cJSON_free(text);
}

bool
json_can_hold(const char *text, size_t n)
{
	size_t i, step;
	uint32_t c;

	for (i = 0; i < n; i += step) {
		step = utf8_read(text + i, n - i, &c);
		if (step == 0 || c == '\0')
			return false;
	}
	return true;
}
