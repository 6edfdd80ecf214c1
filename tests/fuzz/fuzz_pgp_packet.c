/*
 * The packets of a public key, as gpg exports them, and those of a signature,
 * with its armour and without.
 */
#include "lib/pgp/pgp.h"
#include "tests/fuzz/support.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *weak = pgp_weak_binding(data, n);
	char fingerprint[PGP_FINGERPRINT] = "";
	struct buf packets = BUF_INIT;

	must(weak == NULL || weak[0] != '\0');
	(void)pgp_expires(data, n);
	must(!pgp_issuer(data, n, fingerprint) ||
	    strlen(fingerprint) == PGP_FINGERPRINT - 1);
	must(pgp_count_signatures(data, n) >= -1);
	(void)pgp_read_armour((const char *)data, n, "SIGNATURE", &packets);
	(void)pgp_is_one_key(data, n);
	buf_clear(&packets);
	return 0;
}
