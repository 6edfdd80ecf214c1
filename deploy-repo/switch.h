/*
 * The atomic step: which generation is live, and the names in the root that
 * lead to it.
 */
#ifndef SWITCH_H
#define SWITCH_H

#include "deploy-repo/site.h"

/*
 * What a first deployment replaced lies in <root>/.releases/replaced.N/.
 */
#define SWITCH_REPLACED "replaced."

/*
 * Makes a kept generation live: swaps the link, sees to the names in the root
 * (plain directories are exchanged for links, without a moment in which they
 * are missing), then looks through [deploy] url at what the world now gets.
 * If that is not the new generation, everything is swapped back: ERR_PROTOCOL
 * for other content, ERR_AGAIN if the server does not answer.
 */
int switch_to(struct site *s, const struct manifest *m, struct err *e);

#endif
