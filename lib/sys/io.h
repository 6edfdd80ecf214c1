/*
 * Reading and writing what may keep us waiting: pipes, fifos, sockets and
 * terminals, as well as files. A signal that comes meanwhile ends the wait.
 *
 * The name is for the message ("read 'NAME': ..."); NULL where the caller
 * wraps it with a name of its own.
 */
#ifndef LIB_SYS_IO_H
#define LIB_SYS_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/base/err.h"

/*
 * Reads at most n bytes as soon as there are any. Returns how many, 0 at the
 * end, or -1: ERR_SIGNAL after a signal, which is asked for at every call, so
 * that a loop over a large file ends, too. The descriptor may be O_NONBLOCK;
 * a fifo that was opened like that is waited for until it has had a writer.
 */
ssize_t io_read(int fd, void *data, size_t n, const char *name,
    struct err *e);

/*
 * Writes all n bytes. Asks for signals where it may have to wait; a regular
 * file is written whatever came, because what tidies up writes files, too.
 */
int io_write(int fd, const void *data, size_t n, const char *name,
    struct err *e);

#endif
