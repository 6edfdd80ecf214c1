#include "build-machine-ctl/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/sys/clock.h"

#define RANDOM_DIGITS 8

void
attempt_make(char mark[ATTEMPT_SIZE])
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		abort();	/* never for so few bytes */
	snprintf(mark, ATTEMPT_SIZE, "%lld-%08x", (long long)clock_now(),
	    random);
}

bool
attempt_parse(const char *mark, int64_t *made)
{
	size_t digits = strspn(mark, "0123456789");

	if (digits == 0 || digits > 12 || mark[digits] != '-' ||
	    strspn(mark + digits + 1, "0123456789abcdef") != RANDOM_DIGITS ||
	    mark[digits + 1 + RANDOM_DIGITS] != '\0')
		return false;
	if (made != NULL)
		*made = strtoll(mark, NULL, 10);
	return true;
}
