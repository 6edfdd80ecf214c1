"""The rest of DigitalOcean's API: the account, what can be ordered, tags."""

import droplet_body
from shapes import body_of, listing, not_found, show_snapshot, show_tag
from web import Answer


class Goods:
    def __init__(self, world, options):
        self.world, self.options = world, options
        self.faults = world.faults

    def account_status(self):
        for status in ('locked', 'warning'):
            if self.faults.take('account-' + status):
                return status
        return 'active'

    def account(self, request):
        status = self.account_status()
        return Answer(200, {'account': {
            'droplet_limit': self.options.limit, 'floating_ip_limit': 5,
            'email': 'lab@example.org', 'name': 'Lab',
            'uuid': 'b6f0000000000000000000000000000000000000',
            'email_verified': True, 'status': status,
            'status_message': '' if status == 'active' else
            'Please contact support.',
            'team': {'uuid': '5df0000000000000000000000000000000000000',
                     'name': 'Lab'}}})

    def keys(self, request):
        return listing(request, 'ssh_keys', self.world.catalogue.keys, dict)

    def key(self, request, which):
        return Answer(200, {
            'ssh_key': self.world.catalogue.key(which) or not_found()})

    def images(self, request):
        images = self.world.catalogue.images
        query = request.query
        if query.get('private') == 'true':
            images = [i for i in images if not i['public']]
        if 'tag_name' in query:
            images = [i for i in images if query['tag_name'] in i['tags']]
        elif query.get('type') == 'distribution':
            images = [i for i in images if i['type'] == 'base']
        elif query.get('type') == 'application':
            images = []
        return listing(request, 'images', images, dict)

    def image(self, request, which):
        image = self.world.catalogue.image(which)
        return Answer(200, {'image': image or not_found()})

    def snapshots(self, request):
        kind = request.query.get('resource_type')
        images = [i for i in self.world.catalogue.images
                  if i['type'] == 'snapshot' and kind in (None, 'droplet')]
        return listing(request, 'snapshots', images, show_snapshot)

    def sizes(self, request):
        return listing(request, 'sizes',
                       list(self.world.catalogue.sizes.values()), dict)

    def regions(self, request):
        return listing(request, 'regions',
                       list(self.world.catalogue.regions.values()), dict)

    def vpcs(self, request):
        return listing(request, 'vpcs', self.world.catalogue.vpcs, dict)

    def vpc(self, request, uuid):
        return Answer(200, {
            'vpc': self.world.catalogue.vpc(uuid) or not_found()})

    # -------------------------------------------------------------- tags

    def tags(self, request):
        return listing(request, 'tags', list(self.world.tags),
                       lambda tag: show_tag(self.world, tag))

    def tag(self, request, tag):
        if tag not in self.world.tags:
            not_found()
        return Answer(200, {'tag': show_tag(self.world, tag)})

    def tag_create(self, request):
        try:
            tag = droplet_body.its_tags({'tags': [body_of(request)['name']]})
        except (KeyError, droplet_body.Wrong) as e:
            # tags have errors of another shape: tags/responses/tags_bad_request
            text = 'Error validating resource tag: %s' % e
            return Answer(400, {'error': text, 'messages': None,
                                'root_causes': [text]})
        tag = self.world.canonical(tag[0])
        return Answer(201, {'tag': show_tag(self.world, tag)})
