/*
 * The packets of a public key, as gpg exports them.
 */
#include "lib/pgp.h"
#include "tests/fuzz/support.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *weak = pgp_weak_binding(data, n);

	must(weak == NULL || weak[0] != '\0');
	return 0;
}
