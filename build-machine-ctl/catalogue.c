#include "build-machine-ctl/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/date.h"
#include "lib/base/mem.h"
#include "lib/sys/log.h"

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

static void
read_regions(const struct json *j, struct strv *regions)
{
	const struct json *one;

	for (one = json_first(j, "regions"); one != NULL; one = json_next(one))
		if (json_string(one, "") != NULL)
			strv_add(regions, json_string(one, ""));
}

static int
read_offer(const struct json *j, void *arg, struct err *e)
{
	struct reading *r = arg;
	struct offer o = {.name = read_name(j, r->shape->name), .hourly = -1};

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
	read_regions(j, &o.regions);
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

/* --------------------------------------------------------------- images */

void
image_clear(struct image *image)
{
	strv_clear(&image->regions);
	*image = (struct image)IMAGE_INIT;
}

/* Asks for an id or a slug. ERR_MISSING: there is none. */
static int
ask(struct cloud *c, const char *text, struct image *image, struct err *e)
{
	struct buf path = BUF_INIT;
	struct json *j;
	int status = 0;

	buf_str(&path, "/v2/images/");
	http_quote(&path, text);
	j = cloud_get(c, buf_take(&path), e);
	if (j == NULL)
		return -1;
	/* the id in both cases: a slug may be moved to another image */
	if (!json_integer(j, "image.id", &image->id) || image->id <= 0)
		status = err_set(e, ERR_PROTOCOL, "the image '%s' has no id",
		    text);
	if (!json_integer(j, "image.min_disk_size", &image->min_disk))
		image->min_disk = 0;
	read_regions(json_at(j, "image"), &image->regions);
	json_free(j);
	return status;
}

struct search {
	const char *name;
	const char *region;
	struct image *image;
	int64_t created;
	unsigned n_elsewhere;
	struct buf others;	/* the names that there are */
};

/* A snapshot's id is a string in its listing, and a number elsewhere. */
static bool
read_id(const struct json *j, int64_t *id)
{
	const char *text = json_string(j, "id");

	if (text == NULL)
		return json_integer(j, "id", id) && *id > 0;
	*id = strspn(text, "0123456789") == strlen(text) &&
	    strlen(text) < 16 ? strtoll(text, NULL, 10) : 0;
	return *id > 0;
}

static int
look_at_snapshot(const struct json *j, void *arg, struct err *e)
{
	struct search *s = arg;
	const char *name = json_string(j, "name");
	const char *date = json_string(j, "created_at");
	int64_t id, created = 0;

	(void)e;
	if (name == NULL || !read_id(j, &id))
		return 0;
	if (strcmp(name, s->name) != 0) {
		if (s->others.n < 300)
			buf_addf(&s->others, "%s'%s'", s->others.n ? ", " : "",
			    name);
		return 0;
	}
	if (!json_has(j, "regions", s->region)) {
		s->n_elsewhere++;
		return 0;
	}
	if (date != NULL)
		date_parse(date, &created);
	if (s->image->id != 0 && created < s->created)
		return 0;
	s->created = created;
	s->image->id = id;
	if (!json_integer(j, "min_disk_size", &s->image->min_disk))
		s->image->min_disk = 0;
	strv_clear(&s->image->regions);
	read_regions(j, &s->image->regions);
	return 0;
}

static int
find_snapshot(struct cloud *c, const char *text, const char *region,
    struct image *image, struct err *e)
{
	struct search s = {.name = text, .region = region, .image = image};
	int status = cloud_each(c, "/v2/snapshots?resource_type=droplet",
	    "snapshots", look_at_snapshot, &s, e);

	if (status == 0 && image->id == 0 && s.n_elsewhere > 0)
		status = err_set(e, ERR_CONFIG, "the snapshot '%s' is not in "
		    "region %s: transfer it or set another region", text,
		    region);
	else if (status == 0 && image->id == 0)
		status = err_set(e, ERR_CONFIG, "'%s' is neither the slug of "
		    "an image nor the name of a snapshot%s%s", text,
		    s.others.n ? "; snapshots: " : "", buf_cstr(&s.others));
	else if (status == 0)
		log_detail("snapshot '%s' is image %lld", text,
		    (long long)image->id);
	buf_clear(&s.others);
	return status;
}

int
image_find(struct cloud *c, const char *text, const char *region,
    struct image *image, struct err *e)
{
	bool is_id = strspn(text, "0123456789") == strlen(text);

	if (ask(c, text, image, e) == 0)
		return 0;
	image_clear(image);
	if (e->kind == ERR_MISSING && is_id)
		return err_set(e, ERR_CONFIG, "there is no image %s in this "
		    "account", text);
	if (e->kind != ERR_MISSING)
		return -1;
	*e = (struct err)ERR_INIT;
	return find_snapshot(c, text, region, image, e);
}
