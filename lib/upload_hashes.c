#include <stdio.h>
#include <string.h>

#include "lib/upload_parts.h"

#define MARK "veilid-cicd-hash"

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
