#include "build-machine-ctl/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/enrol.h"
#include "lib/base/mem.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define ATTEMPT_TAG "attempt:"
#define MOST_ATTEMPTS 4
#define AGAIN_MS 2000
/* A new droplet is asked about when it takes longer than this. */
#define LATE_MS 5000
/* Nothing knows it for this long: it has vanished. */
#define VANISHED_MS 60000
/* The same of one that was seen, or whose creation is completed. */
#define DELETED_MS 4000
/* seconds that an adopted machine should still have */
#define SOON 3600

int
launch_fail(struct launch *l, const struct err *e)
{
	l->error = *e;
	err_wrap(&l->error, "%s", l->build);
	l->state = LAUNCH_FAILED;
	return -1;
}

int
launch_open(struct launch *l, const struct order *order, const char *build,
    struct err *e)
{
	const struct conf *conf = order->conf;

	l->order = order;
	l->build = build;
	l->name = machine_name(conf, build, e);
	if (l->name == NULL)
		return -1;
	if (machine_setting(conf, build, "image") == NULL)
		return err_set(e, ERR_CONFIG, "set image in [machine %s]",
		    build);
	if (enrol_read_user_data(conf, build, order->gitlab->http != NULL,
	    &l->user_data, &l->enrols, e) < 0)
		return -1;
	if (order->wait == WAIT_RUNNER && !l->enrols)
		return err_set(e, ERR_CONFIG, "--wait runner needs user-data = "
		    "enrol in [machine %s]: without it the machine has no "
		    "runner of its own", build);
	return 0;
}

void
launch_clear(struct launch *l)
{
	free(l->name);
	droplet_clear(&l->droplet);
	droplets_clear(&l->extra);
	buf_wipe(&l->user_data);
	runner_clear(&l->runner);
	strv_clear(&l->attempts);
}

/* What it still lacks, for people; NULL: it is as was asked for. */
static const char *
lacks(const struct launch *l)
{
	if (l->droplet.id == 0)
		return "DigitalOcean has not created it";
	if (!l->was_listed || l->n_misses > 1)
		return "DigitalOcean does not list it";
	if (l->order->wait == WAIT_NONE)
		return NULL;
	if (strcmp(l->droplet.status, "active") != 0)
		return "it is not active";
	if (l->droplet.private_ip[0] == '\0')
		return "it has no private address";
	if (l->order->wait >= WAIT_SSH && !l->has_ssh)
		return "no SSH server answers on port 22 of its private "
		    "address (is this machine in the same VPC?)";
	if (l->order->wait >= WAIT_RUNNER && !l->has_runner)
		return "its runner is not online (see "
		    "/var/log/cloud-init-output.log on the machine)";
	return NULL;
}

void
launch_stop(struct launch *l, const struct err *why)
{
	struct err one = *why;

	if (l->state == LAUNCH_FAILED || l->state == LAUNCH_READY)
		return;
	if (why->kind == ERR_AGAIN && l->error.kind != ERR_NONE) {
		one = l->error;
		err_wrap(&one, "%s", why->text);
	} else if (why->kind == ERR_AGAIN && l->droplet.id != 0) {
		err_set(&one, ERR_AGAIN, "%s: droplet %lld: %s", why->text,
		    (long long)l->droplet.id, lacks(l));
	} else if (why->kind == ERR_AGAIN) {
		err_set(&one, ERR_AGAIN, "%s: %s", why->text, lacks(l));
	}
	launch_fail(l, &one);
}

/* --------------------------------------------------------- what is there */

static bool
owns(const struct launch *l, const struct droplet *d)
{
	size_t i;

	for (i = 0; i < l->attempts.n; i++)
		if (droplet_has_tag(d, l->attempts.v[i]))
			return true;
	return false;
}

/* The droplets are sorted: the first one found has the lowest id. */
static const struct droplet *
find_lowest(const struct launch *l, const struct droplets *listed, bool own)
{
	size_t i;

	for (i = 0; i < listed->n; i++)
		if (strcmp(listed->v[i].build, l->build) == 0 &&
		    owns(l, &listed->v[i]) == own &&
		    droplets_find(&l->extra, listed->v[i].id) == NULL)
			return &listed->v[i];
	return NULL;
}

static void
set_aside(struct launch *l, const struct droplet *d)
{
	if (droplets_find(&l->extra, d->id) != NULL)
		return;
	log_notice("%s: droplet %lld is a duplicate: it will be deleted",
	    l->build, (long long)d->id);
	droplets_add(&l->extra, d);
}

/*
 * This is its droplet now. One that it had before, and that is perhaps in no
 * listing yet, is one too many.
 */
static void
see(struct launch *l, const struct droplet *d)
{
	if (l->droplet.id != d->id) {
		if (l->droplet.id != 0 && !l->is_adopted)
			set_aside(l, &l->droplet);
		l->has_ssh = l->has_runner = false;
		l->told = 0;
	}
	droplet_clear(&l->droplet);
	droplet_copy(&l->droplet, d);
	l->state = LAUNCH_MADE;
	if (l->attempts.n > 0 &&
	    droplet_has_tag(d, l->attempts.v[l->attempts.n - 1]))
		l->is_unsure = false;
	l->error = (struct err)ERR_INIT;
	l->n_misses = 0;
	l->missing = 0;
	l->was_listed = true;
}

/* One that ends itself, or is reaped, in the middle of a job is of no use. */
static void
check_expiry(struct launch *l)
{
	int64_t left = droplet_expires(&l->droplet) - clock_now();
	struct err e = ERR_INIT;

	if (droplet_expires(&l->droplet) == 0 || left > SOON)
		return;
	if (left > 0) {
		log_warning("%s: droplet %lld expires in %lld minutes",
		    l->build, (long long)l->droplet.id, (long long)left / 60);
		return;
	}
	err_set(&e, ERR_UNAVAILABLE, "droplet %lld '%s' exists but has "
	    "expired: run 'build-machine-ctl create --replace %s' to replace "
	    "it", (long long)l->droplet.id, l->name, l->build);
	launch_fail(l, &e);
}

static void
adopt(struct launch *l, const struct droplet *d)
{
	log_notice("%s: droplet %lld %s exists already: adopted", l->build,
	    (long long)d->id, d->name);
	see(l, d);
	l->is_adopted = true;
	l->action = 0;
	check_expiry(l);
}

/* Those of ours that are not the machine are not needed. */
static void
set_others_aside(struct launch *l, const struct droplets *listed)
{
	const struct droplet *d;
	size_t i;

	for (i = 0; i < listed->n; i++) {
		d = &listed->v[i];
		if (d->id != l->droplet.id && owns(l, d) &&
		    strcmp(d->build, l->build) == 0)
			set_aside(l, d);
	}
}

static void
warn_of_others(struct launch *l, const struct droplets *listed)
{
	size_t i;

	for (i = 0; i < listed->n && !l->has_warned; i++)
		if (strcmp(listed->v[i].build, l->build) == 0 &&
		    listed->v[i].id != l->droplet.id &&
		    !owns(l, &listed->v[i])) {
			log_warning("%s: droplet %lld is another machine of "
			    "this build and costs money: if no other run is "
			    "using it, 'build-machine-ctl create --replace %s' "
			    "leaves just one", l->build,
			    (long long)listed->v[i].id, l->build);
			l->has_warned = true;
		}
}

static void
miss(struct launch *l)
{
	if (l->n_misses++ == 0 || l->missing == 0)
		l->missing = clock_ms();
	if (l->state == LAUNCH_READY && l->n_misses > 1)
		l->state = LAUNCH_MADE;
	/* long enough, and often enough, that a late listing would show it */
	if (l->state != LAUNCH_UNSURE || l->n_misses < UNSURE_LISTINGS ||
	    clock_ms() - l->posted < UNSURE_MS)
		return;
	log_notice("%s: no droplet has appeared: requesting another one",
	    l->build);
	l->is_unsure = false;
	l->state = LAUNCH_WANTED;
}

static void
check_status(struct launch *l)
{
	struct err e = ERR_INIT;

	if (strcmp(l->droplet.status, "off") != 0 &&
	    strcmp(l->droplet.status, "archive") != 0)
		return;
	err_set(&e, ERR_UNAVAILABLE, "droplet %lld '%s' is switched off: "
	    "run 'build-machine-ctl create --replace %s' to replace it",
	    (long long)l->droplet.id, l->name, l->build);
	launch_fail(l, &e);
}

void
launch_look(struct launch *l, const struct droplets *listed)
{
	const struct droplet *other = find_lowest(l, listed, false);
	const struct droplet *mine = find_lowest(l, listed, true);

	if (l->state == LAUNCH_FAILED)
		return;
	if (l->is_adopted && l->state != LAUNCH_WANTED)
		/* what else there is of the build is not ours to judge */
		mine = droplets_find(listed, l->droplet.id), other = NULL;
	if (mine == NULL && l->state != LAUNCH_WANTED)
		miss(l);
	if (other != NULL && (mine == NULL ? l->state == LAUNCH_WANTED :
	    other->id < mine->id))
		adopt(l, other);
	else if (mine != NULL)
		see(l, mine);
	if (l->state != LAUNCH_MADE && l->state != LAUNCH_READY)
		return;
	set_others_aside(l, listed);
	check_status(l);
}

/* ----------------------------------------------------- what became of it */

bool
launch_is_late(const struct launch *l)
{
	if (l->state != LAUNCH_MADE)
		return false;
	if (l->n_misses > 1)
		return true;
	return strcmp(l->droplet.status, "new") == 0 && l->action != 0 &&
	    clock_ms() - l->posted > LATE_MS;
}

/*
 * Its droplet is not wanted, and another one is: it is made again, but where
 * that takes what only the first one had.
 */
static void
make_again(struct launch *l, const struct err *why)
{
	struct err e = *why;

	if (l->is_adopted || (l->enrols &&
	    strcmp(l->droplet.status, "new") != 0)) {
		err_wrap(&e, "droplet %lld", (long long)l->droplet.id);
		launch_fail(l, &e);
		return;
	}
	log_warning("%s: droplet %lld: %s: making another one", l->build,
	    (long long)l->droplet.id, why->text);
	if (droplets_find(&l->extra, l->droplet.id) == NULL)
		droplets_add(&l->extra, &l->droplet);
	droplet_clear(&l->droplet);
	l->has_ssh = l->has_runner = false;
	l->told = 0;
	l->state = LAUNCH_WANTED;
	l->error = *why;
	l->action = 0;
}

/* Asks about the droplet itself. True if there is none with its id. */
static bool
is_forgotten(struct launch *l)
{
	struct err e = ERR_INIT;
	struct droplet d = {.id = 0};
	struct json *j = cloud_get(l->order->cloud, mem_format(
	    "/v2/droplets/%lld", (long long)l->droplet.id), &e);
	bool is_unknown = j == NULL && e.kind == ERR_MISSING;

	if (j != NULL && droplet_read(&d, json_at(j, "droplet"), &e) == 0 &&
	    d.id == l->droplet.id && strcmp(d.name, l->name) == 0) {
		snprintf(d.build, sizeof(d.build), "%s", l->build);
		see(l, &d);
	}
	droplet_clear(&d);
	json_free(j);
	return is_unknown;
}

void
launch_inquire(struct launch *l)
{
	struct err e = ERR_INIT, why = ERR_INIT;
	int64_t limit = VANISHED_MS;
	struct json *j = NULL;
	const char *status = NULL;

	if (l->action != 0)
		j = cloud_get(l->order->cloud, mem_format("/v2/actions/%lld",
		    (long long)l->action), &e);
	status = json_string(j, "action.status");
	if (status != NULL && strcmp(status, "errored") == 0) {
		err_set(&why, ERR_AGAIN, "DigitalOcean failed to create it "
		    "(action %lld)", (long long)l->action);
		make_again(l, &why);
	} else if (l->n_misses > 1 && is_forgotten(l)) {
		if (l->was_listed || (status != NULL &&
		    strcmp(status, "completed") == 0))
			limit = DELETED_MS;
		err_set(&why, ERR_AGAIN, "DigitalOcean no longer knows it");
		if (clock_ms() - l->missing > limit)
			make_again(l, &why);
	}
	json_free(j);
}

/* ----------------------------------------------------------- the request */

bool
launch_is_due(struct launch *l)
{
	if (l->state != LAUNCH_WANTED || l->not_before > clock_ms())
		return false;
	if (l->attempts.n < MOST_ATTEMPTS)
		return true;
	if (l->error.kind == ERR_NONE)
		err_set(&l->error, ERR_AGAIN, "no droplet has appeared");
	err_wrap(&l->error, "gave up after %d attempts", MOST_ATTEMPTS);
	launch_fail(l, &l->error);
	return false;
}

static void
list_tags(struct launch *l, struct strv *tags)
{
	char mark[MARK_SIZE];
	int64_t ttl = conf_duration(l->order->conf, "digitalocean", "ttl");
	size_t i;

	for (i = 0; i < l->order->cloud->tags.n; i++)
		strv_add(tags, l->order->cloud->tags.v[i]);
	machine_mark(mark);
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
add_user_data(const struct launch *l, struct json *j, struct err *e)
{
	struct buf text = BUF_INIT;
	int status = 0;

	buf_room(&text, ENROL_LIMIT);	/* no copies of the token behind it */
	if (l->enrols)
		status = enrol_write(l->order->conf, l->build, l->name,
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
write_body(struct launch *l, struct buf *body, struct err *e)
{
	const struct conf *conf = l->order->conf;
	const char *vpc = conf_get(conf, "digitalocean", "vpc");
	struct strv tags = STRV_INIT, keys = STRV_INIT;
	struct json *j = json_object();
	int status;

	list_tags(l, &tags);
	conf_list(conf, "digitalocean", "ssh-keys", &keys);
	json_add_string(j, "name", l->name);
	json_add_string(j, "region",
	    machine_setting(conf, l->build, "region"));
	json_add_string(j, "size", machine_setting(conf, l->build, "size"));
	json_add_integer(j, "image", l->image);
	json_add_words(j, "tags", &tags, false);
	if (keys.n > 0)
		json_add_words(j, "ssh_keys", &keys, true);
	if (vpc != NULL)
		json_add_string(j, "vpc_uuid", vpc);
	status = add_user_data(l, j, e);
	if (status == 0)
		json_print(j, body);
	json_free(j);
	strv_clear(&keys);
	strv_clear(&tags);
	return status;
}

int
launch_write_request(struct launch *l, struct http_request *r, struct err *e)
{
	r->method = HTTP_POST;
	r->path = mem_dup("/v2/droplets");
	r->hide = l->runner.token.p;
	return write_body(l, &r->body, e);
}

/* ------------------------------------------------------------ the answer */

/*
 * What was made must be what was asked for: what is not found by its tags is
 * lost. A tag that exists in another case comes back in that one.
 */
static int
check_made(const struct launch *l, const struct droplet *d, struct err *e)
{
	const char *first = l->order->cloud->tags.v[0];

	if (!owns(l, d))
		return err_set(e, ERR_PROTOCOL, "droplet %lld was made without "
		    "the tags that were asked for", (long long)d->id);
	if (!droplet_has_tag(d, first))
		return err_set(e, ERR_CONFIG, "DigitalOcean spells the tag "
		    "'%s' with other capitals: spell it the same way in "
		    "[digitalocean] tags", first);
	return 0;
}

/* It has a droplet: whatever comes now, there is no second request. */
static void
keep_made(struct launch *l, struct droplet *d, int64_t action)
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
	if (check_made(l, &l->droplet, &e) < 0)
		launch_fail(l, &e);
}

static void
read_made(struct launch *l, const struct http_request *r)
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
		keep_made(l, &d, action);
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
mentions(const struct http_request *r, const char *words)
{
	return strcasestr(r->error.text, words) != NULL;
}

/* It was certainly not made. */
static void
read_refusal(struct launch *l, struct http_request *r)
{
	if (r->status == 422 && mentions(r, "try again")) {
		log_detail("%s: %s", l->build, r->error.text);
		l->error = r->error;
		l->error.kind = ERR_AGAIN;
		l->not_before = clock_ms() + AGAIN_MS * (int64_t)l->attempts.n;
		return;
	}
	if (r->status == 422 && mentions(r, "droplet limit"))
		err_wrap(&r->error, "the account has reached its droplet "
		    "limit: delete some (build-machine-ctl list, reap) or ask "
		    "DigitalOcean for a higher limit");
	launch_fail(l, &r->error);
}

void
launch_read_answer(struct launch *l, struct http_request *r)
{
	l->posted = clock_ms();
	l->n_misses = 0;
	l->missing = 0;
	l->was_listed = false;
	if (r->error.kind == ERR_NONE) {
		read_made(l, r);
	} else if (r->may_have_worked) {
		l->state = LAUNCH_UNSURE;
		l->is_unsure = true;
		l->error = r->error;
		log_warning("%s: %s: the droplet may have been made anyway: "
		    "looking for it by its tag", l->build, r->error.text);
	} else {
		read_refusal(l, r);
	}
}

/* ---------------------------------------------------------- is it ready? */

static bool
is_active(const struct launch *l)
{
	return l->state != LAUNCH_FAILED && l->droplet.id != 0 &&
	    strcmp(l->droplet.status, "active") == 0 &&
	    l->droplet.private_ip[0] != '\0';
}

bool
launch_wants_probe(const struct launch *l)
{
	return is_active(l) && !l->has_ssh;
}

/* One line for each step, once. */
static void
tell_progress(struct launch *l)
{
	double spent = (double)(clock_ms() - l->order->started) / 1000;
	int step = l->has_runner ? 3 : l->has_ssh ? 2 : is_active(l) ? 1 : 0;

	if (step <= l->told)
		return;
	l->told = step;
	if (step == 1)
		log_notice("%s: active at %s after %.0f s", l->build,
		    l->droplet.private_ip, spent);
	else
		log_notice("%s: %s after %.0f s", l->build, step == 2 ?
		    "sshd answers" : "its runner is online", spent);
}

int64_t
launch_runner(const struct launch *l)
{
	const char *tag;

	if (!l->is_adopted)
		return l->runner.id;
	tag = droplet_tag(&l->droplet, "runner");
	return tag ? strtoll(tag, NULL, 10) : 0;
}

void
launch_check(struct launch *l, const struct droplets *listed)
{
	struct err e = ERR_INIT;

	if (l->state != LAUNCH_MADE)
		return;
	tell_progress(l);
	if (lacks(l) == NULL) {
		l->state = LAUNCH_READY;
		warn_of_others(l, listed);
	} else if (l->order->wait == WAIT_RUNNER && launch_runner(l) == 0) {
		err_set(&e, ERR_UNAVAILABLE, "droplet %lld has no runner of "
		    "its own: run 'build-machine-ctl create --replace %s' to "
		    "replace it", (long long)l->droplet.id, l->build);
		launch_fail(l, &e);
	}
}

/* ------------------------------------------------- what it may have made */

bool
launch_is_in_doubt(const struct launch *l)
{
	return l->is_unsure || l->attempts.n > 1;
}

bool
launch_find_attempts(struct launch *l, const struct droplets *listed)
{
	const char *last = l->attempts.v[l->attempts.n - 1];
	const struct droplet *d;
	bool found = false;
	size_t i;

	for (i = 0; i < listed->n; i++) {
		d = &listed->v[i];
		if (!owns(l, d))
			continue;
		found |= droplet_has_tag(d, last);
		if (l->droplet.id == 0)
			droplet_copy(&l->droplet, d);
		else if (d->id != l->droplet.id &&
		    droplets_find(&l->extra, d->id) == NULL)
			droplets_add(&l->extra, d);
	}
	return found;
}
