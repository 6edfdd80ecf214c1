"""What the registries of crates and of Python packages have in common: a token
that only uploads need, faults, and what a test may ask under /sim/.

A registry is a subclass with is_upload(request), upload(request), and
show(request) for all else; they return an Answer or raise a Refusal. Nothing
is kept when it ends."""

import argparse
import json
import threading
import time

import serve
from faults import Faults
from web import Answer, Refusal

# An occasion is a request where nothing else is said.
TABLE = {
    'down': 'the connection is reset',
    '503': '503, and nothing is done',
    '429': '429 with Retry-After SECONDS (1), and nothing is done',
    # ---- an occasion is an upload
    'upload-503': '503, and nothing is done',
    'upload-lost': 'taken, and the connection is reset',
    'upload-503-after-accept': 'taken, and the answer is 503',
    'upload-raced': 'somebody else has just uploaded the same: a duplicate',
    'unauthorized': 'the token is refused, whatever it is',
    'index-lag': 'taken, and the next SECONDS (2) requests do not see it',
}


class Registry:
    def __init__(self, opts):
        self.options = opts
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.log = serve.Log(opts.log)
        self.faults = Faults(TABLE)
        self.lagging = []       # how many requests, and what comes then
        self.server = serve.Server((opts.address, opts.port), self)
        self.url = 'http://%s:%d' % self.server.server_address

    def answer(self, request, handler):
        if request.words[0] == 'sim':
            return self.control(request)
        self.faults.taken = []
        answer = self.judge(request)
        # neither bodies nor headers: there are tokens in them
        self.log.add(time=time.time(), method=request.method,
                     path=request.path, authorization=self.known(request),
                     status=answer.status if answer.how == 'whole'
                     else answer.how, faults=self.faults.taken,
                     agent=request.headers.get('User-Agent'))
        return answer

    def settled(self):
        pass

    def known(self, request):
        token = self.token_of(request)
        return ('none' if token is None else
                'right' if token == self.options.token else 'wrong')

    def judge(self, request):
        if self.faults.take('down'):
            return Answer(how='reset')
        if self.faults.take('503'):
            return Answer(503, 'down for maintenance\n')
        seconds = self.faults.seconds('429', 1)
        if seconds is not None:
            return Answer(429, 'too many requests\n',
                          {'Retry-After': str(seconds)})
        try:
            if self.is_upload(request):
                return self.judge_upload(request)
            self.catch_up()
            return self.show(request)
        except Refusal as refusal:
            return refusal.answer

    def judge_upload(self, request):
        if self.faults.take('upload-503'):
            return Answer(503, 'down for maintenance\n')
        if self.known(request) != 'right' or self.faults.take('unauthorized'):
            return self.unauthorized(request)
        answer = self.upload(request)
        if self.faults.take('upload-raced'):
            return self.upload(request, is_same=False)
        if self.faults.take('upload-503-after-accept'):
            return Answer(503, 'down for maintenance\n')
        if self.faults.take('upload-lost'):
            return Answer(how='reset')
        return answer

    def later(self, add):
        """Calls ADD, which puts something into the index: now, or as the
        fault says."""
        requests = self.faults.seconds('index-lag', 2)
        if requests is None:
            add()
        else:
            self.lagging.append([requests, add])

    def catch_up(self):
        for entry in list(self.lagging):
            entry[0] -= 1
            if entry[0] < 0:
                self.lagging.remove(entry)
                entry[1]()

    def control(self, request):
        """POST /sim/fault {"name", "count", "seconds"}; GET /sim/state: what
        has been uploaded; GET /sim/log."""
        what = (request.method, '/'.join(request.words[1:]))
        if what == ('POST', 'fault'):
            known = self.faults.switch(**request.json())
            return Answer(200 if known else 404, {})
        if what == ('GET', 'state'):
            return Answer(200, self.state())
        if what == ('GET', 'log'):
            return Answer(200, ''.join(json.dumps(line) + '\n'
                                       for line in self.log.lines))
        return Answer(404, {'error': 'no such control'})


def options(text):
    p = argparse.ArgumentParser(description=text.split('\n\n')[0])
    p.add_argument('--address', default='127.0.0.1')
    p.add_argument('--port', type=int, default=0)
    p.add_argument('--token', default='registry-token')
    p.add_argument('--log', metavar='FILE')
    p.add_argument('--with-parent', action='store_true')
    p.add_argument('--faults', action='store_true',
                   help='say which faults there are, and end')
    return p


def main(registry, parser):
    opts = parser.parse_args()
    if opts.faults:
        for name, text in TABLE.items():
            print('%-32s %s' % (name, text))
        return
    if opts.with_parent and not serve.end_with_parent():
        return
    it = registry(opts)
    serve.run(it, [it.server], opts.with_parent)
