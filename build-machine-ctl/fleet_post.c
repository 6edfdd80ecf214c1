#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/enrol.h"
#include "build-machine-ctl/fleet.h"
#include "lib/base/mem.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define MOST_ATTEMPTS 4
#define AGAIN_MS 2000

/* --------------------------------------------------------- the request */

static void
list_tags(const struct fleet *f, struct launch *l, struct strv *tags)
{
	char mark[ATTEMPT_SIZE];
	int64_t ttl = conf_duration(f->conf, "digitalocean", "ttl");
	size_t i;

	for (i = 0; i < f->cloud->tags.n; i++)
		strv_add(tags, f->cloud->tags.v[i]);
	attempt_make(mark);
	strv_take(&l->attempts, mem_format(ATTEMPT_TAG "%s", mark));
	strv_take(tags, mem_format("build:%s", l->build));
	strv_add(tags, l->attempts.v[l->attempts.n - 1]);
	strv_take(tags, mem_format("expires:%lld",
	    (long long)(clock_now() + ttl)));
	if (l->runner.id != 0)
		strv_take(tags, mem_format("runner:%lld",
		    (long long)l->runner.id));
}

static int
add_user_data(const struct fleet *f, const struct launch *l, struct json *j,
    struct err *e)
{
	struct buf text = BUF_INIT;
	int status = 0;

	buf_room(&text, ENROL_LIMIT);	/* no copies of the token behind it */
	if (l->enrols)
		status = enrol_write(f->conf, l->build, l->name,
		    buf_cstr(&l->runner.token), &text, e);
	if (status == 0 && l->enrols)
		json_add_string(j, "user_data", buf_cstr(&text));
	else if (l->user_data.n > 0)
		json_add_string(j, "user_data", buf_cstr(&l->user_data));
	buf_wipe(&text);
	return status;
}

/* Nothing is null: the API refuses that of all lists but the tags. */
static int
write_body(const struct fleet *f, struct launch *l, struct buf *body,
    struct err *e)
{
	const char *vpc = conf_get(f->conf, "digitalocean", "vpc");
	struct strv tags = STRV_INIT, keys = STRV_INIT;
	struct json *j = json_object();
	int status;

	list_tags(f, l, &tags);
	conf_list(f->conf, "digitalocean", "ssh-keys", &keys);
	json_add_string(j, "name", l->name);
	json_add_string(j, "region",
	    machine_setting(f->conf, l->build, "region"));
	json_add_string(j, "size", machine_setting(f->conf, l->build, "size"));
	json_add_integer(j, "image", l->image);
	json_add_words(j, "tags", &tags, false);
	if (keys.n > 0)
		json_add_words(j, "ssh_keys", &keys, true);
	if (vpc != NULL)
		json_add_string(j, "vpc_uuid", vpc);
	status = add_user_data(f, l, j, e);
	if (status == 0)
		json_print(j, body);
	json_free(j);
	strv_clear(&keys);
	strv_clear(&tags);
	return status;
}

/* ---------------------------------------------------------- the answer */

/*
 * What was made must be what was asked for: what is not found by its tags is
 * lost. A tag that exists in another case comes back in that one.
 */
static int
check_made(const struct fleet *f, const struct launch *l,
    const struct droplet *d, struct err *e)
{
	const char *first = f->cloud->tags.v[0];

	if (!launch_owns(l, d))
		return err_set(e, ERR_PROTOCOL, "droplet %lld was made without "
		    "the tags that were asked for", (long long)d->id);
	if (!droplet_has_tag(d, first))
		return err_set(e, ERR_CONFIG, "DigitalOcean writes the tag "
		    "'%s' with other capitals: write it so in [digitalocean] "
		    "tags", first);
	return 0;
}

/* It has a droplet: whatever comes now, there is no second request. */
static void
take_made(struct fleet *f, struct launch *l, struct droplet *d, int64_t action)
{
	struct err e = ERR_INIT;

	log_notice("%s: made droplet %lld %s", l->build, (long long)d->id,
	    l->name);
	droplet_clear(&l->droplet);
	l->droplet = *d;
	*d = (struct droplet){.id = 0};
	snprintf(l->droplet.build, sizeof(l->droplet.build), "%s", l->build);
	l->state = LAUNCH_MADE;
	l->action = action;
	if (check_made(f, l, &l->droplet, &e) < 0)
		launch_fail(l, &e);
}

static void
read_answer(struct fleet *f, struct launch *l, const struct http_request *r)
{
	struct err e = ERR_INIT;
	struct json *j = http_answer(r, &e);
	struct droplet d = {.id = 0};
	int64_t action;
	int status = j == NULL ? -1 :
	    droplet_read(&d, json_at(j, "droplet"), &e);

	if (!json_integer(json_first(j, "links.actions"), "id", &action))
		action = 0;
	if (status == 0 && strcmp(d.name, l->name) != 0)
		status = err_set(&e, ERR_PROTOCOL, "droplet %lld '%s' is not "
		    "what was asked for", (long long)d.id, d.name);
	if (status == 0) {
		take_made(f, l, &d, action);
	} else if (d.id != 0) {
		l->is_unsure = true;
		launch_fail(l, &e);
	} else {
		/* something was made: its tag tells it */
		l->state = LAUNCH_UNSURE;
		l->is_unsure = true;
		l->error = e;
		log_warning("%s: %s%s%s%s: looking for it by its tag", l->build,
		    e.text, r->id[0] ? " (request " : "", r->id,
		    r->id[0] ? ")" : "");
	}
	droplet_clear(&d);
	json_free(j);
}

static bool
says(const struct http_request *r, const char *words)
{
	return strcasestr(r->error.text, words) != NULL;
}

/* It was certainly not made. */
static void
judge_refusal(struct launch *l, struct http_request *r)
{
	if (r->status == 422 && says(r, "try again")) {
		log_detail("%s: %s", l->build, r->error.text);
		l->error = r->error;
		l->error.kind = ERR_AGAIN;
		l->not_before = clock_ms() + AGAIN_MS * (int64_t)l->attempts.n;
		return;
	}
	if (r->status == 422 && says(r, "droplet limit"))
		err_wrap(&r->error, "the account may have no more droplets: "
		    "delete some (build-machine-ctl list, reap), or ask "
		    "DigitalOcean for a higher limit");
	launch_fail(l, &r->error);
}

static void
judge(struct fleet *f, struct launch *l, struct http_request *r)
{
	l->posted = clock_ms();
	l->n_misses = 0;
	l->missing = 0;
	l->was_listed = false;
	if (r->error.kind == ERR_NONE) {
		read_answer(f, l, r);
	} else if (r->may_have_worked) {
		l->state = LAUNCH_UNSURE;
		l->is_unsure = true;
		l->error = r->error;
		log_warning("%s: %s: it may have been made all the same, and "
		    "is looked for by its tag", l->build, r->error.text);
	} else {
		judge_refusal(l, r);
	}
}

static bool
is_due(struct launch *l)
{
	if (l->state != LAUNCH_WANTED || l->not_before > clock_ms())
		return false;
	if (l->attempts.n < MOST_ATTEMPTS)
		return true;
	if (l->error.kind == ERR_NONE)
		err_set(&l->error, ERR_AGAIN, "it does not come");
	err_wrap(&l->error, "given up after %d attempts", MOST_ATTEMPTS);
	launch_fail(l, &l->error);
	return false;
}

void
fleet_post(struct fleet *f)
{
	struct http_request *r = mem_zero(f->n, sizeof(*r));
	struct launch **asked = mem_zero(f->n, sizeof(struct launch *));
	struct err e = ERR_INIT;
	size_t i, n = 0;

	for (i = 0; i < f->n; i++) {
		if (!is_due(&f->v[i]))
			continue;
		r[n].method = HTTP_POST;
		r[n].path = mem_dup("/v2/droplets");
		r[n].hide = f->v[i].runner.token.p;
		asked[n] = &f->v[i];
		if (write_body(f, &f->v[i], &r[n].body, &e) == 0)
			n++;
		else
			launch_fail(&f->v[i], &e), http_request_clear(&r[n]);
	}
	if (n > 0)
		http_run(f->cloud->http, r, n, f->cloud->deadline);
	for (i = 0; i < n; i++) {
		judge(f, asked[i], &r[i]);
		http_request_clear(&r[i]);
	}
	free(asked);
	free(r);
}
