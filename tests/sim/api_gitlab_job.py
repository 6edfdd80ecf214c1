"""What a job may ask GitLab with its own token, JOB-TOKEN: the secure files of
the project (lib/api/ci/secure_files.rb) and its releases (lib/api/releases.rb).
The secure files are those of --secure-files."""

import hashlib
import os
import re

from api_gitlab import missing, parameters, refuse
from web import Answer, Refusal, number


class GitLabJob:
    def __init__(self, options, faults):
        self.options, self.faults = options, faults
        self.releases = {}
        self.routes = [(method, re.compile(r'/api/v4/projects/(\d+)/' + path),
                        call) for method, path, call in (
            ('GET', 'secure_files', self.files),
            ('GET', r'secure_files/(\d+)/download', self.download),
            ('GET', 'releases/([^/]+)', self.release),
            ('POST', 'releases', self.make_release))]

    def handle(self, request, token):
        try:
            if self.faults.take('gitlab-down'):
                return Answer(503, 'GitLab is not responding\n')
            if token != self.options.job_token:
                refuse(401, '401 Unauthorized')
            return self.route(request)
        except Refusal as e:
            return e.answer

    def route(self, request):
        for method, path, call in self.routes:
            match = path.fullmatch(request.path)
            if match and method == request.method:
                if int(match[1]) != self.options.project:
                    refuse(404, '404 Project Not Found')
                return call(request, *match.groups()[1:])
        raise Refusal(Answer(404, {'error': '404 Not Found'}))

    # ------------------------------------------------------ secure files

    def names(self):
        folder = self.options.secure_files
        return sorted(os.listdir(folder)) if folder else []

    def read(self, name):
        with open(os.path.join(self.options.secure_files, name), 'rb') as f:
            return f.read()

    def files(self, request):
        size = number(request.query.get('per_page', '20'), 1, 100) or 20
        return Answer(200, [{
            'id': i, 'name': name, 'checksum':
            hashlib.sha256(self.read(name)).hexdigest(),
            'checksum_algorithm': 'sha256', 'expires_at': None,
            'created_at': '2026-01-01T00:00:00.000Z', 'metadata': None,
            'file_extension': name.rpartition('.')[2]}
            for i, name in enumerate(self.names(), 1)][:size])

    def download(self, request, which):
        names = self.names()
        if not 1 <= int(which) <= len(names):
            refuse(404, '404 Not found')
        return Answer(200, self.read(names[int(which) - 1]), {
            'Content-Type': 'application/octet-stream'})

    # ---------------------------------------------------------- releases

    def release(self, request, tag):
        return Answer(200, self.releases[tag]) if tag in self.releases else \
            refuse(404, '404 Not Found')

    def make_release(self, request):
        given = parameters(request)
        tag = given.get('tag_name')
        if not tag:
            missing('tag_name is missing')
        if tag in self.releases:
            refuse(409, 'Release already exists')
        self.releases[tag] = {'tag_name': tag, 'name': given.get('name', tag),
                              'description': given.get('description')}
        return Answer(201, self.releases[tag])
