"""Droplets and their actions as time goes by. Each droplet knows the moments
at which something happens to it; `settle` makes happen what is due. It is
called before each request, and by a clock that also minds port 22."""

import dataclasses
import random
import socket
import typing

import catalogue
import clock

FOREVER = float('inf')

# 64 bits, so that nobody gets away with 32 (actions were beyond 2^30 in 2021,
# Gamocosm#138)
FIRST_ID = (1 << 32) + 512


@dataclasses.dataclass
class Action:
    id: int
    kind: str
    droplet: int
    region: str
    status: str = 'in-progress'
    started: float = dataclasses.field(default_factory=clock.time)
    completed: float = None
    due: float = FOREVER        # monotonic
    ends_as: str = 'completed'
    then: object = None         # called once, when it has completed


@dataclasses.dataclass
class Droplet:
    id: int
    number: int                 # counts from 1: its addresses
    name: str
    region: str
    size: str
    image: dict
    tags: list
    status: str = 'new'
    locked: bool = True
    user_data: str = None
    vpc: str = None
    ipv6: bool = False
    public: bool = True
    private: bool = True
    features: list = dataclasses.field(default_factory=list)
    ssh_keys: list = dataclasses.field(default_factory=list)
    created: float = dataclasses.field(default_factory=clock.time)
    body: dict = None           # of the POST that made it; None: planted
    # monotonic moments
    made: float = dataclasses.field(default_factory=clock.monotonic)
    active_at: float = FOREVER
    becomes: str = 'active'
    listed_at: float = 0
    ssh_at: float = FOREVER
    ssh: str = 'banner'         # or 'silent', 'nonsense', 'never'
    runner_at: float = FOREVER
    gone_at: float = FOREVER
    gone: bool = False          # the API does not know it any longer
    hidden: bool = False        # droplet-vanishes
    deletes: int = 0            # DELETEs that were answered 204

    net: typing.ClassVar[int] = 0       # the first of the third octets

    def address(self, kind):
        return '127.%d.%d.%d' % (30 if kind == 'private' else 31,
                                 self.net + self.number // 250,
                                 self.number % 250 + 1)

    def is_up(self):
        return self.status == 'active' and not self.gone and not self.hidden

    def addresses(self):
        kinds = (('private', self.private), ('public', self.public))
        return [self.address(kind) for kind, has in kinds if has]


def claim_addresses():
    """Where loopback is not ours alone: addresses that no other simulator on it
    has, for the first thousand droplets. A socket says that they are taken."""
    others = list(range(4, 250, 4))
    random.shuffle(others)
    for net in [0] + others:
        claim = socket.socket()
        try:
            claim.bind(('127.30.%d.254' % net, 22))
            claim.listen()
        except OSError:
            claim.close()
            continue
        Droplet.net = net
        return claim
    return None


class World:
    def __init__(self, options, faults):
        self.options = options
        self.faults = faults
        self.reset()

    def reset(self):
        self.catalogue = catalogue.Catalogue()
        self.droplets = {}      # all that ever were
        self.actions = {}
        self.tags = {}          # canonical name -> True; case-stable
        self.runners = {}
        self.runners_ever = {}  # also those that were deleted
        self.next_number = 1
        self.next_action = FIRST_ID * 2
        self.next_image = 160000000

    # ------------------------------------------------------------ looking

    def living(self):
        """What the API knows, oldest first."""
        return [d for d in self.droplets.values()
                if not d.gone and not d.hidden]

    def find(self, droplet_id):
        droplet = self.droplets.get(droplet_id)
        if droplet is None or droplet.gone or droplet.hidden:
            return None
        return droplet

    def canonical(self, tag):
        """A tag keeps the case in which it was first used."""
        for known in self.tags:
            if known.lower() == tag.lower():
                return known
        self.tags[tag] = True
        return tag

    # ------------------------------------------------------------- making

    def add(self, name, **fields):
        tags = fields.pop('tags', None) or []
        canonical = list(dict.fromkeys(self.canonical(tag) for tag in tags))
        # ids are not handed out one after the other
        number = self.next_number
        self.next_number += 1
        droplet_id = fields.pop('id', None) or FIRST_ID + number * 17
        droplet = Droplet(droplet_id, number, name, tags=canonical, **fields)
        self.droplets[droplet.id] = droplet
        return droplet

    def act(self, droplet, kind, seconds):
        action = Action(self.next_action, kind, droplet.id, droplet.region)
        action.due = clock.monotonic() + seconds
        self.next_action += 3
        self.actions[action.id] = action
        return action

    def boot(self, droplet):
        """The life of a new droplet, with the faults that befall it."""
        seconds = self.options.boot_seconds
        now = clock.monotonic()
        take = self.faults.take
        action = self.act(droplet, 'create', seconds)
        droplet.active_at = now + seconds
        if take('action-errored'):
            droplet.active_at, action.ends_as = FOREVER, 'errored'
        if take('never-active'):
            droplet.active_at = action.due = FOREVER
        if take('droplet-vanishes'):
            droplet.hidden, action.ends_as = True, 'errored'
        if take('active-off'):
            droplet.becomes = 'off'
        if take('public-only'):
            droplet.private = False
        lag = self.faults.seconds('list-lag', 2)
        if lag is not None:
            droplet.listed_at = now + lag
        for fault, ssh in (('ssh-never', 'never'), ('ssh-no-banner', 'silent'),
                           ('ssh-nonsense', 'nonsense')):
            if take(fault):
                droplet.ssh = ssh
        droplet.runner_at = 0
        if take('runner-never-online'):
            droplet.runner_at = FOREVER
        return action

    def delete(self, droplet, more=0):
        """Asynchronous: known for some seconds after the 204 (godo#146)."""
        droplet.deletes += 1
        droplet.gone_at = min(droplet.gone_at, clock.monotonic() +
                              self.options.delete_seconds + more)

    def snapshot(self, name, regions, **more):
        number = more.pop('id', None) or self.next_image
        self.next_image = max(self.next_image, number) + 1
        image = catalogue.image(number, name, regions=list(regions),
                                created=catalogue.stamp(clock.time()))
        image.update(more)
        self.catalogue.images.append(image)
        return image

    # --------------------------------------------------------------- time

    def settle(self):
        now = clock.monotonic()
        for action in self.actions.values():
            if action.status == 'in-progress' and now >= action.due:
                action.status = action.ends_as
                action.completed = clock.time()
                if action.kind == 'create' and action.ends_as == 'errored':
                    self.droplets[action.droplet].locked = False
                if action.then:
                    action.then()
        for droplet in self.droplets.values():
            if droplet.gone:
                continue
            if droplet.status == 'new' and now >= droplet.active_at and \
                    'not-yet' not in self.faults.on:
                self.started(droplet, now)
            if now >= droplet.gone_at:
                droplet.gone = True
        for runner in self.runners.values():
            self.contact(runner, now)

    def started(self, droplet, now):
        droplet.status, droplet.locked = droplet.becomes, False
        if droplet.status == 'active':
            droplet.ssh_at = now + self.options.ssh_seconds
            if droplet.runner_at != FOREVER:
                droplet.runner_at = now + self.options.runner_seconds

    def contact(self, runner, now):
        """A machine that was given the runner's token calls GitLab when it has
        enrolled itself; for nothing else does the simulator know its runner."""
        if runner['managers'] or 'status' in runner:
            return
        for droplet in self.droplets.values():
            if droplet.is_up() and now >= droplet.runner_at and \
                    runner['token'] in (droplet.user_data or ''):
                runner['managers'].append({
                    'id': runner['id'] + 1000, 'droplet': droplet.id,
                    'since': clock.time(), 'address': droplet.address('public')})
