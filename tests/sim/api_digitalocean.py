"""DigitalOcean's API, version 2, as far as droplets need it. Answers have the
shapes of its specification; statuses and sentences that it does not list are
those which users have quoted."""

import copy
import re

import clock
import droplet_body
from api_goods import Goods
from limits import Limits
from machines import FOREVER
from shapes import (API, body_of, error, listing, not_found, refuse,
                    server_error, show_action, show_droplet, too_many,
                    unprocessable)
from web import HTML_502, Answer, Refusal, request_id

PENDING = 'Droplet already has a pending event.'
ACTIONS = {'shutdown': 'off', 'power_off': 'off', 'power_on': 'active',
           'power_cycle': 'active', 'reboot': 'active', 'snapshot': None,
           'rename': None, 'enable_ipv6': None}


class DigitalOcean:
    def __init__(self, world, options):
        self.world, self.options = world, options
        self.faults = world.faults
        self.limits = Limits(options)
        goods = self.goods = Goods(world, options)
        i = r'(\d+)'
        self.routes = [(method, re.compile('/v2/' + path + '/?'), call)
                       for method, path, call in (
            ('POST', 'droplets', self.create),
            ('GET', 'droplets', self.droplets),
            ('DELETE', 'droplets', self.delete_tagged),
            ('GET', 'droplets/' + i, self.droplet),
            ('DELETE', 'droplets/' + i, self.delete),
            ('GET', 'droplets/%s/actions' % i, self.droplet_actions),
            ('POST', 'droplets/%s/actions' % i, self.act),
            ('GET', 'droplets/%s/actions/%s' % (i, i), self.droplet_action),
            ('GET', 'actions/' + i, self.action),
            ('GET', 'account', goods.account),
            ('GET', 'account/keys', goods.keys),
            ('GET', 'account/keys/([^/]+)', goods.key),
            ('GET', 'images', goods.images),
            ('GET', 'images/([^/]+)', goods.image),
            ('GET', 'snapshots', goods.snapshots),
            ('GET', 'sizes', goods.sizes),
            ('GET', 'regions', goods.regions),
            ('GET', 'vpcs', goods.vpcs),
            ('GET', 'vpcs/([^/]+)', goods.vpc),
            ('GET', 'tags', goods.tags),
            ('POST', 'tags', goods.tag_create),
            ('GET', 'tags/([^/]+)', goods.tag))]

    def handle(self, request, token):
        headers, refusal = {}, None
        if not self.faults.quiet:
            headers, refusal = self.limits.judge(token, request)
        try:
            answer = self.before(request, token, refusal) or \
                self.route(request)
        except Refusal as e:
            answer = e.answer
        slow = self.faults.seconds('slow', 1)
        if slow is not None:
            answer.delay += slow
        answer.headers = {**headers, 'x-request-id': request_id(),
                          **answer.headers}
        return answer

    def before(self, request, token, refusal):
        """What comes instead of an answer, for any request."""
        take = self.faults.take
        fault = take('redirect')
        if fault:
            to = fault['to'] or 'http://127.0.0.2:%d' % request.port
            return Answer(302, None, {'Location': to + request.target})
        pace = self.faults.seconds('stall', 2)
        if pace is not None:
            return Answer(how='stall', pace=pace)
        if take('unauthorized') or token != self.options.token:
            return error(401, 'unauthorized', 'Unable to authenticate you.')
        if take('forbidden'):
            return error(403, 'forbidden', 'You do not have access for the '
                         'attempted action.')
        if refusal:
            return refusal
        seconds = self.faults.seconds('429', 1)
        if seconds is not None:
            return too_many(retry_after=seconds)
        seconds = self.faults.seconds('429-hourly', 2)
        if seconds is not None:
            answer = too_many()
            answer.headers.update({
                'ratelimit-remaining': '0',
                'ratelimit-reset': str(int(clock.time() + seconds + 0.999))})
            return answer
        return self.before_get(request) if request.method == 'GET' else None

    def before_get(self, request):
        take = self.faults.take
        if take('get-500'):
            return server_error()
        if take('get-reset'):
            return Answer(how='reset')
        if request.query.get('page', '1') != '1' and take('page-2-fails'):
            return server_error()
        return None

    def route(self, request):
        path_known = False
        for method, path, call in self.routes:
            match = path.fullmatch(request.path)
            if match and method == request.method:
                return call(request, *match.groups())
            path_known = path_known or match
        if path_known:
            refuse(405, 'method_not_allowed', 'Method not allowed.')
        return not_found()

    # ---------------------------------------------------------- creating

    def create(self, request):
        fault = self.faults.take
        if fault('post-500-not-made'):
            return server_error()
        if fault('post-503-not-made'):
            return error(503, 'service_unavailable', 'Server Unavailable')
        if fault('post-reset-not-made'):
            return Answer(how='reset')
        if fault('post-try-again'):
            unprocessable('There was a problem creating your Droplet. '
                          'Please try again')
        seconds = self.faults.seconds('post-429', 1)
        if seconds is not None:
            return too_many(retry_after=seconds)
        if self.goods.account_status() == 'locked':
            refuse(403, 'forbidden', 'Your account is locked.')
        answer = self.create_right(request)
        return self.create_wrong(answer)

    def create_right(self, request):
        body = body_of(request)
        try:
            names, fields = droplet_body.judge(body, self.world.catalogue)
        except droplet_body.Wrong as e:
            unprocessable(str(e))
        room = self.options.limit - len(self.world.living())
        if self.faults.take('limit-422') or len(names) > room:
            unprocessable('creating this/these droplet(s) will exceed your '
                          'droplet limit')
        made = [self.world.add(name, body=body, **fields) for name in names]
        actions = [self.world.boot(droplet) for droplet in made]
        shown = [show_droplet(self.world, droplet) for droplet in made]
        href = API + '/v2/actions/%d'
        made_by = {'actions': [
            {'id': a.id, 'rel': 'create', 'href': href % a.id}
            for a in actions]}
        if 'names' in body:
            return Answer(202, {'droplets': shown, 'links': made_by})
        return Answer(202, {'droplet': shown[0], 'links': made_by})

    def create_wrong(self, answer):
        """The droplet is there. Whether the client learns it is the question:
        doctl POSTs again on any 5xx or reset (go-retryablehttp's default)."""
        fault = self.faults.take
        if fault('post-500-after-accept'):
            return server_error()
        if fault('post-reset-after-accept'):
            return Answer(how='reset')
        if fault('post-502-html-after-accept'):
            return copy.deepcopy(HTML_502)
        pace = self.faults.seconds('post-stall-after-accept', 2)
        if pace is not None:
            return Answer(how='stall', pace=pace)
        if fault('post-cut-after-accept'):
            answer.how = 'cut'
        if fault('post-nonsense'):
            answer.body = {'droplet': [], 'links': None}
        if fault('post-not-json'):
            answer.body = HTML_502.body
        seconds = self.faults.seconds('post-slow', 3)
        if seconds is not None:
            answer.delay += seconds
        return answer

    # ----------------------------------------------------------- looking

    def look(self, droplets):
        """What a look at these shows: not those that are not known yet. Also
        returns those whose addresses are not known yet."""
        def new(fault):
            since = self.faults.since(fault)
            return [] if since is None else [
                d for d in droplets if d.body is not None and d.made >= since]

        hidden = new('get-404-first')
        if hidden:
            self.faults.take('get-404-first')
            return [d for d in droplets if d not in hidden], []
        bare = [d for d in new('no-address') if d.status == 'active']
        if bare:
            self.faults.take('no-address')
        return droplets, bare

    def droplets(self, request):
        early = self.before_list()
        if early:
            return early
        query = request.query
        tag, name, kind = (query.get(k) for k in ('tag_name', 'name', 'type'))
        if tag is not None and (name is not None or kind is not None):
            unprocessable('tag_name cannot be combined with name or type')
        if kind not in (None, 'droplets', 'gpus'):
            unprocessable('type must be droplets or gpus')
        now = FOREVER if self.faults.quiet else clock.monotonic()
        # GPU droplets are listed with type=gpus alone
        found = [d for d in self.world.living() if now >= d.listed_at and
                 d.size.startswith('gpu-') == (kind == 'gpus')]
        if tag is not None:     # in the canonical case only
            found = [d for d in found if tag in d.tags]
        if name is not None:    # exactly, but without regard to case
            found = [d for d in found if d.name.lower() == name.lower()]
        found, bare = self.look(found)
        answer = listing(request, 'droplets', found,
                         lambda d: show_droplet(self.world, d, d in bare))
        if self.faults.take('list-cut'):
            answer.how = 'cut'
        answer.gate = self.faults.gate('list-together')
        return answer

    def before_list(self):
        if self.faults.take('list-502-html'):
            return copy.deepcopy(HTML_502)
        if self.faults.take('list-500'):
            return server_error()
        if self.faults.take('list-nonsense'):
            return Answer(200, {'droplets': {'id': 'none'}, 'meta': []})
        if self.faults.take('list-reset'):
            return Answer(how='reset')
        return None

    def find(self, droplet_id):
        return self.world.find(int(droplet_id)) or not_found()

    def droplet(self, request, droplet_id):
        found, bare = self.look([self.find(droplet_id)])
        if not found:
            not_found()
        return Answer(200, {
            'droplet': show_droplet(self.world, found[0], bool(bare))})

    # ---------------------------------------------------------- deleting

    def delete(self, request, droplet_id):
        take = self.faults.take
        droplet = self.find(droplet_id)
        if take('delete-500'):
            return server_error()
        if take('delete-422') or droplet.locked and take('delete-new-422'):
            unprocessable(PENDING)
        if take('delete-ignored') or \
                droplet.locked and take('delete-new-ignored'):
            return self.deleted()
        if take('delete-404'):
            droplet.gone = True
            not_found()
        self.world.delete(droplet, self.faults.seconds('delete-slow', 2) or 0)
        if take('delete-500-after-accept'):
            return server_error()
        if take('delete-reset-after-accept'):
            return Answer(how='reset')
        return self.deleted()

    def deleted(self):
        # no body, and yet a type: shared/responses/no_content_with_content_type
        return Answer(204)

    def delete_tagged(self, request):
        tag = request.query.get('tag_name')
        if not tag:
            unprocessable('tag_name is missing')
        if tag not in self.world.tags:
            not_found()
        for droplet in self.world.living():
            if tag in droplet.tags:
                self.world.delete(droplet)
        return self.deleted()

    # ----------------------------------------------------------- actions

    def actions_of(self, droplet_id):
        return [a for a in self.world.actions.values()
                if a.droplet == int(droplet_id)]

    def droplet_actions(self, request, droplet_id):
        self.find(droplet_id)
        return listing(request, 'actions', self.actions_of(droplet_id)[::-1],
                       lambda a: show_action(self.world, a))

    def droplet_action(self, request, droplet_id, action_id):
        self.find(droplet_id)
        if int(action_id) not in [a.id for a in self.actions_of(droplet_id)]:
            not_found()
        return self.action(request, action_id)

    def action(self, request, action_id):
        action = self.world.actions.get(int(action_id)) or not_found()
        return Answer(200, {'action': show_action(self.world, action)})

    def act(self, request, droplet_id):
        droplet, body = self.find(droplet_id), body_of(request)
        kind = body.get('type')
        if kind not in ACTIONS:
            unprocessable('invalid action type')
        if droplet.locked:
            unprocessable(PENDING)
        action = self.world.act(droplet, kind, self.options.boot_seconds)
        droplet.locked = True

        def then():
            droplet.locked = False
            droplet.status = ACTIONS[kind] or droplet.status
            if kind == 'rename':
                droplet.name = str(body.get('name'))
            if kind == 'snapshot':
                size = self.world.catalogue.sizes[droplet.size]
                self.world.snapshot(
                    str(body.get('name', droplet.name)), [droplet.region],
                    min_disk_size=size['disk'])

        action.then = then
        return Answer(201, {'action': show_action(self.world, action)})
