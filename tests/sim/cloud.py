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
import fcntl
import resource
import socket
import struct
import threading

import clock
import serve
from control import Control
from api_digitalocean import DigitalOcean
from faults import TABLE, Faults
from api_gitlab import GitLab
from api_gitlab_job import GitLabJob
from machines import World, claim_addresses
from port22 import Port22
from web import Answer


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
    p.add_argument('--clock', metavar='FILE',
                   help='a clock of its own, which clock.c reads there')
    p.add_argument('--boot-seconds', type=float, default=0.5)
    p.add_argument('--ssh-seconds', type=float, default=0.2)
    p.add_argument('--runner-seconds', type=float, default=0.5)
    p.add_argument('--delete-seconds', type=float, default=0.3)
    p.add_argument('--limit', type=int, default=25)
    p.add_argument('--per-minute', type=int, default=250)
    p.add_argument('--per-hour', type=int, default=5000)
    p.add_argument('--keys-per-minute', type=int, default=10)
    p.add_argument('--shared', action='store_true',
                   help='other simulators may be on this loopback as well')
    p.add_argument('--with-parent', action='store_true')
    p.add_argument('--faults', action='store_true',
                   help='say which faults there are, and end')
    return p.parse_args()


class Simulator:
    def __init__(self, opts):
        self.options = opts
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.log = serve.Log(opts.log)
        self.faults = Faults()
        self.world = World(opts, self.faults)
        self.control = Control(self.world, opts, self.log)
        self.apis = {'v2': (DigitalOcean(self.world, opts), opts.token),
                     'api': (GitLab(self.world, opts), opts.gitlab_token),
                     'job': (GitLabJob(opts, self.faults), opts.job_token)}
        self.claim = claim_addresses() if opts.shared else None
        self.port22 = Port22(self.world, self.lock)
        self.servers = [serve.Server(('127.0.0.1', opts.port), self)]
        port = self.servers[0].server_port
        self.servers.append(serve.Server(('127.0.0.2', port), self))

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
        if not quiet:
            self.control.count(request)
            if self.control.strikes('lost', request):
                return Answer(how='reset')
        answer = api.handle(request, token) if api else \
            Answer(404, {'id': 'not_found', 'message': 'no such API'})
        if quiet:
            return answer
        self.control.strikes('done', request)
        known = ('none' if token is None else
                 'right' if token == right else 'wrong')
        self.log.add(
            time=clock.time(), method=request.method, path=request.target,
            status=answer.status if answer.how in ('whole', 'cut')
            else answer.how, body=request.body.decode(errors='replace'),
            authorization=known, faults=self.faults.taken,
            connection='%s:%d' % handler.client_address,
            host=handler.server.server_address[0],
            agent=request.headers.get('User-Agent'))
        return answer

    def settled(self):
        """What is due by now has happened on port 22 as well."""
        self.port22.look()

    def run(self):
        self.port22.start()
        serve.run(self, self.servers, self.options.with_parent)
        self.port22.stop()


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
    if opts.with_parent and not serve.end_with_parent():
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lo_up()
    if opts.clock:
        clock.share(opts.clock)
    Simulator(opts).run()


if __name__ == '__main__':
    main()
