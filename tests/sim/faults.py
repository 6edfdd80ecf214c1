"""Faults by name. One is switched on for the next COUNT occasions, or for ever
(count null), by POST /sim/fault {"name", "count", "seconds", "to"}; count 0
switches it off. What an occasion is stands in the table: a request, a droplet
that is made, or a look (a GET that would have shown the droplet)."""

import threading

import clock


TABLE = {
    # ---- POST /v2/droplets; an occasion is such a request
    'post-500-after-accept': 'the droplet is made, the answer is 500',
    'post-reset-after-accept': 'the droplet is made, the connection is reset',
    'post-502-html-after-accept': 'the droplet is made, the answer is HTML',
    'post-cut-after-accept': 'the droplet is made, half of the answer arrives',
    'post-stall-after-accept': 'the droplet is made, no answer ever comes; the '
                               'clock goes on by SECONDS (2) at a time',
    'post-500-not-made': '500, and there is no droplet',
    'post-reset-not-made': 'the connection is reset, and there is no droplet',
    'post-503-not-made': '503, and there is no droplet',
    'post-slow': 'the droplet is made, the answer takes SECONDS (3)',
    'post-nonsense': '202 and JSON of another shape; the droplet is made',
    'post-not-json': '202 and HTML; the droplet is made',
    'post-try-again': '422 "... Please try again" (coreos/mantle#794)',
    'post-429': '429 with retry-after SECONDS (1), and there is no droplet',
    'limit-422': '422, the droplet limit is reached whatever --limit says',
    # ---- the life of a droplet; an occasion is a droplet made by POST
    'action-errored': 'stays new, its action ends as errored',
    'never-active': 'stays new and locked, its action in progress',
    'droplet-vanishes': '404 for ever after 202, its action errored '
                        '(terraform-provider-digitalocean#1486)',
    'list-lag': 'listings show it after SECONDS (2), GET by id at once',
    'not-yet': 'none is active as long as it lasts, which is until its end',
    'active-off': 'ends up as "off" instead of active',
    'ssh-never': 'active, but port 22 refuses',
    'ssh-no-banner': 'port 22 accepts and stays silent',
    'ssh-nonsense': 'port 22 speaks HTTP',
    'public-only': 'active, with a public address alone',
    'runner-never-online': 'its runner never comes to GitLab',
    # ---- looks; an occasion is a look at a droplet made since the switching
    'get-404-first': 'GET and listings do not know the new droplet yet',
    'no-address': 'active, but v4 is still []',
    # ---- DELETE /v2/droplets/ID; an occasion is such a request
    'delete-422': '422 "Droplet already has a pending event."',
    'delete-new-422': 'the same, as long as the droplet is locked',
    'delete-new-ignored': '204, but nothing happens as long as it is locked',
    'delete-ignored': '204, but nothing happens; the next DELETE works '
                      '(kitchen-digitalocean#40)',
    'delete-slow': '204, and it is there for SECONDS (2) longer',
    'delete-404': '404, and it is gone: somebody else was faster',
    'delete-500': '500, and it stays',
    'delete-500-after-accept': '500, and it goes',
    'delete-reset-after-accept': 'the connection is reset, and it goes',
    # ---- listings of DigitalOcean; an occasion is such a request
    'list-502-html': 'GET /v2/droplets is answered by a proxy, in HTML',
    'list-500': 'GET /v2/droplets is answered with 500',
    'list-nonsense': 'GET /v2/droplets: 200, and JSON of another shape',
    'list-cut': 'GET /v2/droplets: half of the answer arrives',
    'list-reset': 'GET /v2/droplets: the connection is reset',
    'list-together': 'GET /v2/droplets: judged, but answered when the last of '
                     'COUNT has come',
    'page-2-fails': 'every page but the first of any list is a 500',
    # ---- all of DigitalOcean; an occasion is a request
    '429': '429 with retry-after SECONDS (1), the limit of bursts',
    '429-hourly': '429 without retry-after, ratelimit-reset in SECONDS (2)',
    'get-500': 'every GET is answered with 500',
    'get-reset': 'every GET ends in a reset',
    'unauthorized': '401, whatever the token',
    'forbidden': '403, as of a token without the scope',
    'redirect': '302 to TO, else to the same port of 127.0.0.2, which listens',
    'stall': 'read, and never answered; the clock as above',
    'slow': 'every answer takes SECONDS (1)',
    'account-locked': 'the account is locked, and POST droplets gets 403',
    'account-warning': 'the account has the status "warning"',
    # ---- GitLab; an occasion is a request
    'runner-post-500-after-accept': 'the runner is made, the answer is 500',
    'runner-post-reset-after-accept': 'the runner is made, then a reset',
    'runner-post-500-not-made': '500, and there is no runner',
    'runner-post-403': '403, as of a token without create_runner',
    'runner-post-nonsense': '201 without a token; the runner is made',
    'runner-get-500': 'GET of one runner is a 500',
    'runner-list-500': 'the list of runners is a 500',
    'runner-put-500': 'PUT of a runner is a 500',
    'runner-delete-403': 'DELETE is refused: it has more than one project',
    'runner-delete-412': 'DELETE is refused: precondition failed',
    'runner-delete-500': 'DELETE is a 500, and the runner stays',
    'gitlab-down': 'every answer is 503',
    'gitlab-401': '401, whatever the token',
    'gitlab-429': '429 with Retry-After SECONDS (1)',
    'gitlab-stall': 'read, and never answered',
}


class Faults:
    def __init__(self, table=TABLE):    # which faults there are
        self.table = table
        self.on = {}
        self.gates = {}
        self.taken = []     # since the request began, for the log
        self.quiet = False  # the test itself is asking: no fault is for it

    def switch(self, name, count=None, seconds=None, to=None):
        """Switches a fault on, or off with count 0. False: no such fault."""
        if name not in self.table:
            return False
        if count == 0:
            self.on.pop(name, None)
        else:
            self.on[name] = {'name': name, 'count': count, 'to': to,
                             'seconds': seconds, 'since': clock.monotonic()}
        return True

    def since(self, name):
        """When it was switched on (monotonic), or None where it is off."""
        if self.quiet or name not in self.on:
            return None
        return self.on[name]['since']

    def take(self, name):
        """Uses up one occasion: what was said when switching, or None."""
        fault = self.on.get(name)
        if fault is None or self.quiet:
            return None
        if fault['count'] is not None:
            fault['count'] -= 1
            if fault['count'] <= 0:
                del self.on[name]
        self.taken.append(name)
        return fault

    def gate(self, name):
        """As take, but returns an event, which the last occasion sets."""
        fault = self.take(name)
        if fault is None:
            return None
        gate = self.gates.setdefault(name, threading.Event())
        if name not in self.on:
            self.gates.pop(name).set()
        return gate

    def seconds(self, name, default):
        """As take, but returns its seconds; None where it is off."""
        fault = self.take(name)
        if fault is None:
            return None
        return default if fault['seconds'] is None else fault['seconds']
