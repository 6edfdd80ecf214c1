#include "build-machine-ctl/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

/* Which keys of an element the parts of an offer come from. */
struct shape {
	const char *path;
	const char *list;
	const char *name;
	const char *alias;
};

struct reading {
	const struct shape *shape;
	struct offers *into;
};

static char *
read_name(const struct json *j, const char *key)
{
	const char *text = json_string(j, key);
	int64_t number;

	if (text != NULL)
		return mem_dup(text);
	if (json_integer(j, key, &number))
		return mem_format("%lld", (long long)number);
	return NULL;
}

static int
read_offer(const struct json *j, void *arg, struct err *e)
{
	struct reading *r = arg;
	struct offer o = {.name = read_name(j, r->shape->name), .hourly = -1};
	const struct json *one;

	if (o.name == NULL)
		return err_set(e, ERR_PROTOCOL, "the answer to %s has an "
		    "element without %s", r->shape->path, r->shape->name);
	if (r->shape->alias != NULL)
		o.alias = read_name(j, r->shape->alias);
	if (!json_bool(j, "available", &o.is_available))
		o.is_available = true;
	if (!json_integer(j, "disk", &o.disk))
		o.disk = 0;
	if (!json_number(j, "price_hourly", &o.hourly))
		o.hourly = -1;
	for (one = json_first(j, "regions"); one != NULL; one = json_next(one))
		if (json_string(one, "") != NULL)
			strv_add(&o.regions, json_string(one, ""));
	if (json_string(j, "region") != NULL)
		strv_add(&o.regions, json_string(j, "region"));
	r->into->v = mem_resize(r->into->v, r->into->n + 1, sizeof(o));
	r->into->v[r->into->n++] = o;
	return 0;
}

static int
read_offers(struct cloud *c, const struct shape *shape, struct offers *into,
    struct err *e)
{
	struct reading r = {shape, into};

	return cloud_each(c, shape->path, shape->list, read_offer, &r, e);
}

int
catalogue_read(struct cloud *c, struct catalogue *all, struct err *e)
{
	static const struct shape sizes = {"/v2/sizes", "sizes", "slug", NULL};
	static const struct shape regions = {"/v2/regions", "regions", "slug",
	    NULL};
	static const struct shape networks = {"/v2/vpcs", "vpcs", "id", NULL};
	static const struct shape keys = {"/v2/account/keys", "ssh_keys", "id",
	    "fingerprint"};

	if (read_offers(c, &sizes, &all->sizes, e) < 0 ||
	    read_offers(c, &regions, &all->regions, e) < 0 ||
	    read_offers(c, &networks, &all->networks, e) < 0)
		return -1;
	return read_offers(c, &keys, &all->keys, e);
}

static void
clear(struct offers *list)
{
	while (list->n > 0) {
		struct offer *o = &list->v[--list->n];

		free(o->name);
		free(o->alias);
		strv_clear(&o->regions);
	}
	free(list->v);
	*list = (struct offers){.v = NULL};
}

void
catalogue_clear(struct catalogue *all)
{
	clear(&all->sizes);
	clear(&all->regions);
	clear(&all->networks);
	clear(&all->keys);
}

const struct offer *
offers_find(const struct offers *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strcmp(list->v[i].name, name) == 0 ||
		    (list->v[i].alias != NULL &&
		    strcmp(list->v[i].alias, name) == 0))
			return &list->v[i];
	return NULL;
}
