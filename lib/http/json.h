/*
 * JSON by cJSON: read by typed getters that take a path, so that no answer is
 * trusted to have the shape it should have; and written.
 *
 *	struct json *j = json_parse(text, n, e);
 *	const char *name = json_string(j, "droplet.name");
 *	int64_t id;
 *	if (name == NULL || !json_integer(j, "droplet.id", &id))
 *		...
 *	json_free(j);
 *
 * A path is keys separated by dots; "" is the value itself. Keys have their
 * exact case. What a getter returns belongs to the document. All getters
 * accept NULL for the document, and then find nothing.
 */
#ifndef LIB_HTTP_JSON_H
#define LIB_HTTP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct json;

/*
 * Yours to free. ERR_PROTOCOL for what is not JSON, is followed by more than
 * blanks, contains a NUL, or is nested deeper than cJSON allows.
 */
struct json *json_parse(const char *text, size_t n, struct err *e);
/* Wipes all strings first: answers hold tokens. Accepts NULL. */
void json_free(struct json *j);

/* NULL where nothing is at path. */
const struct json *json_at(const struct json *j, const char *path);

/* NULL where no string is at path. */
const char *json_string(const struct json *j, const char *path);
/*
 * False unless there is a whole number below 2^53 at path: cJSON keeps numbers
 * as double, and an id that was rounded is another one's.
 */
bool json_integer(const struct json *j, const char *path, int64_t *v);
bool json_number(const struct json *j, const char *path, double *v);
bool json_bool(const struct json *j, const char *path, bool *v);

/*
 * The elements of the array at path, in order:
 *
 *	for (i = json_first(j, "droplets"); i != NULL; i = json_next(i))
 *
 * NULL for an empty array and where there is none; json_is_array tells.
 */
bool json_is_array(const struct json *j, const char *path);
const struct json *json_first(const struct json *j, const char *path);
const struct json *json_next(const struct json *element);

/* True if the array at path has this string in it. */
bool json_has(const struct json *j, const char *path, const char *word);

/* True for text that a string can be: UTF-8 without a NUL. */
bool json_can_hold(const char *text, size_t n);

/* --------------------------------------------------------- to write */

struct json *json_object(void);		/* yours to free */
void json_add_string(struct json *object, const char *key, const char *v);
void json_add_integer(struct json *object, const char *key, int64_t v);
void json_add_bool(struct json *object, const char *key, bool v);
/*
 * An array. With `digits_are_numbers`, words of digits alone become numbers:
 * ids of ssh keys stand beside fingerprints.
 */
void json_add_words(struct json *object, const char *key,
    const struct strv *words, bool digits_are_numbers);
/* Appends the document, unformatted. */
void json_print(const struct json *j, struct buf *out);

#endif
