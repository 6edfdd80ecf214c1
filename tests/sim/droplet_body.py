"""The body of POST /v2/droplets, judged: what the specification says
(droplets/models/droplet_create.yml), and what it leaves to its prose."""

import re

NAME = re.compile(r'[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]')
TAG = re.compile(r'[a-zA-Z0-9_\-:]+')
USER_DATA_MOST = 64 * 1024

TYPES = {
    'name': str, 'names': list, 'region': str, 'size': str,
    'image': (str, int), 'ssh_keys': list, 'backups': bool,
    'backup_policy': dict, 'ipv6': bool, 'monitoring': bool, 'tags': list,
    'user_data': str, 'private_networking': bool, 'volumes': list,
    'vpc_uuid': str, 'with_droplet_agent': bool, 'public_networking': bool,
}

# Null where the specification has none, but foreign clients are served:
# libcloud 3.4.1 sends user_data:null, python-digitalocean 1.16 vpc_uuid:null.
# Null arrays are refused, but for tags, which the specification allows.
NULL_IS_ABSENT = {'tags', 'user_data', 'vpc_uuid', 'region'}


class Wrong(Exception):
    """Why a body is not acceptable, as a sentence for the client."""


def judge(body, catalogue):
    """The names and the fields of the droplets to be made, or Wrong."""
    body = typed(body)
    names = its_names(body)
    size = catalogue.sizes.get(body['size'])
    if size is None or not size['available']:
        raise Wrong('You specified an invalid size for Droplet creation.')
    image = catalogue.image(body['image'])
    if image is None or image['status'] != 'available':
        raise Wrong('You specified an invalid image for Droplet creation.')
    region = its_region(body, size, image, catalogue)
    if (image['min_disk_size'] or 0) > size['disk']:
        raise Wrong('The image needs a disk of %d GB, the size %s has %d.' % (
            image['min_disk_size'], size['slug'], size['disk']))
    public = body.get('public_networking', True)
    if not public and body.get('ipv6'):
        raise Wrong('ipv6 must be false without public networking.')
    if body.get('volumes'):
        raise Wrong('You specified invalid volumes for Droplet creation.')
    return names, {
        'region': region, 'size': size['slug'], 'image': image,
        'tags': its_tags(body), 'ssh_keys': its_keys(body, catalogue),
        'user_data': its_user_data(body), 'public': public,
        'vpc': its_vpc(body, region, catalogue), 'features': features(body),
        'ipv6': body.get('ipv6', False),
    }


def typed(body):
    body = {key: value for key, value in body.items()
            if value is not None or key not in NULL_IS_ABSENT}
    for key, value in body.items():
        if key not in TYPES:
            raise Wrong("unknown attribute '%s'" % key)
        # in Python true is a number, in JSON it is not
        if not isinstance(value, TYPES[key]) or (
                isinstance(value, bool) and TYPES[key] is not bool):
            raise Wrong("'%s' is of the wrong type" % key)
    for key in ('size', 'image'):
        if key not in body:
            raise Wrong("'%s' is missing" % key)
    return body


def its_names(body):
    if ('name' in body) == ('names' in body):
        raise Wrong("either 'name' or 'names' is needed")
    names = [body['name']] if 'name' in body else body['names']
    if not 1 <= len(names) <= 10:
        raise Wrong('Between 1 and 10 names may be given.')
    for name in names:
        if not isinstance(name, str) or len(name) > 255 or \
                not NAME.fullmatch(name):
            raise Wrong('Only valid hostname characters are allowed. '
                        '(a-z, A-Z, 0-9, . and -)')
    return names


def its_region(body, size, image, catalogue):
    """The region may be left out, and "nyc" means any of New York."""
    wanted = body.get('region')
    known = [slug for slug, region in catalogue.regions.items()
             if region['available'] and (wanted in (None, slug) or
                                         wanted == 'nyc' == slug[:3])]
    if not known:
        raise Wrong('You specified an invalid region for Droplet creation.')
    sold = [slug for slug in known if slug in size['regions']]
    if not sold:
        raise Wrong('Size is not available in this region.')
    there = [slug for slug in sold if slug in image['regions']]
    if not there:
        raise Wrong('Image is not available in this region.')
    return there[0]


def its_tags(body):
    for tag in body.get('tags', []):
        if not isinstance(tag, str) or len(tag) > 255 or \
                not TAG.fullmatch(tag):
            raise Wrong('Tag name may only contain letters, numbers, colons, '
                        'dashes, and underscores.')
    return body.get('tags', [])


def its_keys(body, catalogue):
    keys = []
    for which in body.get('ssh_keys', []):
        key = None if isinstance(which, bool) else catalogue.key(which)
        if key is None:
            raise Wrong('%s are invalid key identifiers for Droplet creation.'
                        % which)
        keys.append(key['id'])
    return keys


def its_user_data(body):
    data = body.get('user_data')
    if data is not None and len(data.encode()) > USER_DATA_MOST:
        raise Wrong('User data must be at most 64 KiB.')
    return data


def its_vpc(body, region, catalogue):
    if 'vpc_uuid' not in body:
        default = catalogue.default_vpc(region)
        return default and default['id']
    vpc = catalogue.vpc(body['vpc_uuid'])
    if vpc is None or vpc['region'] != region:
        raise Wrong('VPC does not exist in the region of the Droplet.')
    return vpc['id']


def features(body):
    has = ['private_networking']
    has += [word for word in ('backups', 'ipv6', 'monitoring')
            if body.get(word)]
    return has + ['droplet_agent']
