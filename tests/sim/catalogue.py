"""What can be ordered: regions, sizes, images, networks, keys. The shapes are
those of DigitalOcean's specification; which there are is made up, but for
names that the configuration has as defaults."""

import time

FEATURES = ['backups', 'ipv6', 'metadata', 'install_agent', 'storage',
            'image_transfer']
EVERYWHERE = ['nyc1', 'nyc3', 'fra1', 'sfo3']
PREMIUM = 'Premium Intel'


def stamp(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))


def size(slug, memory, vcpus, disk, monthly, hourly, regions=None, **more):
    return {'slug': slug, 'memory': memory, 'vcpus': vcpus, 'disk': disk,
            'transfer': 5.0, 'price_monthly': monthly, 'price_hourly': hourly,
            'regions': EVERYWHERE if regions is None else regions,
            'available': True, 'description': 'Basic',
            'disk_info': [{'type': 'local',
                           'size': {'amount': disk, 'unit': 'gib'}}], **more}


SIZES = [
    size('s-1vcpu-512mb-10gb', 512, 1, 10, 4.0, 0.00595),
    size('s-1vcpu-1gb', 1024, 1, 25, 6.0, 0.00893),
    size('s-2vcpu-4gb', 4096, 2, 80, 24.0, 0.03571),
    size('c-4', 8192, 4, 50, 84.0, 0.125, description='CPU-Optimized'),
    size('c2-8vcpu-16gb-intel', 16384, 8, 200, 218.0, 0.32440,
         ['nyc1', 'nyc3', 'fra1'], description=PREMIUM),
    size('c2-16vcpu-32gb-intel', 32768, 16, 400, 437.0, 0.65030, ['fra1'],
         description=PREMIUM),
    # one that is no longer sold
    size('m-1vcpu-8gb', 8192, 1, 40, 40.0, 0.05952, [], available=False),
    size('gpu-h100x1-80gb', 245760, 20, 720, 2522.8, 3.39, ['nyc3'],
         description='H100 GPU - 1X', gpu_info={
             'count': 1, 'model': 'nvidia_h100',
             'vram': {'amount': 80, 'unit': 'gib'}}),
]


def region(slug, name, available=True):
    sizes = [s['slug'] for s in SIZES if slug in s['regions']]
    return {'name': name, 'slug': slug, 'features': FEATURES,
            'available': available, 'sizes': sizes}


REGIONS = [
    region('nyc1', 'New York 1'),
    region('nyc3', 'New York 3'),
    region('fra1', 'Frankfurt 1'),
    region('sfo3', 'San Francisco 3'),
    region('sfo1', 'San Francisco 1', False),
]


def image(number, name, slug=None, created='2026-01-15T08:00:00Z', **more):
    return {'id': number, 'name': name, 'distribution': 'Debian', 'slug': slug,
            'public': slug is not None, 'regions': list(EVERYWHERE),
            'created_at': created, 'min_disk_size': 10,
            'size_gigabytes': 0.65, 'description': name, 'tags': [],
            'type': 'base' if slug else 'snapshot', 'status': 'available',
            'error_message': '', **more}


def images():
    snapshot = {'min_disk_size': 200, 'size_gigabytes': 11.2,
                'regions': ['nyc1']}
    return [
        image(123456789, '12 x64', 'debian-12-x64'),
        image(223456790, '13 x64', 'debian-13-x64'),
        image(133456791, '24.04 (LTS) x64', 'ubuntu-24-04-x64',
              distribution='Ubuntu'),
        image(103456792, '10 x64', 'debian-10-x64', status='retired'),
        image(154584863, 'build-amd64-deb', **snapshot),
        image(154584861, 'build-arm64-deb', **snapshot),
        image(154584865, 'build-arm64-rpm', **snapshot),
        # two of one name: the newest is meant
        image(154584860, 'build-amd64-rpm', created='2025-11-02T10:00:00Z',
              **snapshot),
        image(154584864, 'build-amd64-rpm', created='2026-02-03T10:00:00Z',
              **snapshot),
        image(154584870, 'only-in-fra1', min_disk_size=25, regions=['fra1'],
              size_gigabytes=2.0),
    ]


def vpc(number, name, place, ip_range, default):
    uuid = '5a4981aa-9653-4bd1-bef5-%012d' % number
    return {'id': uuid, 'urn': 'do:vpc:' + uuid, 'name': name,
            'description': '', 'region': place, 'ip_range': ip_range,
            'created_at': '2020-03-13T19:20:47Z', 'default': default}


VPCS = [
    vpc(1, 'default-nyc1', 'nyc1', '10.116.0.0/20', True),
    vpc(2, 'default-nyc3', 'nyc3', '10.108.0.0/20', True),
    vpc(3, 'default-fra1', 'fra1', '10.114.0.0/20', True),
    vpc(4, 'default-sfo3', 'sfo3', '10.124.0.0/20', True),
    vpc(5, 'builders', 'nyc1', '10.10.10.0/24', False),
]

KEYS = [
    {'id': number, 'fingerprint': fingerprint, 'name': name,
     'public_key': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLE %s' % name}
    for number, fingerprint, name in (
        (38852180, '3b:16:bf:e4:8b:00:8b:b8:59:8c:a9:d3:f0:19:45:fa', 'one'),
        (38632397, 'f1:0f:bb:a6:d9:cd:0d:ab:44:90:b0:68:bc:0e:0e:9a', 'two'),
        (41187560, '20:c2:6a:53:1f:ea:5b:04:0c:11:fd:3f:dd:32:69:1c', 'three'))
]


class Catalogue:
    def __init__(self):
        self.sizes = {s['slug']: s for s in SIZES}
        self.regions = {r['slug']: r for r in REGIONS}
        self.images = images()
        self.vpcs, self.keys = VPCS, KEYS

    def image(self, which):
        """By id, a number or its decimal form, or by slug."""
        for one in self.images:
            if which == one['id'] or which in (str(one['id']), one['slug']):
                return one
        return None

    def vpc(self, uuid):
        return next((v for v in VPCS if v['id'] == uuid), None)

    def default_vpc(self, place):
        return next((v for v in VPCS if v['region'] == place and v['default']),
                    None)

    def key(self, which):
        """By id, a number, or by fingerprint."""
        return next((k for k in KEYS if which in (
            k['id'], str(k['id']), k['fingerprint'])), None)
