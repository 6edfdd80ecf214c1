/*
 * [machine BUILD] user-data: what a machine is given at its first boot.
 */
#ifndef USER_DATA_H
#define USER_DATA_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/frame/conf.h"

/*
 * Appends the file that is configured, if one is. *enrols: it is "enrol"; then
 * the text is only tried, since it needs the token of a runner, and so GitLab
 * and runner-tags. What is wrong is an error before money is spent: ERR_CONFIG,
 * or why the file cannot be read.
 */
int user_data_read(const struct conf *conf, const char *build, bool has_gitlab,
    struct buf *text, bool *enrols, struct err *e);

#endif
