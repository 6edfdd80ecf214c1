#!/usr/bin/python3 -B
"""The simulator judged by python-digitalocean: client_digitalocean.py TOKEN,
with DIGITALOCEAN_END_POINT set. There must be 45 foreign droplets, five of
them tagged "web". Fails with an assertion."""

import sys
import time

import digitalocean


def raises(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as e:
        return str(e)
    raise AssertionError('%s was not raised' % kind.__name__)


def main():
    token = sys.argv[1]
    manager = digitalocean.Manager(token=token)
    assert len(manager.get_all_droplets()) == 45
    # By page, as it would follow links to the real host by itself
    pages = [manager.get_data('droplets/', params={'page': n, 'per_page': 20})
             for n in (1, 2, 3, 4)]
    assert [len(p['droplets']) for p in pages] == [20, 20, 5, 0]
    assert [p['meta']['total'] for p in pages] == [45] * 4
    assert pages[0]['links']['pages'] == {
        'next': 'https://api.digitalocean.com/v2/droplets?page=2&per_page=20',
        'last': 'https://api.digitalocean.com/v2/droplets?page=3&per_page=20'}
    assert set(pages[1]['links']['pages']) == {'first', 'prev', 'next', 'last'}
    assert set(pages[2]['links']['pages']) == {'first', 'prev'}
    assert len(manager.get_all_droplets(tag_name='web')) == 5
    assert manager.get_all_droplets(tag_name='Web') == []

    droplet = digitalocean.Droplet(
        token=token, name='from-python', region='nyc1', image='debian-12-x64',
        size_slug='c2-8vcpu-16gb-intel', tags=['Lab'], ipv6=True,
        ssh_keys=[38852180], user_data='#cloud-config\n')
    droplet.create()                # to droplets/, with a slash
    assert droplet.id > 1 << 32
    action = droplet.get_actions()[0]
    assert action.type == 'create' and action.status == 'in-progress'
    assert droplet.load().status == 'new' and droplet.locked
    assert droplet.networks == {'v4': [], 'v6': []}
    assert action.wait(update_every_seconds=0.05)
    assert action.status == 'completed' and action.completed_at
    droplet.load()
    assert droplet.status == 'active' and not droplet.locked
    assert droplet.private_ip_address.startswith('127.30.')
    assert droplet.ip_address.startswith('127.31.') and droplet.ip_v6_address

    # The first spelling of a tag stays
    second = digitalocean.Droplet(
        token=token, name='FROM-python', region='nyc1', image='154584863',
        size_slug='c2-8vcpu-16gb-intel', tags=['LAB'])
    second.create()
    assert second.load().tags == ['Lab']
    found = manager.get_data('droplets/', params={'name': 'From-Python'})
    assert len(found['droplets']) == 2
    many = digitalocean.Droplet.create_multiple(
        token=token, names=['one', 'two'], region='nyc1', tags=['several'],
        image='debian-12-x64', size_slug='s-1vcpu-1gb')
    assert [d.name for d in many] == ['one', 'two']

    manager.get_data('account')
    before = int(manager.ratelimit_remaining)
    manager.get_data('account')
    assert int(manager.ratelimit_remaining) == before - 1
    assert manager.ratelimit_limit == '5000'
    assert abs(int(manager.ratelimit_reset) - time.time() - 3600) < 60

    assert droplet.destroy()
    for _ in range(200):
        try:
            manager.get_droplet(droplet.id)
        except digitalocean.NotFoundError:
            break
        time.sleep(0.05)
    raises(digitalocean.NotFoundError, manager.get_droplet, droplet.id)
    raises(digitalocean.NotFoundError, droplet.destroy)
    assert len(manager.get_all_droplets()) == 48

    assert manager.get_account().droplet_limit == 60
    assert len(manager.get_all_sshkeys()) == 3
    assert 'snapshot' in {i.type for i in manager.get_my_images()}
    assert len(manager.get_all_sizes()) > 3 and manager.get_all_regions()
    assert manager.get_all_vpcs()[0].default

    error = raises(digitalocean.DataReadError, digitalocean.Droplet(
        token=token, name='from-python', region='nyc1', image='no-such-image',
        size_slug='s-1vcpu-1gb').create)
    assert 'invalid image' in error, error
    raises(digitalocean.DataReadError,
           digitalocean.Manager(token='wrong').get_all_droplets)


if __name__ == '__main__':
    main()
