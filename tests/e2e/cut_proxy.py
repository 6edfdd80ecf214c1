#!/usr/bin/python3
"""A line between two TCP ends of loopback, with the faults that lines have.

    cut_proxy.py TARGET-PORT [OPTION...]

Prints "ready PORT". Then, for as long as it runs:

    --cut N        closes a connection once N bytes went to the server on it
    --times K      does so K times, and then no more (default: always)
    --down         once it was cut, the line stays down
    --all          counts all connections together, and closes all at once
    --stall N      passes on nothing more once N bytes went to the server
    --seconds S    how long it stalls (default: until SIGUSR1)
    --clock FILE   a clock that it puts forward while it stalls, and which whoever
                   waits for it has as well (tests/sim/clock.c)
    --delay MS     each direction takes so long
    --log FILE     a line "open" for each connection, and one when it ends, "up
                   down", in bytes, and "cut" where it was; and one "at N" when N
                   is reached
"""
import argparse
import asyncio
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../sim"))
import clock    # noqa: E402

CHUNK = 65536


class Line:
    def __init__(self, options):
        self.options = options
        self.passed = 0         # to the server, by all connections
        self.faults = 0
        self.writers = set()
        self.resumes = 0        # when a stall ends
        self.ticking = None

    def note(self, *words):
        if self.options.log:
            with open(self.options.log, "a") as f:
                print(*words, file=f)

    def is_armed(self):
        o = self.options
        return o.times is None or self.faults < o.times

    # How many more bytes may pass before the fault; None: as many as come.
    def left(self, passed, limit):
        if limit is None or not self.is_armed():
            return None
        return limit - (self.passed if self.options.all else passed)

    async def connection(self, reader, writer):
        if self.options.down and self.faults > 0:
            writer.transport.abort()
            return
        up_down = [0, 0]
        was_cut = [False]
        try:
            server_reader, server_writer = await asyncio.open_connection(
                "127.0.0.1", self.options.target)
        except OSError:
            writer.transport.abort()
            return
        self.note("open")
        pair = (writer, server_writer)
        self.writers.add(pair)
        tasks = [
            asyncio.ensure_future(self.pump(reader, server_writer, up_down, 0,
                                            pair, was_cut)),
            asyncio.ensure_future(self.pump(server_reader, writer, up_down, 1,
                                            pair, was_cut)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await self.hang_up(pair)
        self.note(*up_down, *(["cut"] if was_cut[0] else []))

    # What has passed does arrive; the client hears nothing more.
    async def hang_up(self, pair):
        self.writers.discard(pair)
        client, server = pair
        client.transport.abort()
        server.close()
        try:
            await asyncio.wait_for(server.wait_closed(), 5)
        except (OSError, asyncio.TimeoutError):
            server.transport.abort()

    async def cut(self, pair):
        if pair not in self.writers:
            return              # with another one
        self.faults += 1
        self.note("at", self.passed)
        self.passed = 0
        pairs = list(self.writers) if self.options.all else [pair]
        self.writers.difference_update(pairs)
        await asyncio.gather(*[self.hang_up(each) for each in pairs])

    async def stall(self):
        o = self.options
        if self.resumes == 0:
            self.resumes = clock.monotonic() + (o.seconds or 1e9)
            self.note("at", self.passed)
            self.ticking = asyncio.ensure_future(self.tick())
        while clock.monotonic() < self.resumes:
            await asyncio.sleep(0.05)
        if self.is_armed() and o.stall is not None:
            self.faults += 1
            o.stall = None

    async def tick(self):
        while clock.monotonic() < self.resumes:
            clock.advance(2)
            await asyncio.sleep(0.02)

    def go_on(self):
        self.resumes = min(self.resumes, clock.monotonic())

    async def later(self, writer, queue):
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - clock.monotonic()))
            if data is None:
                return
            writer.write(data)
            await writer.drain()

    async def pump(self, reader, writer, up_down, way, pair, was_cut):
        o = self.options
        # what a line of 100 MiB/s holds, and never much
        queue = asyncio.Queue(2 + int(o.delay * 1.6))
        sender = asyncio.ensure_future(self.later(writer, queue))
        try:
            while not sender.done():
                data = await reader.read(CHUNK)
                if way == 0:
                    left = self.left(up_down[0], o.cut)
                    if left is not None and len(data) >= left:
                        data = data[:max(left, 0)]
                        was_cut[0] = True
                    over = self.left(up_down[0], o.stall)
                    if over is not None and len(data) > over:
                        await self.stall()
                    self.passed += len(data)
                elif data and self.resumes > clock.monotonic():
                    await self.stall()
                up_down[way] += len(data)
                await queue.put((clock.monotonic() + o.delay / 1000,
                                 data or None))
                if way == 0 and was_cut[0]:
                    await asyncio.sleep(o.delay / 1000 + 0.02)
                    await self.cut(pair)
                    return
                if not data:
                    await sender
                    return
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            sender.cancel()


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("target", type=int)
    p.add_argument("--cut", type=int)
    p.add_argument("--times", type=int)
    p.add_argument("--all", action="store_true")
    p.add_argument("--down", action="store_true")
    p.add_argument("--stall", type=int)
    p.add_argument("--seconds", type=float)
    p.add_argument("--delay", type=float, default=0)
    p.add_argument("--clock")
    p.add_argument("--log")
    line = Line(p.parse_args())
    if line.options.clock:
        clock.share(line.options.clock)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, line.go_on)
    server = await asyncio.start_server(line.connection, "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
