/*
 * What this process, and every child, may still do: read anywhere that its
 * user may, write only beneath a few directories. Or, sealed, only compute.
 */
#ifndef LIB_SYS_SANDBOX_H
#define LIB_SYS_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

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

/*
 * For a process with one thread that takes hostile bytes apart: from here on
 * it reads descriptor 0, writes 1 and 2, has its memory, and ends; what else it
 * asks of the kernel kills it (SIGSYS), but for opening a file, which fails:
 * libraries look for files that they can do without. Beneath that, it is of
 * the user nobody if it was root, sees no file (Landlock), has bounded memory,
 * and ends with the process `parent`, which must be its parent.
 */
int sandbox_seal(pid_t parent, struct err *e);

/* Says, with -v, what sandbox_seal will have to do without here. */
void sandbox_tell_absent(void);

/*
 * Sanitizers have memory beyond any bound, attach to their own process, and
 * write reports.
 */
bool sandbox_is_sanitized(void);

#endif
