#!/usr/bin/python3 -B
"""What a test wants to know of the simulator, one line each.

    ask.py droplets URL TOKEN    id name status tags: as python3-libcloud, a
                                 client that we did not write, sees them
    ask.py runners URL           id status paused|active description tags
    ask.py log [json] <LOG       the requests: method path status authorization
    ask.py body <LOG             the bodies of POST /v2/droplets

A field that is empty is "-"."""

import json
import signal
import sys
import urllib.parse
import urllib.request


def driver_of(url, token, **headers):
    """libcloud's, aimed at the simulator: it knows one host alone."""
    from libcloud.compute.providers import get_driver
    driver = get_driver('digitalocean')(token, api_version='v2')
    where = urllib.parse.urlsplit(url)
    connection = driver.connection
    connection.host, connection.port = where.hostname, where.port
    connection.secure = False
    connection.connect()
    add_default_headers = connection.add_default_headers
    connection.add_default_headers = lambda given: {
        **add_default_headers(given), **headers}
    return driver


def droplets(url, token):
    # so that no fault is used up, no limit is reached, and the log is clean
    driver = driver_of(url, token, **{'X-Judge': 'yes'})
    words = {state: word for word, state in driver.NODE_STATE_MAP.items()}
    for node in driver.list_nodes():
        yield (node.id, node.name, words.get(node.state, node.state),
               ','.join(node.extra['tags']))


def runners(url):
    with urllib.request.urlopen(url + '/sim/state') as answer:
        state = json.load(answer)
    for r in state['runners']:
        if r['living']:
            yield (r['id'], r['status'], 'paused' if r['paused'] else 'active',
                   r['description'], ','.join(r['tag_list']))


def log(form=None):
    for line in sys.stdin:
        r = json.loads(line)
        if form == 'json':
            yield (line.rstrip(),)
        else:
            where = '' if r['host'] == '127.0.0.1' else 'http://' + r['host']
            yield (r['method'], where + r['path'], r['status'],
                   r['authorization'])


def body():
    for line in sys.stdin:
        r = json.loads(line)
        if r['method'] == 'POST' and r['path'].startswith('/v2/droplets'):
            yield (r['body'],)


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    ask = {f.__name__: f for f in (droplets, runners, log, body)}[sys.argv[1]]
    for fields in ask(*sys.argv[2:]):
        print(*[str(field) or '-' for field in fields])


if __name__ == '__main__':
    main()
