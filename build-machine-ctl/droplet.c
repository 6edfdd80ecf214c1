#include "build-machine-ctl/droplet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/date.h"
#include "lib/base/mem.h"
#include "lib/sys/clock.h"

#define HOUR 3600

/*
 * The private address comes first in DigitalOcean's examples, but its place
 * means nothing: the type tells.
 */
static void
read_addresses(struct droplet *d, const struct json *j)
{
	const struct json *net;
	const char *type, *text;
	struct in_addr parsed;
	char *into;

	for (net = json_first(j, "networks.v4"); net != NULL;
	    net = json_next(net)) {
		type = json_string(net, "type");
		text = json_string(net, "ip_address");
		if (type == NULL || text == NULL ||
		    inet_pton(AF_INET, text, &parsed) != 1)
			continue;
		if (strcmp(type, "private") == 0)
			into = d->private_ip;
		else if (strcmp(type, "public") == 0)
			into = d->public_ip;
		else
			continue;
		if (into[0] == '\0')
			snprintf(into, ADDRESS_SIZE, "%s", text);
	}
}

static void
read_tags(struct droplet *d, const struct json *j)
{
	const struct json *tag;
	const char *text;

	for (tag = json_first(j, "tags"); tag != NULL; tag = json_next(tag))
		if ((text = json_string(tag, "")) != NULL)
			strv_add(&d->tags, text);
}

int
droplet_read(struct droplet *d, const struct json *j, struct err *e)
{
	const char *name = json_string(j, "name");
	const char *status = json_string(j, "status");
	const char *created = json_string(j, "created_at");

	*d = (struct droplet){.hourly = -1};
	if (!json_integer(j, "id", &d->id) || d->id <= 0)
		return err_set(e, ERR_PROTOCOL, "a droplet without an id");
	if (name == NULL || status == NULL)
		return err_set(e, ERR_PROTOCOL, "droplet %lld has no %s",
		    (long long)d->id, name == NULL ? "name" : "status");
	d->name = mem_dup(name);
	d->status = mem_dup(status);
	if (created == NULL || !date_parse(created, &d->created))
		d->created = clock_now();
	if (!json_number(j, "size.price_hourly", &d->hourly) ||
	    !(d->hourly >= 0 && d->hourly < 100000))
		d->hourly = -1;
	read_tags(d, j);
	read_addresses(d, j);
	return 0;
}

void
droplet_copy(struct droplet *to, const struct droplet *from)
{
	size_t i;

	*to = *from;
	to->name = mem_dup(from->name);
	to->status = mem_dup(from->status);
	to->tags = (struct strv)STRV_INIT;
	for (i = 0; i < from->tags.n; i++)
		strv_add(&to->tags, from->tags.v[i]);
}

void
droplet_clear(struct droplet *d)
{
	free(d->name);
	free(d->status);
	strv_clear(&d->tags);
	*d = (struct droplet){.id = 0};
}

const char *
droplet_tag(const struct droplet *d, const char *key)
{
	size_t i, n = strlen(key);

	for (i = 0; i < d->tags.n; i++)
		if (strncmp(d->tags.v[i], key, n) == 0 &&
		    d->tags.v[i][n] == ':')
			return d->tags.v[i] + n + 1;
	return NULL;
}

bool
droplet_has_tag(const struct droplet *d, const char *tag)
{
	return strv_has(&d->tags, tag);
}

int64_t
droplet_expires(const struct droplet *d)
{
	const char *text = droplet_tag(d, "expires");
	char *end;
	long long v;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	v = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' ? v : 0;
}

int64_t
droplet_age(const struct droplet *d, int64_t now)
{
	return now > d->created ? now - d->created : 0;
}

void
droplet_cost(const struct droplet *d, int64_t now, bool by_hour,
    char text[COST_SIZE])
{
	int64_t age = droplet_age(d, now);
	double cost;

	text[0] = '\0';
	if (d->hourly < 0)
		return;
	if (by_hour)
		cost = d->hourly * (double)(age / HOUR + (age % HOUR != 0 ||
		    age == 0));
	else
		cost = d->hourly * (double)(age < 60 ? 60 : age) / HOUR;
	if (!by_hour && d->hourly > 0 && cost < 0.01)
		cost = 0.01;
	snprintf(text, COST_SIZE, "%.2f", cost);
}

void
droplets_take(struct droplets *list, struct droplet *d)
{
	if (list->n == list->cap) {
		list->cap = mem_grow(list->cap, list->n + 1);
		list->v = mem_resize(list->v, list->cap, sizeof(*list->v));
	}
	list->v[list->n++] = *d;
	*d = (struct droplet){.id = 0};
}

void
droplets_add(struct droplets *list, const struct droplet *d)
{
	struct droplet copy;

	droplet_copy(&copy, d);
	droplets_take(list, &copy);
}

struct droplet *
droplets_find(const struct droplets *list, int64_t id)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->v[i].id == id)
			return &list->v[i];
	return NULL;
}

static int
by_build(const void *a, const void *b)
{
	const struct droplet *x = a, *y = b;
	int order = strcmp(x->build, y->build);

	return order != 0 ? order : x->id < y->id ? -1 : x->id > y->id;
}

void
droplets_sort(struct droplets *list)
{
	if (list->n > 1)
		qsort(list->v, list->n, sizeof(*list->v), by_build);
}

void
droplets_clear(struct droplets *list)
{
	while (list->n > 0)
		droplet_clear(&list->v[--list->n]);
	free(list->v);
	*list = (struct droplets){.v = NULL};
}
