/*
 * What somebody who wrote a name that does not exist may have meant.
 *
 *	size_t d = nearest_distance("biuld", "build");
 *	if (nearest_is_likely("biuld", d))
 *		... (did you mean 'build'?)
 */
#ifndef LIB_FRAME_NEAREST_H
#define LIB_FRAME_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How many bytes must be put in, taken out, replaced, or swapped with their
 * neighbour to make b of a; 64 where either is longer than 63 bytes.
 */
size_t nearest_distance(const char *a, const char *b);

/*
 * Whether a name at that distance is worth a question: one that differs in
 * more than a third of what was written is another word.
 */
bool nearest_is_likely(const char *written, size_t distance);

#endif
