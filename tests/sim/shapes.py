"""The shapes of what DigitalOcean reads and answers: bodies, errors, things,
lists cut into pages."""

import copy

import catalogue as goods
from web import Answer, Refusal, number, request_id

API = 'https://api.digitalocean.com'


def error(status, kind, message, **headers):
    identity = request_id()
    return Answer(status, {'id': kind, 'message': message,
                           'request_id': identity},
                  {'x-request-id': identity,
                   **{k.replace('_', '-'): v for k, v in headers.items()}})


def refuse(status, kind, message):
    raise Refusal(error(status, kind, message))


def unprocessable(message):
    raise Refusal(error(422, 'unprocessable_entity', message))


def not_found():
    raise Refusal(error(404, 'not_found',
                        'The resource you requested could not be found.'))


def server_error():
    return error(500, 'server_error', 'Unexpected server-side error')


def too_many(retry_after=None):
    answer = error(429, 'too_many_requests', 'API rate limit exceeded.')
    if retry_after is not None:
        answer.headers['retry-after'] = str(max(1, int(retry_after)))
    return answer


def body_of(request):
    kind = request.headers.get('Content-Type', '').split(';')[0].strip()
    if kind.lower() != 'application/json':
        refuse(415, 'unsupported_media_type', 'Content-Type must be '
               'application/json.')
    try:
        return request.json()
    except ValueError:
        refuse(400, 'bad_request', 'error parsing request body')


# ------------------------------------------------------------------- things

def show_region(world, slug):
    return world.catalogue.regions[slug]


def show_networks(droplet, without_address):
    v4, v6 = [], []
    if droplet.status != 'new' and not without_address:
        # the private one comes first in the specification's examples
        if droplet.private:
            v4.append({'ip_address': droplet.address('private'),
                       'netmask': '255.255.0.0', 'gateway': 'nil',
                       'type': 'private'})
        if droplet.public:
            v4.append({'ip_address': droplet.address('public'),
                       'netmask': '255.255.240.0', 'gateway': '127.31.0.1',
                       'type': 'public'})
        if droplet.ipv6:
            v6.append({'ip_address': '2604:a880:0:1010::%x' % droplet.number,
                       'netmask': 64, 'gateway': '2604:a880:0:1010::1',
                       'type': 'public'})
    return {'v4': v4, 'v6': v6}


def show_droplet(world, droplet, without_address=False):
    size = world.catalogue.sizes[droplet.size]
    shown = {
        'id': droplet.id, 'name': droplet.name, 'memory': size['memory'],
        'vcpus': size['vcpus'], 'disk': size['disk'],
        'disk_info': size['disk_info'], 'locked': droplet.locked,
        'status': droplet.status, 'kernel': None,
        'created_at': goods.stamp(droplet.created),
        'features': droplet.features, 'backup_ids': [],
        'next_backup_window': None, 'snapshot_ids': [],
        'image': droplet.image, 'volume_ids': [], 'size': size,
        'size_slug': size['slug'],
        'networks': show_networks(droplet, without_address),
        'region': show_region(world, droplet.region), 'tags': droplet.tags,
    }
    if droplet.vpc:
        shown['vpc_uuid'] = droplet.vpc
    if 'gpu_info' in size:
        shown['gpu_info'] = size['gpu_info']
    return copy.deepcopy(shown)


def show_action(world, action):
    return {
        'id': action.id, 'status': action.status, 'type': action.kind,
        'started_at': goods.stamp(action.started),
        'completed_at': action.completed and goods.stamp(action.completed),
        'resource_id': action.droplet, 'resource_type': 'droplet',
        'region': show_region(world, action.region),
        'region_slug': action.region,
    }


def show_snapshot(image):
    return {'id': str(image['id']), 'name': image['name'],
            'created_at': image['created_at'], 'regions': image['regions'],
            'resource_id': str(image['id'] - 1), 'resource_type': 'droplet',
            'min_disk_size': image['min_disk_size'] or 0,
            'size_gigabytes': image['size_gigabytes'],
            'tags': image['tags']}


def show_tag(world, tag):
    tagged = [d for d in world.living() if tag in d.tags]
    count = {'count': len(tagged)}
    if tagged:
        count['last_tagged_uri'] = '%s/v2/droplets/%d' % (API, tagged[-1].id)
    nothing = {'count': 0}
    return {'name': tag, 'resources': {
        **count, 'droplets': count, 'images': nothing, 'volumes': nothing,
        'volume_snapshots': nothing, 'databases': nothing}}


# -------------------------------------------------------------------- pages

def cut(request, things):
    """One page: the things on it, and (number of pages, page, per_page)."""
    page = number(request.query.get('page', '1'), 1, 1 << 31)
    per_page = number(request.query.get('per_page', '20'), 1, 200)
    if page is None or per_page is None:
        unprocessable('page must be at least 1, per_page between 1 and 200')
    pages = max(1, -(-len(things) // per_page))
    return things[(page - 1) * per_page:page * per_page], (pages, page)


def links(request, pages, page):
    """Absolute, and to DigitalOcean's own host, whatever host was asked; only
    those that make sense."""
    def link(n):
        query = '&'.join(['page=%d' % n] + [
            '%s=%s' % (key, value) for key, value in request.query.items()
            if key != 'page'])
        return '%s%s?%s' % (API, request.path.rstrip('/'), query)

    found = {}
    if page > 1:
        found.update(first=link(1), prev=link(min(page - 1, pages)))
    if page < pages:
        found.update(next=link(page + 1), last=link(pages))
    return {'pages': found} if found else {}


def listing(request, key, things, show):
    part, (pages, page) = cut(request, things)
    return Answer(200, {key: [show(thing) for thing in part],
                        'links': links(request, pages, page),
                        'meta': {'total': len(things)}})
