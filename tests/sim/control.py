"""/sim/: how a test switches faults on, plants what others have made, and
reads what there is. It needs no token and is not in the log."""

import calendar
import json
import os
import signal
import time

import catalogue
import clock
import machines
from api_gitlab import GitLab
from web import Answer


def moment(value):
    """Seconds since 1970 of a number, or of a time as the API writes it."""
    if isinstance(value, (int, float)):
        return float(value)
    return float(calendar.timegm(time.strptime(value, '%Y-%m-%dT%H:%M:%SZ')))


def begins(request, text):
    return ('%s %s' % (request.method, request.target)).startswith(text)


class Control:
    def __init__(self, world, options, log):
        self.world, self.options, self.log = world, options, log
        self.gitlab = GitLab(world, options)
        self.strike = None
        self.later = []

    def handle(self, request):
        call = {
            ('POST', 'fault'): self.fault, ('POST', 'droplet'): self.droplet,
            ('POST', 'runner'): self.runner, ('POST', 'image'): self.image,
            ('POST', 'snapshot'): self.image, ('GET', 'state'): self.state,
            ('GET', 'log'): self.lines, ('POST', 'reset'): self.reset,
            ('POST', 'options'): self.set, ('POST', 'pass'): self.pass_time,
            ('POST', 'strike'): self.strike_at, ('POST', 'later'): self.add_later,
        }.get((request.method, '/'.join(request.words[1:])))
        if call is None:
            return Answer(404, {'error': 'no such control'})
        try:
            return call(request.json() if request.body else {})
        except (ValueError, KeyError, TypeError) as e:
            return Answer(400, {'error': repr(e)})

    def fault(self, body):
        if not self.world.faults.switch(**body):
            return Answer(404, {'error': 'no such fault'})
        return Answer(200, {})

    def droplet(self, body):
        """Plants `number` droplets (1); "%d" in the name counts them. `age` in
        seconds, or `created_at`. Many have no port 22, unless `ssh` says so."""
        many = body.pop('number', 1)
        name, ssh = body.pop('name'), body.pop('ssh', many == 1)
        status = body.pop('status', 'active')
        created = clock.time() - body.pop('age', 0)
        if 'created_at' in body:
            created = moment(body.pop('created_at'))
        goods = self.world.catalogue
        image = goods.image(body.pop('image', 'debian-12-x64'))
        region = body.pop('region', 'nyc1')
        made = []
        for n in range(many):
            fields = {'region': region, 'size': 's-1vcpu-1gb', 'image': image,
                      'vpc': goods.default_vpc(region)['id'],
                      'features': ['private_networking', 'droplet_agent'],
                      'locked': status == 'new', **body}
            droplet = self.world.add(
                name % n if '%d' in name else name, status=status,
                created=created, **fields)
            droplet.ssh_at = 0 if ssh else machines.FOREVER
            droplet.runner_at = 0
            made.append(droplet.id)
        return Answer(200, {'ids': made, 'id': made[0]})

    def runner(self, body):
        """Plants a runner. With a status ("online") it keeps that; without,
        it waits for a machine that has its token."""
        if 'created_at' in body:
            body['created'] = moment(body.pop('created_at'))
        if 'age' in body:
            body['created'] = clock.time() - body.pop('age')
        runner = self.gitlab.add(body.pop('description', ''), **body)
        return Answer(200, {'id': runner['id'], 'token': runner['token']})

    def image(self, body):
        """Plants a private image, a snapshot unless its `type` says otherwise;
        with a `slug` it is a public one."""
        regions = body.pop('regions', list(catalogue.EVERYWHERE))
        if body.get('slug'):
            body = {'public': True, 'type': 'base', **body}
        image = self.world.snapshot(body.pop('name'), regions, **body)
        return Answer(200, {'id': image['id']})

    def pass_time(self, body):
        clock.advance(body['seconds'])
        self.world.settle()
        return Answer(200, {'time': clock.time()})

    def add_later(self, body):
        """Before request number `at` from now on, of those that begin with
        `request` ("GET /v2/droplets"), `fault` is switched, and all droplets
        that are active are deleted where `delete` is true."""
        self.later.append({'request': '', 'delete': False, **body})
        return Answer(200, {})

    def count(self, request):
        for later in list(self.later):
            later['at'] -= begins(request, later['request'])
            if later['at'] > 0:
                continue
            self.later.remove(later)
            self.world.faults.switch(**later['fault'])
            for droplet in self.world.living():
                if later['delete'] and droplet.status == 'active':
                    self.world.delete(droplet)

    def strike_at(self, body):
        """Whose pid is in `file` gets `signal` at its request number `at` from
        now on, of those that begin with `request`: `when` that is "done" and
        not yet answered, or is "lost": not done, and for KILL never answered.
        """
        self.strike = {'left': body['at'], 'file': body['file'],
                       'when': body['when'], 'request': body['request'],
                       'signal': signal.Signals['SIG' + body['signal']]}
        return Answer(200, {})

    def strikes(self, when, request):
        """Called twice for a request. True: it is as if it had not come."""
        strike = self.strike
        if strike is None or strike['when'] != when:
            return False
        strike['left'] -= begins(request, strike['request'])
        if strike['left'] > 0:
            return False
        self.strike = None
        with open(strike['file'], encoding='ascii') as f:
            os.kill(int(f.read()), strike['signal'])
        return when == 'lost' and strike['signal'] == signal.SIGKILL

    def state(self, body):
        """Every droplet and runner that ever was."""
        droplets = [{
            'id': d.id, 'name': d.name, 'status': d.status, 'tags': d.tags,
            'size': d.size, 'region': d.region, 'image': d.image['id'],
            'locked': d.locked, 'living': not d.gone and not d.hidden,
            'hidden': d.hidden, 'gone': d.gone, 'deletes': d.deletes,
            'planted': d.body is None, 'user_data': d.user_data, 'vpc': d.vpc,
            'ssh_keys': d.ssh_keys, 'private': d.address('private'),
            'public': d.address('public'), 'body': d.body,
            'created_at': catalogue.stamp(d.created),
        } for d in self.world.droplets.values()]
        runners = [{**self.gitlab.show_details(r), 'token': r['token'],
                    'living': r['id'] in self.world.runners}
                   for r in self.world.runners_ever.values()]
        return Answer(200, {'droplets': droplets, 'runners': runners,
                            'faults': list(self.world.faults.on.values())})

    def lines(self, body):
        return Answer(200, ''.join(json.dumps(line) + '\n'
                                   for line in self.log.lines),
                      {'Content-Type': 'application/x-ndjson'})

    def set(self, body):
        """Changes options of the command line: {"limit": 2}."""
        for key in body:
            if not hasattr(self.options, key):
                raise KeyError(key)
        vars(self.options).update(body)
        return Answer(200, {})

    def reset(self, body):
        self.world.reset()
        self.world.faults.on.clear()
        self.log.lines.clear()
        return Answer(200, {})
