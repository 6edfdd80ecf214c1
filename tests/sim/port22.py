"""Port 22 of every droplet that is up, on addresses of loopback: one thread,
in which the simulated world goes on where nobody asks anything."""

import errno
import selectors
import socket
import sys
import threading

import clock

BANNERS = {'banner': b'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n',
           'silent': b'', 'nonsense': b'HTTP/1.1 400 Bad Request\r\n\r\n'}
TICK = 0.02
SILENCE = 2         # by so much a look at a silent one puts the clock forward


class Port22(threading.Thread):
    def __init__(self, world, lock, port=22):
        super().__init__(daemon=True)
        self.world, self.lock, self.port = world, lock, port
        self.selector = selectors.DefaultSelector()
        self.listening = {}     # address -> socket
        self.guests = {}        # address -> sockets
        self.refused = set()    # where we cannot listen: said once
        self.stopped = threading.Event()
        self.turn = threading.Condition()
        self.looks = 0
        self.bell = socket.socketpair()
        self.selector.register(self.bell[0], selectors.EVENT_READ,
                               lambda bell: bell.recv(4096))

    def run(self):
        while not self.stopped.is_set():
            with self.lock:
                self.world.settle()
                wanted = self.wanted()
            self.follow(wanted)
            with self.turn:
                self.looks += 1
                self.turn.notify_all()
            if any(self.guests[a] for a, ssh in wanted.items()
                   if ssh == 'silent' and a in self.guests):
                clock.advance(SILENCE)
            for key, _ in self.selector.select(TICK):
                key.data(key.fileobj)
        self.follow({})

    def look(self):
        """Returns when it listens where it should by now."""
        with self.turn:
            # the look that is under way may have begun before
            enough = self.looks + 2
            while self.looks < enough and self.is_alive() and \
                    not self.stopped.is_set():
                self.bell[1].send(b'x')
                self.turn.wait(TICK)

    def stop(self):
        self.stopped.set()
        self.join(2)

    def wanted(self):
        now = clock.monotonic()
        return {address: droplet.ssh
                for droplet in self.world.droplets.values()
                if droplet.is_up() and now >= droplet.ssh_at
                and droplet.ssh != 'never'
                for address in droplet.addresses()}

    def follow(self, wanted):
        """Listens where we should, and nowhere else."""
        for address in [a for a in self.listening if a not in wanted]:
            self.close(self.listening.pop(address))
            for guest in self.guests.pop(address, ()):
                self.close(guest)
        for address, banner in wanted.items():
            if address not in self.listening and address not in self.refused:
                self.listen(address, BANNERS[banner])

    def listen(self, address, banner):
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((address, self.port))
            server.listen(16)
        except OSError as e:
            server.close()
            if e.errno in (errno.EACCES, errno.EADDRINUSE):
                self.refused.add(address)
            print('cloud: port %d of %s: %s' % (self.port, address, e.strerror),
                  file=sys.stderr, flush=True)
            return
        server.setblocking(False)
        self.listening[address] = server
        self.guests[address] = set()

        def welcome(socket_):
            try:
                guest, _ = socket_.accept()
            except OSError:
                return
            guest.setblocking(False)
            try:
                guest.send(banner)
            except OSError:
                guest.close()
                return
            self.guests[address].add(guest)
            self.selector.register(guest, selectors.EVENT_READ, listen)

        # What they say is read and dropped, as far as they say anything.
        def listen(guest):
            try:
                if guest.recv(4096):
                    return
            except BlockingIOError:
                return
            except OSError:
                pass
            self.guests[address].discard(guest)
            self.close(guest)

        self.selector.register(server, selectors.EVENT_READ, welcome)

    def close(self, socket_):
        try:
            self.selector.unregister(socket_)
        except (KeyError, ValueError):
            pass
        socket_.close()
