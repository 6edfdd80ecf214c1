#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/drop/upload_parts.h"

#define MARK "veilid-cicd-hash"
#define CHUNK ((size_t)256 << 10)

/*
 * A name goes to a shell that we do not know, csh perhaps: what is none of
 * these could mean something to one of them, even in quotes. A file with such
 * a name is read back.
 */
bool
upload_hash_may_name(const char *path)
{
	static const char harmless[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "/._+~:@%,=^-";

	return *path != '\0' && path[strspn(path, harmless)] == '\0';
}

/*
 * Nothing but what all shells have in common. The first line ends what a
 * start-up file has printed, and a mark says which hash comes next, for one
 * of a file that is missing does not.
 */
void
upload_hash_ask(struct buf *command, size_t i, const char *tool,
    const char *path)
{
	buf_addf(command, "%secho " MARK " %zu; %s <'%s'",
	    command->n == 0 ? "echo; " : "; ", i, tool, path);
}

void
upload_hash_ask_part(struct buf *command, size_t i, const char *tool,
    const char *path, uint64_t piece, uint64_t count)
{
	buf_addf(command, "%secho " MARK " %zu; dd if='%s' bs=%llu skip=%llu "
	    "count=%llu | %s", command->n == 0 ? "echo; " : "; ", i, path,
	    (unsigned long long)UPLOAD_PIECE, (unsigned long long)piece,
	    (unsigned long long)count, tool);
}

bool
upload_hash_find(const struct buf *said, size_t i, uint8_t sha256[HASH_SIZE])
{
	char mark[64];
	const char *p;

	snprintf(mark, sizeof(mark), "\n" MARK " %zu\n", i);
	for (p = buf_cstr(said); (p = strstr(p, mark)) != NULL; p++)
		if (hash_parse(p + strlen(mark), sha256) &&
		    p[strlen(mark) + HASH_HEX - 1] == ' ')
			return true;
	return false;
}

int
upload_hash_here(const struct upload_file *f, uint64_t offset, uint64_t n,
    uint8_t sha256[HASH_SIZE], struct err *e)
{
	struct hash *h = hash_open();
	char *chunk = mem_alloc(CHUNK);
	int status = 0;
	size_t some;

	while (n > 0 && status == 0) {
		some = n < CHUNK ? (size_t)n : CHUNK;
		status = upload_load(f, offset, chunk, some, e);
		if (status == 0)
			hash_add(h, chunk, some);
		offset += some;
		n -= some;
	}
	hash_close(h, sha256);
	free(chunk);
	return status;
}
