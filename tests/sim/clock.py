"""The time of a simulator: the real one, or with share() a clock that the
program that is tested has as well, by clock.c. It goes SLOWER times more slowly
than the real one, and is put forward: there by who sleeps, here by advance().
So what takes long is over at once, and no slow machine makes it late."""

import mmap
import struct
import threading
import time as real

SLOWER = 20     # clock.c has the same
LAYOUT = struct.Struct('qqqq')      # began, date, slept, passed

_shared = None
_lock = threading.Lock()


def share(path):
    global _shared
    with open(path, 'w+b') as f:
        f.write(LAYOUT.pack(real.monotonic_ns(), real.time_ns(), 0, 0))
        f.flush()
        _shared = mmap.mmap(f.fileno(), LAYOUT.size)


def _elapsed():
    began, _, slept, passed = LAYOUT.unpack_from(_shared)
    return (real.monotonic_ns() - began) // SLOWER + slept + passed


def monotonic():
    if _shared is None:
        return real.monotonic()
    return (LAYOUT.unpack_from(_shared)[0] + _elapsed()) / 1e9


def time():
    if _shared is None:
        return real.time()
    return (LAYOUT.unpack_from(_shared)[1] + _elapsed()) / 1e9


def advance(seconds):
    """Puts it forward; the real one cannot be."""
    if _shared is None:
        return
    with _lock:
        passed, = struct.unpack_from('q', _shared, 24)
        struct.pack_into('q', _shared, 24, passed + int(seconds * 1e9))


def wait(seconds, stopping):
    """Until so much later; true where the event came first."""
    if _shared is None:
        return stopping.wait(seconds)
    advance(seconds)
    return stopping.is_set()
