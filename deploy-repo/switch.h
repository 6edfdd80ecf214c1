/*
 * The atomic step: which generation is live, the names in the root that lead
 * to it, and what senders are told of it.
 */
#ifndef SWITCH_H
#define SWITCH_H

#include "deploy-repo/site.h"

/*
 * Makes a kept generation live: swaps the link, sees to the names in the root
 * (plain directories are exchanged for links, without a moment in which they
 * are missing), then checks through [deploy] url what clients now get.
 * If that is not the new generation, everything is swapped back: ERR_PROTOCOL
 * for different contents, ERR_AGAIN if the server does not answer. After a
 * signal during the check (ERR_SIGNAL) the generation stays live: clients may
 * have seen it.
 *
 * The manifest of what is live then lies in the inbox, for senders: LIVE/
 * SHA256SUMS and SHA256SUMS.asc. At no moment is it that of a later generation
 * than the live one. A failure to leave it there is only warned of.
 */
int switch_to(struct site *s, const struct kept *k, struct err *e);

#endif
