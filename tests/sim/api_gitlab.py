"""GitLab's API, version 4, as far as runners need it: lib/api/user_runners.rb,
lib/api/ci/runners.rb and their entities in GitLab's repository."""

import re
import secrets
import time
import urllib.parse

import clock
from web import Answer, Refusal, number, request_id

TYPES = ('instance_type', 'group_type', 'project_type')
STATUSES = ('active', 'paused', 'online', 'offline', 'never_contacted', 'stale')
TRUE = (True, 1, '1', 'true', 'True', 't', 'yes', 'on')
FIRST_ID = 48000001


def refuse(status, message):
    raise Refusal(Answer(status, {'message': message}))


def stamp(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%S.', time.gmtime(seconds)) + \
        '%03dZ' % (seconds * 1000 % 1000)


def parameters(request):
    """Of a form or of JSON, whichever the type says."""
    kind = request.headers.get('Content-Type', '').split(';')[0].strip()
    if kind == 'application/json':
        try:
            return request.json()
        except ValueError:
            raise Refusal(Answer(400, {
                'error': 'Invalid json format'})) from None
    if kind not in ('', 'application/x-www-form-urlencoded'):
        raise Refusal(Answer(415, {
            'error': "The provided content-type '%s' is not supported."
            % kind}))
    return dict(urllib.parse.parse_qsl(request.body.decode(), True))


def tag_list(value):
    """A list, or its elements with commas between them."""
    if isinstance(value, str):
        value = value.split(',')
    return [word.strip() for word in value or [] if word.strip()]


def missing(problem):
    raise Refusal(Answer(400, {'error': problem}))


class GitLab:
    def __init__(self, world, options):
        self.world, self.options = world, options
        self.faults = world.faults
        i = r'(\d+)'
        self.routes = [(method, re.compile('/api/v4/' + path), call)
                       for method, path, call in (
            ('POST', 'user/runners', self.create),
            ('GET', 'projects/([^/]+)', self.project),
            ('GET', 'projects/([^/]+)/runners', self.runners),
            ('GET', 'runners/' + i, self.runner),
            ('PUT', 'runners/' + i, self.update),
            ('DELETE', 'runners/' + i, self.delete),
            ('GET', 'runners/%s/managers' % i, self.managers),
            ('GET', 'runners/%s/jobs' % i, self.jobs),
            ('GET', 'personal_access_tokens/self', self.token))]

    def handle(self, request, token):
        try:
            answer = self.before(token) or self.route(request)
        except Refusal as e:
            answer = e.answer
        answer.headers = {'X-Request-Id': request_id(), **answer.headers}
        return answer

    def before(self, token):
        take = self.faults.take
        if take('gitlab-stall'):
            return Answer(how='stall')
        if take('gitlab-down'):
            return Answer(503, '<!DOCTYPE html>\n<html><head><title>GitLab is '
                          'not responding (503)</title></head></html>\n',
                          {'Content-Type': 'text/html'})
        seconds = self.faults.seconds('gitlab-429', 1)
        if seconds is not None:
            return Answer(429, 'Retry later\n', {
                'Content-Type': 'text/plain', 'Retry-After': str(int(seconds)),
                'RateLimit-Limit': '600', 'RateLimit-Remaining': '0'})
        if take('gitlab-401') or token != self.options.gitlab_token:
            refuse(401, '401 Unauthorized')
        return None

    def route(self, request):
        for method, path, call in self.routes:
            match = path.fullmatch(request.path)
            if match and method == request.method:
                return call(request, *match.groups())
        raise Refusal(Answer(404, {'error': '404 Not Found'}))

    def error_500(self):
        return Answer(500, {'message': '500 Internal Server Error'})

    # ------------------------------------------------------------- making

    def create(self, request):
        take = self.faults.take
        if take('runner-post-500-not-made'):
            return self.error_500()
        if take('runner-post-403'):
            raise Refusal(Answer(403, {
                'error': 'insufficient_scope', 'error_description':
                'The request requires higher privileges than provided by the '
                'access token.', 'scope': 'api create_runner'}))
        given = parameters(request)
        self.judge(given)
        runner = self.add(
            given.get('description') or '', kind=given['runner_type'],
            tags=tag_list(given.get('tag_list')),
            project=int(given.get('project_id', 0)),
            paused=given.get('paused') in TRUE,
            locked=given.get('locked') in TRUE,
            run_untagged=given.get('run_untagged', True) in TRUE,
            note=given.get('maintenance_note'),
            timeout=given.get('maximum_timeout'),
            access=given.get('access_level', 'not_protected'))
        if take('runner-post-500-after-accept'):
            return self.error_500()
        if take('runner-post-reset-after-accept'):
            return Answer(how='reset')
        shown = {'id': runner['id'], 'token': runner['token'],
                 'token_expires_at': None}
        if take('runner-post-nonsense'):
            del shown['token']
        return Answer(201, shown)

    def judge(self, given):
        if given.get('runner_type') not in TYPES:
            missing('runner_type is missing, runner_type does not have a '
                    'valid value' if 'runner_type' not in given else
                    'runner_type does not have a valid value')
        if given['runner_type'] != 'project_type':
            refuse(403, '403 Forbidden - Insufficient permissions')
        if 'project_id' not in given:
            missing('project_id is missing')
        project = number(str(given['project_id']), 0, 1 << 62)
        if project is None:
            missing('project_id is invalid')
        if project != self.options.project:
            refuse(400, '400 Bad request - Missing/invalid scope')
        if given.get('access_level', 'not_protected') not in (
                'not_protected', 'ref_protected'):
            missing('access_level does not have a valid value')
        if len(given.get('maintenance_note') or '') > 1024:
            refuse(400, '400 Bad request - Maintainer note is too long '
                   '(maximum is 1024 characters)')
        if given.get('run_untagged', True) not in TRUE and \
                not tag_list(given.get('tag_list')):
            refuse(400, '400 Bad request - Tags list can not be empty when '
                   'runner is not allowed to pick untagged jobs')

    def add(self, description, **fields):
        runners = self.world.runners
        runner = {'id': fields.pop('id', None) or max(
                      [FIRST_ID - 7, *self.world.runners_ever]) + 7,
                  'token': 'glrt-' + secrets.token_urlsafe(15),
                  'description': description, 'kind': 'project_type',
                  'tags': [], 'project': self.options.project,
                  'paused': False, 'locked': False, 'run_untagged': True,
                  'note': None, 'timeout': None, 'access': 'not_protected',
                  'managers': [], 'created': clock.time(), **fields}
        runners[runner['id']] = runner
        self.world.runners_ever[runner['id']] = runner
        return runner

    # ------------------------------------------------------------ looking

    def status(self, runner):
        """Online is who called in the last two hours, whether the machine
        still is there or not (app/models/ci/runner.rb)."""
        if 'status' in runner:
            return runner['status']
        return 'online' if runner['managers'] else 'never_contacted'

    def show(self, runner):
        status = self.status(runner)
        return {
            'id': runner['id'], 'description': runner['description'],
            'ip_address': None, 'active': not runner['paused'],
            'paused': runner['paused'],
            'is_shared': runner['kind'] == 'instance_type',
            'runner_type': runner['kind'], 'name': None if not
            runner['managers'] else 'gitlab-runner',
            'online': {'online': True, 'never_contacted': None}.get(
                status, False),
            'created_at': stamp(runner['created']), 'status': status}

    def show_details(self, runner):
        last = runner['managers'][-1] if runner['managers'] else None
        known = last is not None
        return {
            **self.show(runner), 'tag_list': runner['tags'],
            'run_untagged': runner['run_untagged'],
            'locked': runner['locked'], 'maximum_timeout': runner['timeout'],
            'access_level': runner['access'],
            'version': '17.6.0' if known else None,
            'revision': '374d34fd' if known else None,
            'platform': 'linux' if known else None,
            'architecture': 'amd64' if known else None,
            'contacted_at': stamp(last['since']) if known else None,
            'maintenance_note': runner['note'], 'groups': [],
            'projects': [self.show_project()]}

    def show_project(self):
        return {'id': self.options.project, 'name': 'veilid',
                'name_with_namespace': 'lab / veilid', 'path': 'veilid',
                'path_with_namespace': 'lab/veilid', 'description': None,
                'created_at': '2023-01-01T00:00:00.000Z'}

    def find(self, runner_id):
        return self.world.runners.get(int(runner_id)) or \
            refuse(404, '404 Not found')

    def find_project(self, which):
        which = urllib.parse.unquote(which)
        if which not in (str(self.options.project), 'lab/veilid'):
            refuse(404, '404 Project Not Found')

    def project(self, request, which):
        self.find_project(which)
        return Answer(200, {**self.show_project(), 'default_branch': 'main',
                            'visibility': 'public', 'archived': False,
                            'shared_runners_enabled': True})

    def runners(self, request, which):
        if self.faults.take('runner-list-500'):
            return self.error_500()
        self.find_project(which)
        query = request.query
        found = sorted(self.world.runners.values(), key=lambda r: -r['id'])
        for key, allowed in (('type', TYPES), ('status', STATUSES)):
            if key in query and query[key] not in allowed:
                missing('%s does not have a valid value' % key)
        if 'type' in query:
            found = [r for r in found if r['kind'] == query['type']]
        if 'status' in query:
            found = [r for r in found if query['status'] in (
                self.status(r), 'paused' if r['paused'] else 'active')]
        if 'paused' in query:
            wanted = query['paused'] in TRUE
            found = [r for r in found if r['paused'] == wanted]
        if 'tag_list' in query:
            wanted = set(tag_list(query['tag_list']))
            found = [r for r in found if wanted <= set(r['tags'])]
        return self.page(request, [self.show(runner) for runner in found])

    def page(self, request, things):
        """By headers; per_page over 100 is 100, without complaint."""
        page = number(request.query.get('page', '1'), 1, 1 << 31)
        per_page = number(request.query.get('per_page', '20'), 1, 1 << 31)
        if page is None or per_page is None:
            missing('page is invalid' if page is None else
                    'per_page is invalid')
        per_page = min(per_page, 100)
        pages = max(1, -(-len(things) // per_page))
        return Answer(200, things[(page - 1) * per_page:page * per_page], {
            'X-Page': str(page), 'X-Per-Page': str(per_page),
            'X-Total': str(len(things)), 'X-Total-Pages': str(pages),
            'X-Next-Page': str(page + 1) if page < pages else '',
            'X-Prev-Page': str(page - 1) if page > 1 else ''})

    def runner(self, request, runner_id):
        if self.faults.take('runner-get-500'):
            return self.error_500()
        return Answer(200, self.show_details(self.find(runner_id)))

    def managers(self, request, runner_id):
        return Answer(200, [{
            'id': m['id'], 'system_id': 's_%012x' % m['droplet'],
            'version': '17.6.0', 'revision': '374d34fd', 'platform': 'linux',
            'architecture': 'amd64', 'created_at': stamp(m['since']),
            'contacted_at': stamp(m['since']), 'ip_address': m['address'],
            'status': 'online', 'job_execution_status': 'idle'}
            for m in self.find(runner_id)['managers']])

    def jobs(self, request, runner_id):
        self.find(runner_id)
        return self.page(request, [])

    def token(self, request):
        return Answer(200, {
            'id': 4711, 'name': 'build-machine-ctl', 'revoked': False,
            'created_at': '2026-01-01T00:00:00.000Z', 'description': None,
            'scopes': self.options.gitlab_scopes.split(','), 'user_id': 7,
            'last_used_at': stamp(clock.time()), 'active': True,
            'expires_at': '2027-12-31'})

    # ----------------------------------------------------------- changing

    def update(self, request, runner_id):
        if self.faults.take('runner-put-500'):
            return self.error_500()
        runner, given = self.find(runner_id), parameters(request)
        known = {'description', 'paused', 'active', 'tag_list', 'locked',
                 'run_untagged', 'access_level', 'maximum_timeout',
                 'maintenance_note'}
        if not known & set(given):
            missing(', '.join(sorted(known)) + ' are missing, at least one '
                    'parameter must be provided')
        if 'paused' in given:
            runner['paused'] = given['paused'] in TRUE
        if 'description' in given:
            runner['description'] = given['description']
        if 'tag_list' in given:
            runner['tags'] = tag_list(given['tag_list'])
        return Answer(200, self.show_details(runner))

    def delete(self, request, runner_id):
        runner = self.find(runner_id)
        if self.faults.take('runner-delete-403'):
            refuse(403, '403 Forbidden - Runner associated with more than one '
                   'project')
        if self.faults.take('runner-delete-412'):
            refuse(412, '412 Precondition Failed')
        if self.faults.take('runner-delete-500'):
            return self.error_500()
        del self.world.runners[runner['id']]
        return Answer(204)
