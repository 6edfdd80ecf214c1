#include "build-machine-ctl/cloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/token.h"
#include "lib/base/mem.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define PER_PAGE 200	/* the most that the API gives */
#define MOST_PAGES 100
#define LIST_TRIES 5
#define LIST_PAUSE_MS 300
#define LONGEST_PACE_MS 3000
#define GROWTH_PERCENT 130
/* With fewer requests left than this, they are for what must be done. */
#define SPARE_REQUESTS 60
#define SPARING_MS 20000

int
cloud_open(struct cloud *c, const struct conf *conf, int64_t timeout_ms,
    struct err *e)
{
	struct secret token = SECRET_INIT;
	int status;

	c->conf = conf;
	c->deadline = clock_ms() + timeout_ms;
	status = machine_tags(conf, &c->tags, e);
	if (status == 0)
		status = token_read(conf, "digitalocean",
		    "DIGITALOCEAN_ACCESS_TOKEN", &token, e);
	if (status == 0) {
		c->http = http_open(conf_get(conf, "digitalocean", "api-url"),
		    "Authorization: Bearer ", &token, e);
		if (c->http == NULL)
			status = err_wrap(e, "[digitalocean] api-url");
	}
	secret_clear(&token);
	return status;
}

void
cloud_close(struct cloud *c)
{
	http_close(c->http);
	strv_clear(&c->tags);
	*c = (struct cloud)CLOUD_INIT;
}

/* ---------------------------------------------------------------- asking */

struct json *
cloud_get(struct cloud *c, char *path, struct err *e)
{
	return http_get_json(c->http, path, c->deadline, e);
}

int
cloud_wait(const struct cloud *c, struct cloud_pace *pace, struct err *e)
{
	int64_t wait = pace->interval, left = c->deadline - clock_ms();
	int64_t remaining, reset;

	if (left <= 0)
		return err_set(e, ERR_AGAIN, "timed out");
	if (http_rate(c->http, &remaining, &reset) &&
	    remaining < SPARE_REQUESTS && reset > clock_now())
		wait = SPARING_MS;
	pace->interval = pace->interval * GROWTH_PERCENT / 100;
	if (pace->interval > LONGEST_PACE_MS)
		pace->interval = LONGEST_PACE_MS;
	return clock_sleep(wait < left ? wait : left, e);
}

/* ----------------------------------------------------------------- pages */

/* All pages of one listing. */
struct pages {
	struct json **v;
	size_t n;
	int64_t total;		/* meta.total of the first one */
};

static void
pages_clear(struct pages *p)
{
	while (p->n > 0)
		json_free(p->v[--p->n]);
	free(p->v);
	*p = (struct pages){.v = NULL};
}

/* By number: the links in answers name another host than a proxy's. */
static char *
page_path(const char *path, size_t page)
{
	return mem_format("%s%cpage=%zu&per_page=%d", path,
	    strchr(path, '?') ? '&' : '?', page, PER_PAGE);
}

static int
page_add(struct pages *p, const struct http_request *r, const char *key,
    struct err *e)
{
	struct json *j;

	if (r->error.kind != ERR_NONE) {
		*e = r->error;
		return -1;
	}
	j = http_answer(r, e);
	if (j == NULL)
		return -1;
	p->v = mem_resize(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = j;
	if (!json_is_array(j, key))
		return err_set(e, ERR_PROTOCOL, "the answer to %s has no list "
		    "of %s", r->path, key);
	return 0;
}

/* The first page says how many there are; the rest is asked for at once. */
static int
pages_read(struct cloud *c, const char *path, const char *key,
    struct pages *p, struct err *e)
{
	struct http_request first = HTTP_REQUEST_INIT, *rest;
	size_t n, i;
	int status;

	first.path = page_path(path, 1);
	http_run(c->http, &first, 1, c->deadline);
	status = page_add(p, &first, key, e);
	http_request_clear(&first);
	if (status < 0)
		return -1;
	if (!json_integer(p->v[0], "meta.total", &p->total) || p->total < 0)
		return err_set(e, ERR_PROTOCOL, "the answer to %s has no "
		    "total", path);
	if (p->total > (int64_t)PER_PAGE * MOST_PAGES)
		return err_set(e, ERR_PROTOCOL, "the answer to %s has a "
		    "total of %lld, which is too many", path,
		    (long long)p->total);
	n = p->total <= PER_PAGE ? 0 : (size_t)((p->total - 1) / PER_PAGE);
	if (n == 0)
		return 0;
	rest = mem_zero(n, sizeof(*rest));
	for (i = 0; i < n; i++)
		rest[i].path = page_path(path, i + 2);
	http_run(c->http, rest, n, c->deadline);
	for (i = 0; i < n; i++) {
		if (status == 0)
			status = page_add(p, &rest[i], key, e);
		http_request_clear(&rest[i]);
	}
	free(rest);
	return status;
}

/* What tells an element from others: of droplets and most, the id. */
static void
add_key(const struct json *element, struct strv *keys)
{
	static const char *const names[] = {"id", "slug", "name"};
	const char *text;
	int64_t id;
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		text = json_string(element, names[i]);
		if (text != NULL)
			strv_add(keys, text);
		else if (json_integer(element, names[i], &id))
			strv_take(keys, mem_format("%lld", (long long)id));
		else
			continue;
		return;
	}
}

/* How many different elements there are in n tries. */
static int64_t
count_distinct(const struct pages *tries, int n, const char *key)
{
	const struct json *element;
	struct strv keys = STRV_INIT;
	int64_t found = 0;
	size_t i;
	int k;

	for (k = 0; k < n; k++)
		for (i = 0; i < tries[k].n; i++)
			for (element = json_first(tries[k].v[i], key);
			    element != NULL; element = json_next(element))
				add_key(element, &keys);
	strv_sort(&keys);
	for (i = 0; i < keys.n; i++)
		found += i == 0 || strcmp(keys.v[i], keys.v[i - 1]) != 0;
	strv_clear(&keys);
	return found;
}

/* Nothing came or went while they were read. */
static bool
pages_agree(const struct pages *p, const char *key)
{
	int64_t total;
	size_t i;

	for (i = 0; i < p->n; i++)
		if (!json_integer(p->v[i], "meta.total", &total) ||
		    total != p->total)
			return false;
	return count_distinct(p, 1, key) == p->total;
}

static int
pages_visit(const struct pages *p, const char *key,
    int (*visit)(const struct json *, void *, struct err *), void *arg,
    struct err *e)
{
	const struct json *element;
	size_t i;

	for (i = 0; i < p->n; i++)
		for (element = json_first(p->v[i], key); element != NULL;
		    element = json_next(element))
			if (visit(element, arg, e) < 0)
				return -1;
	return 0;
}

/*
 * No try was whole: are they together? One may have missed what another has
 * seen.
 */
static int
check_whole(const struct pages *tries, int n, const char *key, struct err *e)
{
	int64_t least = tries[0].total;
	int k;

	for (k = 1; k < n; k++)
		if (tries[k].total < least)
			least = tries[k].total;
	if (count_distinct(tries, n, key) >= least)
		return 0;
	return err_set(e, ERR_AGAIN, "the listing of %s keeps changing or is "
	    "incomplete: it has fewer than the %lld that it announces", key,
	    (long long)least);
}

int
cloud_each(struct cloud *c, const char *path, const char *key,
    int (*visit)(const struct json *, void *, struct err *), void *arg,
    struct err *e)
{
	struct pages tries[LIST_TRIES] = {{.v = NULL}};
	bool is_whole = false;
	int n = 0, i, status;

	for (;;) {
		status = pages_read(c, path, key, &tries[n++], e);
		if (status == 0)
			is_whole = pages_agree(&tries[n - 1], key);
		if (status < 0 || is_whole || n == LIST_TRIES)
			break;
		status = clock_sleep(LIST_PAUSE_MS, e);
		if (status < 0)
			break;
	}
	if (status == 0 && !is_whole)
		status = check_whole(tries, n, key, e);
	for (i = is_whole ? n - 1 : 0; i < n && status == 0; i++)
		status = pages_visit(&tries[i], key, visit, arg, e);
	for (i = 0; i < n; i++)
		pages_clear(&tries[i]);
	return status;
}

/* -------------------------------------------------------------- droplets */

struct listing {
	const struct cloud *cloud;
	struct droplets *ours;
};

static int
add_ours(const struct json *element, void *arg, struct err *e)
{
	struct listing *l = arg;
	const char *name = json_string(element, "name");
	char build[BUILD_SIZE];
	struct droplet d;
	int status;

	/* what is odd about others' droplets is not our concern */
	if (name == NULL || !machine_build(l->cloud->conf, name, build))
		return 0;
	status = droplet_read(&d, element, e);
	snprintf(d.build, sizeof(d.build), "%s", build);
	if (status == 0 && machine_has_tags(&d.tags, &l->cloud->tags) &&
	    droplets_find(l->ours, d.id) == NULL)
		droplets_take(l->ours, &d);
	droplet_clear(&d);
	return status;
}

int
cloud_list(struct cloud *c, struct droplets *list, struct err *e)
{
	struct listing l = {c, list};
	struct buf path = BUF_INIT;
	int status;

	droplets_clear(list);
	buf_str(&path, "/v2/droplets?tag_name=");
	http_quote(&path, c->tags.v[0]);
	status = cloud_each(c, buf_cstr(&path), "droplets", add_ours, &l, e);
	buf_clear(&path);
	if (status == 0)
		droplets_sort(list);
	return status;
}
