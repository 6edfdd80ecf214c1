/*
 * The newest generation on its way to the repository server, as a drop of
 * what that does not have yet.
 */
#ifndef SEND_H
#define SEND_H

#include <stdint.h>

#include "lib/frame/tool.h"

/* ERR_CONFIG where [repo-server] does not say where to. */
int send_check(const struct conf *conf, struct err *e);

/*
 * Sends, removes drops of packages that have served, and prints the record.
 * coming is the serial of a generation that a dry run did not make, or 0: the
 * newest one there is.
 */
int send_newest(const struct tool_call *call, uint64_t coming, struct err *e);

#endif
