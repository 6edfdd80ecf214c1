/*
 * The metadata of an rpm repository, as this project and createrepo_c write
 * it: repomd.xml, and the lists primary, filelists and other, which have one
 * element <package> for each package. It is scanned, not parsed as XML at
 * large: text in another form is refused, never misread. Nothing is copied:
 * fields point into the text, and none of those below may hold an entity.
 */
#ifndef LIB_RPM_REPODATA_H
#define LIB_RPM_REPODATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/text.h"
#include "lib/data/hash.h"

/* A package of primary.xml. */
struct repodata_package {
	struct span element;	/* "<package" to "</package>", no newline */
	struct span name;
	struct span arch;
	struct span epoch;	/* attributes of <version> */
	struct span version;
	struct span release;
	struct span href;	/* relative to the repository */
	uint8_t sha256[HASH_SIZE];
	uint64_t size;		/* of the file, bytes */
	uint64_t header_start;
	uint64_t header_end;
};

/*
 * Takes the next package off *p. 1; 0 at the end of the text; -1 (ERR_DATA)
 * where an element does not end, lacks a field or has it twice.
 */
int repodata_next_primary(const char **p, const char *end,
    struct repodata_package *package, struct err *e);

/* The same for filelists.xml and other.xml: the element and its pkgid. */
int repodata_next_listed(const char **p, const char *end,
    struct span *element, uint8_t pkgid[HASH_SIZE], struct err *e);

/* The packages="N" of a list's root element. */
int repodata_count(const char *p, size_t n, uint64_t *count, struct err *e);
/* True if the text ends in the end of this element: "metadata". */
bool repodata_ends(const char *p, size_t n, const char *root);

enum { REPOMD_FILES = 16 };
struct repomd_file {
	struct span type;	/* "primary" */
	struct span href;	/* "repodata/<sha256>-primary.xml.gz" */
	uint8_t sha256[HASH_SIZE];
	uint64_t size;
	bool has_open;
	uint8_t open_sha256[HASH_SIZE];	/* of what it unpacks to */
	uint64_t open_size;
};

struct repomd {
	uint64_t revision;	/* seconds since 1970, or 0 */
	struct repomd_file v[REPOMD_FILES];
	size_t n;
};

int repomd_parse(const char *p, size_t n, struct repomd *md, struct err *e);
/* The file of that type, or NULL. */
const struct repomd_file *repomd_find(const struct repomd *md,
    const char *type);

#endif
