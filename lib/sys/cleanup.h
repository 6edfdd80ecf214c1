/*
 * Signals. The first INT, TERM or HUP sets a flag; loops that copy, poll or
 * wait ask cleanup_check() and fail with ERR_SIGNAL, so that the ordinary
 * way out removes what was half made. A second one ends the process at once:
 * what it leaves is in directories that the next run clears.
 */
#ifndef LIB_SYS_CLEANUP_H
#define LIB_SYS_CLEANUP_H

#include "lib/base/err.h"

/*
 * Installs the handlers, and undoes what a careless parent has left us: no
 * signal is blocked, and SIGCHLD is not ignored, which would take from us how
 * our children ended. INT, TERM and HUP stay ignored where they are (nohup).
 * SIGPIPE does nothing, so that writes say EPIPE; programs that we start get
 * its default action.
 */
void cleanup_start(void);

/* 0, or -1 with ERR_SIGNAL after a signal came. Any thread may ask. */
int cleanup_check(struct err *e);

/*
 * The signal has been heard, and tidying up begins: from here on
 * cleanup_check() returns 0, so that what tidies can wait for answers. A
 * second signal still ends the process at once, and cleanup_die_by_signal
 * still knows the first.
 */
void cleanup_tidy(void);

/* Ends the process by the signal that came; returns where none did. */
void cleanup_die_by_signal(void);

#endif
