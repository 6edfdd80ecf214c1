#!/usr/bin/python3 -B
"""Uploads that the registries must refuse, each beside one that they take.

    client_registries.py crates URL TOKEN CRATE       a .crate of cargo's
    client_registries.py python URL TOKEN WHEEL       a wheel

Ends with 1 and says which was answered otherwise than it must be."""

import base64
import copy
import hashlib
import io
import json
import os
import struct
import sys
import tarfile
import urllib.error
import urllib.request

FAILED = []


def ask(method, url, body, headers):
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def expect(what, status, text, got):
    if got[0] != status or text not in got[1]:
        FAILED.append(what)
        print('%s: %d %s' % (what, *got), file=sys.stderr)


# ------------------------------------------------------------------ crates

def crate_body(meta, crate):
    text = meta if isinstance(meta, bytes) else json.dumps(meta).encode()
    return struct.pack('<I', len(text)) + text + \
        struct.pack('<I', len(crate)) + crate


def repacked(crate, change):
    """The .crate with CHANGE(member) applied to each file in it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(crate)) as old, \
            tarfile.open(fileobj=out, mode='w:gz') as new:
        for member in old:
            content = old.extractfile(member)
            member = change(copy.copy(member))
            new.addfile(member, content)
    return out.getvalue()


def climbing(member):
    member.name = member.name.replace('src/', '../')
    return member


def linked(member):
    if member.name.endswith('lib.rs'):
        member.type, member.linkname, member.size = tarfile.SYMTYPE, '/', 0
    return member


def crates(url, token, path):
    with open(path, 'rb') as f:
        crate = f.read()
    name, _, version = os.path.basename(path)[:-len('.crate')].rpartition('-')
    meta = {'name': name, 'vers': version, 'deps': [], 'features': {},
            'description': 'x', 'license': 'MIT'}
    dep = {'name': 'nowhere', 'version_req': '^1', 'features': [],
           'optional': False, 'default_features': True, 'target': None,
           'kind': 'normal', 'registry': None}

    def put(body, key=token):
        return ask('PUT', url + '/api/v1/crates/new', body,
                   {'Authorization': key} if key else {})

    body = crate_body(meta, crate)
    for what, status, text, got in (
        ('no token', 403, 'requires authentication', put(body, None)),
        ('a wrong token', 403, 'authentication failed', put(body, 'x' + token)),
        ('an empty body', 400, 'too short', put(b'')),
        ('half a body', 400, 'exceeds', put(body[:len(body) // 2])),
        ('a longer body', 400, 'follows', put(body + b'x')),
        ('no JSON', 400, 'invalid upload', put(crate_body(b'[', crate))),
        ('a list', 400, 'invalid upload', put(crate_body([], crate))),
        ('half a .crate', 400, 'invalid tarball',
         put(crate_body(meta, crate[:len(crate) // 2]))),
        ('a path that climbs', 400, 'invalid tarball',
         put(crate_body(meta, repacked(crate, climbing)))),
        ('a link', 400, 'invalid tarball',
         put(crate_body(meta, repacked(crate, linked)))),
        ('another name', 400, 'invalid tarball',
         put(crate_body({**meta, 'name': 'other'}, crate))),
        ('another version', 400, 'invalid tarball',
         put(crate_body({**meta, 'vers': '9.9.9'}, crate))),
        ('no version', 400, 'invalid semver',
         put(crate_body({**meta, 'vers': '1.0'}, crate))),
        ('no description', 400, 'description',
         put(crate_body({**meta, 'description': ''}, crate))),
        ('a dependency that is nowhere', 400, 'no known crate named `nowhere`',
         put(crate_body({**meta, 'deps': [dep]}, crate))),
        ('one of another registry', 400, 'cross-registry',
         put(crate_body({**meta, 'deps': [
             {**dep, 'registry': 'https://example.org/index'}]}, crate))),
        ('a right one', 200, 'warnings', put(body)),
        ('the same again', 400, 'already uploaded', put(body)),
    ):
        expect(what, status, text, got)


# ------------------------------------------------------------------ Python

def form(fields, content, filename):
    mark = b'--b0undary\r\n'
    out = b''
    for key, value in fields.items():
        out += mark + ('Content-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
                       % (key, value)).encode()
    return out + mark + (
        'Content-Disposition: form-data; name="content"; filename="%s"\r\n'
        'Content-Type: application/octet-stream\r\n\r\n' % filename).encode() \
        + content + b'\r\n--b0undary--\r\n'


def python(url, token, path):
    with open(path, 'rb') as f:
        wheel = f.read()
    filename = os.path.basename(path)
    name, version = filename.split('-')[:2]

    def post(key=token, content=wheel, file=filename, cut=0, kind='b0undary',
             user='__token__', **changes):
        fields = {':action': 'file_upload', 'protocol_version': '1',
                  'metadata_version': '2.1', 'filetype': 'bdist_wheel',
                  'name': name, 'version': version,
                  'sha256_digest': hashlib.sha256(content).hexdigest(),
                  **{k.replace('action', ':action'): v
                     for k, v in changes.items()}}
        body = form(fields, content, file)
        basic = base64.b64encode(('%s:%s' % (user, key)).encode()).decode()
        return ask('POST', url + '/legacy/', body[:len(body) - cut], {
            'Authorization': 'Basic ' + basic,
            'Content-Type': 'multipart/form-data; boundary=' + kind})

    for what, status, text, got in (
        ('a wrong token', 403, 'authentication', post(key='x' + token)),
        ('another user', 403, 'authentication', post(user='admin')),
        ('a form that is cut', 400, 'does not end', post(cut=20)),
        ('another boundary', 400, 'does not end', post(kind='other')),
        ('another action', 400, 'Unknown :action', post(action='submit')),
        ('a wrong digest', 400, 'digest', post(sha256_digest='0' * 64)),
        ('no digest', 400, 'digest', post(sha256_digest='')),
        ('half a wheel', 400, 'Invalid distribution', post(content=wheel[:200])),
        ('a sdist that is none', 400, 'does not fit', post(filetype='sdist')),
        ('a wheel as sdist', 400, 'Invalid distribution', post(
            filetype='sdist', file='%s-%s.tar.gz' % (name, version))),
        ('a path', 400, 'does not fit', post(file='../' + filename)),
        ('another version', 400, 'does not fit', post(version='9.9')),
        ('another version in it', 400, 'says that it is', post(
            version='9.9', file=filename.replace(version, '9.9'))),
        ('no version', 400, 'version', post(version='latest')),
        ('a right one', 200, '', post()),
        ('the same again', 200, '', post()),
        ('another of that name', 400, 'File already exists',
         post(content=wheel + b'\0')),
    ):
        expect(what, status, text, got)


if __name__ == '__main__':
    {'crates': crates, 'python': python}[sys.argv[1]](*sys.argv[2:])
    sys.exit(1 if FAILED else 0)
