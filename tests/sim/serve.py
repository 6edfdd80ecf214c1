"""What every simulator stands on: a log, an HTTP server whose answers can go
wrong, and a life that ends on TERM, or with the process that started it.

A simulator has `lock`, `stopping`, answer(request, handler) -> Answer, and
settled(), which is called before an answer is sent; serve.run(simulator,
servers, with_parent) returns when it is to end."""

import ctypes
import http.server
import json
import os
import signal
import socket
import struct
import sys
import threading
import traceback

import clock
from web import Answer, Request

PR_SET_PDEATHSIG = 1
BODY_MOST = 8 << 20


class Log:
    def __init__(self, path):
        self.lines = []
        self.file = open(path, 'a', encoding='utf-8') if path else None

    def add(self, **line):
        self.lines.append(line)
        if self.file:
            self.file.write(json.dumps(line) + '\n')
            self.file.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    # One segment for head and body: else Nagle and delayed acknowledgements
    # make every answer take 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True

    def version_string(self):
        return 'simulator'

    def log_message(self, format, *args):
        pass

    def handle_expect_100(self):
        super().handle_expect_100()
        self.wfile.flush()      # which nothing else does: it is buffered
        return True

    def do(self):
        try:
            length = int(self.headers.get('Content-Length', '0'))
        except ValueError:
            length = BODY_MOST + 1
        if length > BODY_MOST:
            self.close_connection = True
            return self.send(Answer(413))
        if 'chunked' in self.headers.get('Transfer-Encoding', ''):
            self.close_connection = True
            return self.send(Answer(411))
        request = Request(self.command, self.path, self.headers,
                          self.rfile.read(length), self.server.server_port)
        try:
            with self.server.sim.lock:
                answer = self.server.sim.answer(request, self)
        except Exception:
            traceback.print_exc()
            answer = Answer(599, 'the simulator is wrong\n')
        self.server.sim.settled()
        return self.send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do

    def send(self, answer):
        while answer.gate and not answer.gate.wait(0.1):
            if self.server.sim.stopping.is_set():
                return
        if answer.delay and clock.wait(answer.delay, self.server.sim.stopping):
            return
        if answer.how == 'stall':
            self.stall(answer.pace)
        if answer.how in ('stall', 'reset'):
            self.close_connection = True
            self.server.to_reset.add(self.connection)
            return
        body = answer.bytes()
        headers = {'Content-Type': 'application/json; charset=utf-8',
                   **answer.headers}
        if answer.status != 204:
            headers['Content-Length'] = str(len(body))
        if self.close_connection or answer.how == 'cut':
            headers['Connection'] = 'close'
        self.send_response(answer.status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != 'HEAD' and answer.status != 204:
            self.wfile.write(body[:len(body) // 2] if answer.how == 'cut'
                             else body)
        self.wfile.flush()
        if answer.how == 'cut':
            self.close_connection = True

    def stall(self, pace):
        """Until the client gives up, or we do."""
        self.connection.settimeout(0.02)
        while not self.server.sim.stopping.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                clock.advance(pace)
            except OSError:
                return


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address, sim):
        self.sim = sim
        self.to_reset = set()
        self.serial = 0
        super().__init__(address, Handler)

    def shutdown_request(self, request):
        # A FIN before it would make an orderly end of what is to be a reset.
        if request in self.to_reset:
            self.to_reset.discard(request)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack('ii', 1, 0))
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Clients go away: that is what they are tested for."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def end_with_parent():
    """True, unless the parent has ended already."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


def run(sim, servers, with_parent):
    """Says that it is ready, and serves until it is told to stop."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sim.stopping.set())
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.1,),
                         daemon=True).start()
    print('ready http://%s:%d' % servers[0].server_address, flush=True)
    parent = os.getppid()
    while not sim.stopping.wait(0.25):
        if with_parent and os.getppid() != parent:
            break
    sim.stopping.set()
    for server in servers:
        server.shutdown()
        server.server_close()
