/*
 * The configuration of all four tools: one INI file, one table of the keys
 * that it may have (conf_schema.c), and overrides from the command line.
 *
 *	struct conf *c = conf_load(file, overrides, e);
 *	const char *root = conf_get(c, "deploy", "root");
 *	conf_free(c);
 *
 * A section with a name is written as in the file: conf_get(c, "suite stable",
 * "origin"). Strings belong to the configuration. To ask for a key that the
 * table does not have is a bug, and aborts.
 */
#ifndef LIB_FRAME_CONF_H
#define LIB_FRAME_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

enum conf_type {
	CONF_TEXT,
	CONF_WORD,	/* no blanks */
	CONF_LIST,	/* words separated by blanks */
	CONF_NUMBER,	/* 0 to 999999999 */
	CONF_SIZE,	/* bytes: 90, 90K, 15M, 4G, 1T; K is 1024 */
	CONF_DURATION,	/* 90, 90s, 15m, 6h, 7d, 2w */
	CONF_PATH,	/* "~/" is the home directory */
	CONF_URL,	/* http:// or https:// */
	CONF_CHOICE	/* one of the words in `choices` */
};

struct conf_key {
	const char *section;	/* "suite NAME": a section with a name */
	const char *key;
	enum conf_type type;
	const char *value;	/* the default; NULL: none */
	const char *choices;	/* of CONF_CHOICE, separated by blanks */
};

/* Ends with a row whose section is NULL. */
extern const struct conf_key conf_schema[];

/*
 * Reads file, else $VEILID_CICD_CONF, else ~/.config/veilid-cicd.conf, else
 * /etc/veilid-cicd.conf, else nothing. Overrides are "SECTION.KEY=VALUE".
 * Every mistake is an error of kind ERR_CONFIG with file and line.
 */
struct conf *conf_load(const char *file, const struct strv *overrides,
    struct err *e);
void conf_free(struct conf *c);	/* accepts NULL */

/* The value, else its default, else NULL. */
const char *conf_get(const struct conf *c, const char *section,
    const char *key);
/* The same; without a value NULL, and ERR_CONFIG that names the key. */
const char *conf_need(const struct conf *c, const char *section,
    const char *key, struct err *e);
/* The value with "~/" replaced by the home directory, yours; else NULL. */
char *conf_path(const struct conf *c, const char *section, const char *key);
/* 0 where there is none. */
uint64_t conf_number(const struct conf *c, const char *section,
    const char *key);
/* In bytes; 0 where there is none. */
uint64_t conf_size(const struct conf *c, const char *section,
    const char *key);
/* In seconds; 0 where there is none. */
int64_t conf_duration(const struct conf *c, const char *section,
    const char *key);
/* Appends the words of a list. */
void conf_list(const struct conf *c, const char *section, const char *key,
    struct strv *words);
/* Appends the names of the sections "kind NAME" that the file has. */
void conf_names(const struct conf *c, const char *kind, struct strv *names);

/* "4G", "4GiB" in bytes; false for anything else. */
bool conf_parse_size(const char *text, uint64_t *bytes);
/* "15m" in seconds; false for anything else. */
bool conf_parse_duration(const char *text, int64_t *seconds);

#endif
