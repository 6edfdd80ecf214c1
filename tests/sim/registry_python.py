#!/usr/bin/python3 -B
"""A registry of Python packages on loopback, which stands for PyPI.

    registry_python.py [--address A] [--port N] [--token T] ...

Prints "ready URL". POST URL/legacy/ is the upload that twine speaks, URL/simple/
the index that pip reads; see registry.py for the rest."""

import base64
import binascii
import email.parser
import hashlib
import html
import io
import re
import tarfile
import urllib.parse
import zipfile
import zlib

import registry
from web import Answer, Refusal

NAME = re.compile(r'[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?')
VERSION = re.compile(r'\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?')
UNPACKED_MOST = 64 << 20


def refuse(status, text):
    return Refusal(Answer(status, text + '\n', {'Content-Type': 'text/plain'}))


def normal(name):
    return re.sub(r'[-_.]+', '-', name).lower()


def form(request):
    """The fields of a multipart/form-data body; bytes, and the file's name as
    "filename"."""
    head = email.parser.HeaderParser()
    kind = head.parsestr('Content-Type: %s\n\n'
                         % request.headers.get('Content-Type', ''))
    boundary = kind.get_param('boundary')
    if kind.get_content_type() != 'multipart/form-data' or not boundary:
        raise refuse(400, 'not multipart/form-data')
    mark = b'\r\n--' + boundary.encode()
    parts = (b'\r\n' + request.body).split(mark)
    if len(parts) < 3 or not parts[-1].startswith(b'--'):
        raise refuse(400, 'the form does not end')
    fields = {}
    for part in parts[1:-1]:
        text, blank, value = part.partition(b'\r\n\r\n')
        about = head.parsestr(text.decode(errors='replace').lstrip('\r\n'))
        name = about.get_param('name', header='content-disposition')
        if not blank or not name:
            raise refuse(400, 'a field has no name')
        if name == 'content':
            fields['filename'] = (about.get_filename() or '').encode()
        if name == 'classifiers' and value.startswith(b'Private ::'):
            raise refuse(400, 'Invalid value for classifiers.')
        fields.setdefault(name, value)
    return fields


def metadata_of(filename, content):
    """Name and version as the file itself says them."""
    try:
        if filename.endswith('.whl'):
            text = wheel_metadata(content)
        elif filename.endswith('.tar.gz'):
            text = sdist_metadata(content, filename[:-len('.tar.gz')])
        else:
            raise refuse(400, 'Invalid file extension: %s' % filename)
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, KeyError,
            zlib.error) as e:
        raise refuse(400, 'Invalid distribution file: %s' % e) from None
    about = email.parser.BytesHeaderParser().parsebytes(text)
    return about.get('Name', ''), about.get('Version', '')


def wheel_metadata(content):
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        if sum(i.file_size for i in wheel.infolist()) > UNPACKED_MOST:
            raise refuse(400, 'Invalid distribution file: too large')
        if wheel.testzip():
            raise zipfile.BadZipFile(wheel.testzip())
        names = [n for n in wheel.namelist()
                 if re.fullmatch(r'[^/]+\.dist-info/METADATA', n)]
        if len(names) != 1:
            raise KeyError('METADATA')
        return wheel.read(names[0])


def sdist_metadata(content, top):
    with tarfile.open(fileobj=io.BytesIO(content), mode='r:gz') as tar:
        total = 0
        for member in tar:
            total += member.size
            if total > UNPACKED_MOST:
                raise refuse(400, 'Invalid distribution file: too large')
        return tar.extractfile(top + '/PKG-INFO').read()


class Python(registry.Registry):
    def __init__(self, opts):
        super().__init__(opts)
        self.files = {}     # by name: (project, version, bytes)
        self.shown = []     # names in the index

    def token_of(self, request):
        kind, _, word = request.headers.get('Authorization', '').partition(' ')
        if kind.lower() != 'basic':
            return None
        try:
            user, _, token = base64.b64decode(word).decode().partition(':')
        except (binascii.Error, UnicodeDecodeError):
            return ''
        return token if user == '__token__' else ''

    def is_upload(self, request):
        return (request.method, request.path) == ('POST', '/legacy/')

    def unauthorized(self, request):
        return refuse(403, 'Invalid or non-existent authentication '
                      'information.').answer

    def upload(self, request, is_same=True):
        fields = form(request)
        content = fields.get('content', b'')
        text = {key: value.decode(errors='replace')
                for key, value in fields.items() if key != 'content'}
        self.check_form(text)
        self.check_file(text, content)
        filename = text['filename']
        if filename in self.files:
            if is_same and self.files[filename][2] == content:
                return Answer(200, '')
            raise refuse(400, "File already exists ('%s', with blake2_256 hash"
                         " '%s')." % (filename, hashlib.blake2b(
                             content, digest_size=32).hexdigest()))
        self.files[filename] = (normal(text['name']), text['version'], content)
        self.later(lambda: self.shown.append(filename))
        return Answer(200, '')

    def check_form(self, text):
        for key, value in ((':action', 'file_upload'),
                           ('protocol_version', '1')):
            if text.get(key) != value:
                raise refuse(400, 'Unknown %s.' % key)
        if not NAME.fullmatch(text.get('name', '')):
            raise refuse(400, 'Invalid value for name.')
        if not VERSION.fullmatch(text.get('version', '')):
            raise refuse(400, 'Invalid value for version.')
        if not re.fullmatch(r'[12]\.\d', text.get('metadata_version', '')):
            raise refuse(400, 'Invalid value for metadata_version.')
        if text.get('filetype') not in ('sdist', 'bdist_wheel'):
            raise refuse(400, 'Invalid value for filetype.')

    def check_file(self, text, content):
        filename = text.get('filename', '')
        if text.get('sha256_digest') != hashlib.sha256(content).hexdigest():
            raise refuse(400, 'The digest supplied does not match a digest '
                         'calculated from the uploaded file.')
        stem, _, rest = filename.partition('-' + text['version'])
        fits = {'sdist': r'\.tar\.gz', 'bdist_wheel': r'(-[\w.]+){3}\.whl'}
        if normal(stem) != normal(text['name']) or \
                not re.fullmatch(fits[text['filetype']], rest):
            raise refuse(400, 'The filename does not fit what it is.')
        name, version = metadata_of(filename, content)
        if (normal(name), version) != (normal(text['name']), text['version']):
            raise refuse(400, 'The file says that it is %s %s'
                         % (name, version))

    def show(self, request):
        words = request.words if request.method == 'GET' else ['']
        if words[0] == 'simple' and len(words) == 2:
            names = [n for n in self.shown
                     if self.files[n][0] == normal(words[1])]
            if names:
                return self.page(names)
        if words[0] == 'files' and words[-1] in self.files:
            return Answer(200, self.files[words[-1]][2],
                          {'Content-Type': 'application/octet-stream'})
        return Answer(404, 'Not Found\n', {'Content-Type': 'text/plain'})

    def page(self, names):
        links = ''.join('<a href="/files/%s#sha256=%s">%s</a><br>\n' % (
            urllib.parse.quote(name),
            hashlib.sha256(self.files[name][2]).hexdigest(),
            html.escape(name)) for name in sorted(names))
        return Answer(200, '<!DOCTYPE html>\n<html><body>\n%s</body></html>\n'
                      % links, {'Content-Type': 'text/html'})

    def state(self):
        return [{'name': name, 'project': project, 'version': version,
                 'sha256': hashlib.sha256(content).hexdigest()}
                for name, (project, version, content) in self.files.items()]


if __name__ == '__main__':
    registry.main(Python, registry.options(__doc__))
