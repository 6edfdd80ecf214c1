#!/usr/bin/python3 -B
"""A DigitalOcean and a GitLab on loopback, with machines whose port 22 can be
reached, for the tests of build-machine-ctl.

    cloud.py [--port N] [--token T] [--gitlab-token T] [--log FILE] ...

Prints "ready http://127.0.0.1:PORT" when it listens; ends on TERM, and with
--with-parent when the process that started it is gone. It wants a network
namespace of its own (unshare -n, or unshare -rn), in which it sets lo up and
may listen on port 22 of 127.30.x.y (private) and 127.31.x.y (public).

/v2/ is DigitalOcean (api_digitalocean.py), /api/v4/ GitLab (api_gitlab.py, and
api_gitlab_job.py for a job's own token) and /sim/ is for the test (control.py); faults.py names what can go wrong. The same
server also listens on 127.0.0.2, which nobody has been told of: a token that
is seen there has been given away."""

import argparse
import ctypes
import fcntl
import http.server
import json
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
import traceback

from control import Control
from api_digitalocean import DigitalOcean
from faults import TABLE, Faults
from api_gitlab import GitLab
from api_gitlab_job import GitLabJob
from machines import World
from port22 import Port22
from web import Answer, Request

PR_SET_PDEATHSIG = 1
BODY_MOST = 8 << 20


def options():
    p = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    p.add_argument('--port', type=int, default=0)
    p.add_argument('--token', default='dop_v1_test')
    p.add_argument('--gitlab-token', default='glpat-test')
    p.add_argument('--gitlab-scopes', default='create_runner,manage_runner,'
                   'read_api')
    p.add_argument('--project', type=int, default=42)
    p.add_argument('--job-token', default='glcbt-test')
    p.add_argument('--secure-files', metavar='DIR')
    p.add_argument('--log', metavar='FILE')
    p.add_argument('--boot-seconds', type=float, default=0.5)
    p.add_argument('--ssh-seconds', type=float, default=0.2)
    p.add_argument('--runner-seconds', type=float, default=0.5)
    p.add_argument('--delete-seconds', type=float, default=0.3)
    p.add_argument('--limit', type=int, default=25)
    p.add_argument('--per-minute', type=int, default=250)
    p.add_argument('--minute-seconds', type=float, default=60)
    p.add_argument('--per-hour', type=int, default=5000)
    p.add_argument('--keys-per-minute', type=int, default=10)
    p.add_argument('--with-parent', action='store_true')
    p.add_argument('--faults', action='store_true',
                   help='say which faults there are, and end')
    return p.parse_args()


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
        return 'cloud'

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
        return self.send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do

    def send(self, answer):
        if answer.delay and self.server.sim.stopping.wait(answer.delay):
            return
        if answer.how == 'stall':
            self.stall()
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

    def stall(self):
        """Until the client gives up, or we do."""
        self.connection.settimeout(0.2)
        while not self.server.sim.stopping.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                pass
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


class Simulator:
    def __init__(self, opts):
        self.options = opts
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.log = Log(opts.log)
        self.faults = Faults()
        self.world = World(opts, self.faults)
        self.control = Control(self.world, opts, self.log)
        self.apis = {'v2': (DigitalOcean(self.world, opts), opts.token),
                     'api': (GitLab(self.world, opts), opts.gitlab_token),
                     'job': (GitLabJob(opts, self.faults), opts.job_token)}
        self.port22 = Port22(self.world, self.lock)
        self.servers = [Server(('127.0.0.1', opts.port), self)]
        port = self.servers[0].server_port
        self.servers.append(Server(('127.0.0.2', port), self))

    def answer(self, request, handler):
        self.world.settle()
        if request.words[0] == 'sim':
            return self.control.handle(request)
        kind = request.words[0]
        if kind == 'api' and 'JOB-TOKEN' in request.headers:
            kind = 'job'
        api, right = self.apis.get(kind, (None, None))
        token = token_of(request)
        # A test that wants to know what there is: no fault, limit or log
        quiet = self.faults.quiet = 'X-Judge' in request.headers
        self.faults.taken = []
        answer = api.handle(request, token) if api else \
            Answer(404, {'id': 'not_found', 'message': 'no such API'})
        if quiet:
            return answer
        known = ('none' if token is None else
                 'right' if token == right else 'wrong')
        self.log.add(
            time=time.time(), method=request.method, path=request.target,
            status=answer.status if answer.how in ('whole', 'cut')
            else answer.how, body=request.body.decode(errors='replace'),
            authorization=known, faults=self.faults.taken,
            connection='%s:%d' % handler.client_address,
            host=handler.server.server_address[0],
            agent=request.headers.get('User-Agent'))
        return answer

    def run(self):
        self.port22.start()
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.1,),
                             daemon=True).start()
        print('ready http://127.0.0.1:%d' % self.servers[0].server_port,
              flush=True)
        parent = os.getppid()
        while not self.stopping.wait(0.25):
            if self.options.with_parent and os.getppid() != parent:
                break
        self.stopping.set()
        self.port22.stop()
        for server in self.servers:
            server.shutdown()
            server.server_close()


def token_of(request):
    """DigitalOcean's header, GitLab's two, or None."""
    kind, _, token = request.headers.get('Authorization', '').partition(' ')
    if kind.lower() == 'bearer':
        return token.strip()
    return request.headers.get('PRIVATE-TOKEN',
                               request.headers.get('JOB-TOKEN'))


def lo_up():
    """In a new network namespace lo is down, and ip(8) need not be there."""
    get_flags, set_flags, up = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        ifreq = struct.pack('16sh22x', b'lo', 0)
        flags, = struct.unpack_from('16xh', fcntl.ioctl(s, get_flags, ifreq))
        if not flags & up:
            fcntl.ioctl(s, set_flags, struct.pack('16sh22x', b'lo', flags | up))


def main():
    opts = options()
    if opts.faults:
        for name, text in TABLE.items():
            print('%-32s %s' % (name, text))
        return
    if opts.with_parent:
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lo_up()
    sim = Simulator(opts)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sim.stopping.set())
    sim.run()


if __name__ == '__main__':
    main()
