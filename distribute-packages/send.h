/*
 * Sends the newest generation to the repository server, as a drop of the files
 * that the server does not have yet.
 */
#ifndef SEND_H
#define SEND_H

#include <stdint.h>

#include "lib/frame/tool.h"

/* ERR_CONFIG where [repo-server] does not say where to. */
int send_check(const struct conf *conf, struct err *e);

/*
 * Sends the newest generation, removes drops of packages that are published,
 * and prints the record. After a dry run of build, `coming` is the serial of
 * the generation that it would have made; otherwise 0.
 */
int send_newest(const struct tool_call *call, uint64_t coming, struct err *e);

#endif
