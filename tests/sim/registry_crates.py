#!/usr/bin/python3 -B
"""A registry of crates on loopback, which stands for crates.io.

    registry_crates.py [--address A] [--port N] [--token T] [--index DIR] ...

Prints "ready URL". The index is sparse at URL/index/ and, with --index, a git
repository at URL/git too, for cargo before 1.68, which reads nothing else; git
itself keeps it in DIR and serves it.
PUT /api/v1/crates/new is cargo's web API; see registry.py for the rest."""

import hashlib
import io
import json
import os
import re
import struct
import subprocess
import tarfile

import registry
from web import Answer, Refusal

# What a workspace's own crates name as the registry of each other when they
# are published elsewhere: as we stand for it, that is us.
CRATES_IO = 'https://github.com/rust-lang/crates.io-index'
NAME = re.compile(r'[A-Za-z][A-Za-z0-9_-]{0,63}')
VERSION = re.compile(r'(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[0-9A-Za-z.-]+)?'
                     r'(\+[0-9A-Za-z.-]+)?')
UNPACKED_MOST = 64 << 20


def refuse(status, text):
    return Refusal(Answer(status, {'errors': [{'detail': text}]}))


def canonical(name):
    return name.lower().replace('-', '_')


def index_path(name):
    name = name.lower()
    if len(name) < 3:
        return '%d/%s' % (len(name), name)
    if len(name) == 3:
        return '3/%s/%s' % (name[0], name)
    return '%s/%s/%s' % (name[:2], name[2:4], name)


def split(body):
    """Metadata and .crate of the body: each has its length before it."""
    parts = []
    for _ in range(2):
        if len(body) < 4:
            raise refuse(400, 'invalid upload: too short')
        length, = struct.unpack_from('<I', body)
        if length > len(body) - 4:
            raise refuse(400, 'invalid upload: a length exceeds the body')
        parts.append(body[4:4 + length])
        body = body[4 + length:]
    if body:
        raise refuse(400, 'invalid upload: something follows the .crate')
    try:
        meta = json.loads(parts[0])
        if not isinstance(meta['name'] + meta['vers'], str):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise refuse(400, 'invalid upload request') from None
    return meta, parts[1]


def check_meta(meta):
    if not NAME.fullmatch(meta['name']):
        raise refuse(400, 'invalid crate name `%s`' % meta['name'])
    if not VERSION.fullmatch(meta['vers']):
        raise refuse(400, '"%s" is an invalid semver version' % meta['vers'])
    missing = [key for key, there in (
        ('description', meta.get('description')),
        ('license', meta.get('license') or meta.get('license_file')),
    ) if not there]
    if missing:
        raise refuse(400, 'missing or empty metadata fields: '
                     + ', '.join(missing))


def check_crate(crate, meta):
    """All of it lies in NAME-VERSION/, as plain files, and its Cargo.toml is
    of that crate."""
    top = '%s-%s' % (meta['name'], meta['vers'])
    total = 0
    toml = None
    try:
        with tarfile.open(fileobj=io.BytesIO(crate), mode='r:gz') as tar:
            for member in tar:
                total += member.size
                parts = member.name.split('/')
                if parts[0] != top or '..' in parts or not member.isfile() \
                        or total > UNPACKED_MOST:
                    raise refuse(400, 'invalid tarball: ' + member.name)
                if parts[1:] == ['Cargo.toml']:
                    toml = tar.extractfile(member).read().decode()
    except (tarfile.TarError, OSError, EOFError, UnicodeDecodeError) as e:
        raise refuse(400, 'invalid tarball: %s' % e) from None
    for key, value in (('name', meta['name']), ('version', meta['vers'])):
        # cargo writes this file itself, in one form
        if '\n%s = "%s"\n' % (key, value) not in (toml or ''):
            raise refuse(400, 'Cargo.toml has no %s "%s"' % (key, value))


class Crates(registry.Registry):
    def __init__(self, opts):
        super().__init__(opts)
        self.crates = {}    # by canonical name: {version: (bytes, line)}
        self.index = {}     # by path: the text
        self.add('config.json', json.dumps({
            'dl': self.url + '/api/v1/crates', 'api': self.url}) + '\n')

    def add(self, path, text):
        """Adds the TEXT to a file of the index."""
        self.index[path] = self.index.get(path, '') + text
        where = self.options.index
        if not where:
            return
        if not os.path.exists(where + '/.git'):
            subprocess.run(['git', 'init', '-q', where], check=True)
        os.makedirs(os.path.dirname(os.path.join(where, path)), exist_ok=True)
        with open(os.path.join(where, path), 'w', encoding='utf-8') as f:
            f.write(self.index[path])
        git = ['git', '-C', where, '-c', 'user.name=registry', '-c',
               'user.email=registry@example.org', '-c', 'commit.gpgsign=false']
        subprocess.run(git + ['add', path], check=True)
        subprocess.run(git + ['commit', '-q', '-m', path], check=True)

    def token_of(self, request):
        return request.headers.get('Authorization')

    def is_upload(self, request):
        return (request.method, request.path) == ('PUT', '/api/v1/crates/new')

    def unauthorized(self, request):
        return refuse(403, 'authentication failed' if self.token_of(request)
                      else 'this action requires authentication').answer

    def upload(self, request, is_same=True):
        meta, crate = split(request.body)
        check_meta(meta)
        check_crate(crate, meta)
        there = self.crates.get(canonical(meta['name']), {})
        self.check_new(meta, there)
        deps = [self.dependency(dep) for dep in meta.get('deps', [])]
        line = {'name': meta['name'], 'vers': meta['vers'], 'deps': deps,
                'cksum': hashlib.sha256(crate).hexdigest(),
                'features': meta.get('features', {}), 'yanked': False,
                'links': meta.get('links')}
        there[meta['vers']] = (crate, line)
        self.crates[canonical(meta['name'])] = there
        self.later(lambda: self.add(index_path(meta['name']),
                                    json.dumps(line, separators=(',', ':'))
                                    + '\n'))
        return Answer(200, {'warnings': {
            'invalid_categories': [], 'invalid_badges': [], 'other': []}})

    def check_new(self, meta, there):
        for vers, (_, line) in there.items():
            if line['name'] != meta['name']:
                raise refuse(400, 'crate was previously named `%s`'
                             % line['name'])
            if vers.split('+')[0] == meta['vers'].split('+')[0]:
                raise refuse(400, 'crate version `%s` is already uploaded'
                             % vers)

    def dependency(self, dep):
        """The dependency as the index has it."""
        own = (None, CRATES_IO, 'sparse+%s/index/' % self.url,
               self.url + '/git')
        if dep.get('registry') not in own:
            raise refuse(400, 'cross-registry dependencies are not permitted: '
                         '%s' % dep['registry'])
        if dep['kind'] != 'dev' and canonical(dep['name']) not in self.crates:
            raise refuse(400, 'no known crate named `%s`' % dep['name'])
        renamed = dep.get('explicit_name_in_toml')
        return {'name': renamed or dep['name'], 'req': dep['version_req'],
                'features': dep['features'], 'optional': dep['optional'],
                'default_features': dep['default_features'],
                'target': dep['target'], 'kind': dep['kind'],
                **({'package': dep['name']} if renamed else {})}

    def show(self, request):
        words = request.words
        if words[0] == 'git' and self.options.index:
            return self.git(request)
        if request.method == 'GET' and words[0] == 'index':
            text = self.index.get('/'.join(words[1:]))
            return Answer(404) if text is None else \
                Answer(200, text, {'Content-Type': 'text/plain'})
        if words[:3] == ['api', 'v1', 'crates'] and words[5:] == ['download']:
            there = self.crates.get(canonical(words[3]), {}).get(words[4])
            if there:
                return Answer(200, there[0],
                              {'Content-Type': 'application/gzip'})
        return Answer(404, {'errors': [{'detail': 'Not Found'}]})

    def git(self, request):
        """What git's own CGI program answers."""
        where, _, query = request.target.partition('?')
        done = subprocess.run(['git', 'http-backend'], input=request.body, env={
            'PATH': os.environ['PATH'], 'GIT_HTTP_EXPORT_ALL': '1',
            'GIT_PROJECT_ROOT': self.options.index + '/.git',
            'REQUEST_METHOD': request.method, 'QUERY_STRING': query,
            'PATH_INFO': where[len('/git'):],
            'CONTENT_TYPE': request.headers.get('Content-Type', ''),
            'HTTP_CONTENT_ENCODING':
                request.headers.get('Content-Encoding', '')},
            stdout=subprocess.PIPE, check=True)
        head, _, body = done.stdout.partition(b'\r\n\r\n')
        headers = dict(line.split(': ', 1)
                       for line in head.decode().split('\r\n'))
        status = int(headers.pop('Status', '200').split()[0])
        return Answer(status, body, headers)

    def state(self):
        return [{'name': line['name'], 'version': line['vers'],
                 'sha256': line['cksum']}
                for there in self.crates.values()
                for _, line in there.values()]


def main():
    parser = registry.options(__doc__)
    parser.add_argument('--index', metavar='DIR')
    registry.main(Crates, parser)


if __name__ == '__main__':
    main()
