#!/usr/bin/python3 -B
"""The simulator judged by libcloud: client_libcloud.py URL TOKEN. There must be
45 foreign droplets. Fails with an assertion."""

import sys
import time

from libcloud.common.types import InvalidCredsError
from libcloud.compute.types import NodeState

import ask


def by_name(things, name):
    return next(thing for thing in things if thing.name == name)


def until(what):
    """Polls; the simulator's times are parts of a second."""
    for _ in range(200):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError('waited in vain')


def main():
    url, token = sys.argv[1:]
    driver = ask.driver_of(url, token)
    assert len(driver.list_nodes()) == 45
    driver.ex_per_page = 10         # five pages, the last of them half full
    nodes = driver.list_nodes()
    assert len({node.id for node in nodes}) == 45, len(nodes)
    driver.ex_per_page = 200

    size = by_name(driver.list_sizes(), 'c2-8vcpu-16gb-intel')
    assert size.price > 0 and size.extra['regions']
    place = next(p for p in driver.list_locations() if p.id == 'nyc1')
    assert 'sfo1' not in [p.id for p in driver.list_locations()]
    image = by_name(driver.list_images(), '12 x64')
    keys = driver.list_key_pairs()
    assert len(keys) == 3
    assert driver.ex_account_info()['status'] == 'active'

    # It sends user_data null, which life accepts
    node = driver.create_node('from-libcloud', size, image, place, {
        'tags': ['Lab', 'expires:1795330830'],
        'ssh_keys': [keys[0].fingerprint]})
    assert node.state == NodeState.PENDING and node.extra['locked']
    assert not node.private_ips and not node.public_ips

    def now():
        return driver.ex_get_node_details(node.id)

    until(lambda: now().state == NodeState.RUNNING)
    node = now()
    assert node.private_ips[0].startswith('127.30.'), node.private_ips
    assert node.public_ips[0].startswith('127.31.')
    assert node.extra['networks']['v4'][0]['type'] == 'private'
    assert node.extra['tags'] == ['Lab', 'expires:1795330830']
    assert int(node.id) > 1 << 32 and not node.extra['locked']

    assert driver.create_image(node, 'snap-of-it')
    until(lambda: 'snap-of-it' in [i.name for i in driver.list_images()])
    until(lambda: not now().extra['locked'])
    assert driver.ex_shutdown_node(node)
    until(lambda: now().state == NodeState.STOPPED)

    assert driver.destroy_node(node)
    assert node.id in [n.id for n in driver.list_nodes()]   # for a moment
    until(lambda: node.id not in [n.id for n in driver.list_nodes()])

    try:
        driver.create_node('under_score', size, image, place)
    except Exception as e:          # it has no class of its own for these
        assert 'hostname characters' in str(e), e
    else:
        raise AssertionError('a wrong name was accepted')
    try:
        ask.driver_of(url, 'wrong').list_nodes()
    except InvalidCredsError:
        pass
    else:
        raise AssertionError('a wrong token was accepted')
    assert len(driver.list_nodes()) == 45


if __name__ == '__main__':
    main()
