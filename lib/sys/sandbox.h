/*
 * What this process, and every child, may still do: read anywhere that its
 * user may, write only beneath a few directories.
 */
#ifndef LIB_SYS_SANDBOX_H
#define LIB_SYS_SANDBOX_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

/*
 * No new privileges, bounded memory, and, where the kernel has Landlock of
 * ABI 2 or later (5.19), writing only beneath the named directories, those
 * for temporary key rings, and /dev. A directory that does not exist is
 * skipped. With -v a message says if Landlock is absent.
 */
int sandbox_enter(const struct strv *writable, struct err *e);

/* True once sandbox_enter has succeeded, whatever the kernel has of it. */
bool sandbox_is_entered(void);

#endif
