#!/usr/bin/python3
"""on_terminal.py COLUMNS COMMAND [ARG...]

Runs a command on a terminal of its own, of that many columns, and prints what
it writes there, byte for byte; "\\n" arrives as "\\r\\n", as at every terminal.
Ends with the status of the command, or with 128 and the number of a signal.
"""
import fcntl
import os
import pty
import struct
import sys
import termios


def main():
    columns = int(sys.argv[1])
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.execvp(sys.argv[2], sys.argv[2:])
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:     # EIO: nobody has the other end open
            break
        if not data:
            break
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(status if status >= 0 else 128 - status)


main()
