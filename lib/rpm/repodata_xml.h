/*
 * Tags of an XML text and the values in them, for the files that read
 * metadata of rpm repositories (repodata*.c). The text is not copied; what
 * fails is ERR_DATA.
 */
#ifndef LIB_RPM_REPODATA_XML_H
#define LIB_RPM_REPODATA_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/data/hash.h"
#include "lib/rpm/repodata.h"

/* <name a="b">, </name> or <name/>. */
struct tag {
	const char *start;	/* the "<" */
	const char *end;	/* beyond the ">" */
	struct span name;
	struct span attributes;	/* well-formed */
	bool is_end;
	bool is_empty;
};

bool xml_is_blank(char c);
const char *xml_skip_blanks(const char *p, const char *end);

bool span_same(const struct span *a, const struct span *b);
/* What has an entity in it would have to be copied: no such value is taken. */
bool span_is_plain(const struct span *s);
bool span_number(const struct span *s, uint64_t *number);
bool span_sha256(const struct span *s, uint8_t sha256[HASH_SIZE]);

/* The next tag and the text before it; 0 if there is only text. */
int tag_next(const char **p, const char *end, struct span *text,
    struct tag *tag, struct err *e);
/* The tag between packages; nothing but blanks may lie before it. */
int tag_next_outer(const char **p, const char *end, struct tag *tag,
    struct err *e);
/* The same where a text begins: its declaration <?xml ...?> is skipped. */
int tag_first(const char **p, const char *end, struct tag *tag,
    struct err *e);
/* Sets *e and returns -1. */
int tag_malformed(const struct tag *tag, const char *attribute,
    struct err *e);

/* Its attributes: the name must be there, and once. */
int tag_attribute(const struct tag *tag, const char *name, struct span *value,
    struct err *e);
int tag_number(const struct tag *tag, const char *name, uint64_t *number,
    struct err *e);
/* The href of <location>. */
int tag_href(const struct tag *tag, struct span *href, struct err *e);
/* Fails unless it has that value. */
int tag_check(const struct tag *tag, const char *name, const char *value,
    struct err *e);

#endif
