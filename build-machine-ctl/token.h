/*
 * The token of an API: from the environment, else from a file.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include "lib/base/err.h"
#include "lib/frame/conf.h"
#include "lib/sys/secret.h"

/*
 * Reads the variable, else the file [section] token-file. ERR_CONFIG: there
 * is neither, or what is there is not a token. ERR_REFUSED: others can read it.
 */
int token_read(const struct conf *conf, const char *section,
    const char *variable, struct secret *token, struct err *e);

#endif
