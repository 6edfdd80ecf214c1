#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "build-machine-ctl/catalogue.h"
#include "build-machine-ctl/cmd.h"
#include "build-machine-ctl/enrol.h"
#include "build-machine-ctl/runner.h"
#include "lib/base/mem.h"
#include "lib/frame/report.h"

#define TEXT_SIZE 1200

/* One record a line, and the status that the errors among them make. */
struct findings {
	struct report *report;
	enum err_kind worst;
	unsigned n_errors;
};

struct check {
	const struct conf *conf;
	struct cloud cloud;
	struct gitlab gitlab;
	struct catalogue offered;
	struct strv builds;	/* those of [machine BUILD] */
	struct findings found;
};

/* ------------------------------------------------------------- findings */

static void
findings_open(struct findings *f, const struct tool_call *call)
{
	static const struct report_column columns[] = {
		{"level", REPORT_TEXT}, {"subject", REPORT_TEXT},
		{"finding", REPORT_TEXT},
	};

	*f = (struct findings){.worst = ERR_NONE};
	f->report = report_open(columns, COUNT(columns), call->wants_json);
}

/* kind tells the level: OK, WARNING, or what kind of error it is. */
#define OK ERR_NONE
#define WARNING (-1)
static void __attribute__((format(printf, 4, 5)))
find(struct findings *f, int kind, const char *subject, const char *fmt, ...)
{
	char text[TEXT_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report_row(f->report, kind == OK ? "ok" : kind == WARNING ? "warning" :
	    "error", subject, text);
	if (kind != OK && kind != WARNING)
		f->worst = f->n_errors++ == 0 ? (enum err_kind)kind :
		    err_worst(f->worst, (enum err_kind)kind);
}

static int
findings_close(struct findings *f, struct err *e)
{
	if (report_close(f->report, e) < 0)
		return -1;
	if (f->n_errors == 0)
		return 0;
	return err_set(e, f->worst, f->n_errors == 1 ?
	    "%u finding is an error" : "%u findings are errors", f->n_errors);
}

/* -------------------------------------------------------------- account */

static int
count_droplets(struct check *c, int64_t *n, struct err *e)
{
	struct json *j = cloud_get(&c->cloud,
	    mem_dup("/v2/droplets?page=1&per_page=1"), e);
	int status = j == NULL ? -1 : 0;

	if (status == 0 && !json_integer(j, "meta.total", n))
		status = err_set(e, ERR_PROTOCOL, "the listing of droplets "
		    "has no total");
	json_free(j);
	return status;
}

/* Is there room for those machines that are not there yet? */
static int
check_limit(struct check *c, int64_t limit, const struct droplets *ours,
    struct err *e)
{
	int64_t present, missing = 0;
	size_t i, k;

	if (count_droplets(c, &present, e) < 0)
		return -1;
	for (i = 0; i < c->builds.n; i++) {
		for (k = 0; k < ours->n; k++)
			if (strcmp(ours->v[k].build, c->builds.v[i]) == 0)
				break;
		missing += k == ours->n;
	}
	if (present + missing > limit)
		find(&c->found, ERR_UNAVAILABLE, "droplet limit",
		    "%lld of %lld droplets exist and %lld more are needed: "
		    "delete some or ask DigitalOcean for a higher limit",
		    (long long)present, (long long)limit, (long long)missing);
	else
		find(&c->found, OK, "droplet limit", "%lld of %lld droplets "
		    "exist", (long long)present, (long long)limit);
	return 0;
}

static int
check_account(struct check *c, const struct droplets *ours, struct err *e)
{
	struct json *j = cloud_get(&c->cloud, mem_dup("/v2/account"), e);
	const char *state = json_string(j, "account.status");
	int64_t limit;
	int status = 0;

	if (j == NULL)
		return -1;
	if (state == NULL || strcmp(state, "active") == 0)
		find(&c->found, OK, "account", "the token is accepted");
	else if (strcmp(state, "warning") == 0)
		find(&c->found, WARNING, "account", "its status is 'warning': "
		    "DigitalOcean's control panel says why");
	else
		find(&c->found, ERR_UNAVAILABLE, "account", "its "
		    "status is '%s': no droplet can be created", state);
	/* a token without droplet:read is not told */
	if (json_integer(j, "account.droplet_limit", &limit))
		status = check_limit(c, limit, ours, e);
	json_free(j);
	return status;
}

/* ---------------------------------------------------------------- tags */

static int
look_at_tag(const struct json *j, void *arg, struct err *e)
{
	struct check *c = arg;
	const char *name = json_string(j, "name");
	size_t i;

	(void)e;
	for (i = 0; name != NULL && i < c->cloud.tags.n; i++)
		if (strcasecmp(c->cloud.tags.v[i], name) == 0 &&
		    strcmp(c->cloud.tags.v[i], name) != 0)
			find(&c->found, ERR_CONFIG, "tags",
			    "DigitalOcean spells '%s' as '%s': spell it "
			    "the same way in [digitalocean] tags",
			    c->cloud.tags.v[i], name);
	return 0;
}

/* They have all our tags, and cost money, but are not ours by name. */
static int
look_at_droplet(const struct json *j, void *arg, struct err *e)
{
	struct check *c = arg;
	struct droplet d;
	int status = droplet_read(&d, j, e);

	if (status == 0 && machine_has_tags(&d.tags, &c->cloud.tags) &&
	    !machine_build(c->conf, d.name, d.build))
		find(&c->found, WARNING, "tags", "droplet %lld '%s' has our "
		    "tags but not one of our names: it is left alone",
		    (long long)d.id, d.name);
	droplet_clear(&d);
	return status;
}

static int
check_tags(struct check *c, struct err *e)
{
	struct buf path = BUF_INIT;
	int status;

	if (cloud_each(&c->cloud, "/v2/tags", "tags", look_at_tag, c, e) < 0)
		return -1;
	buf_str(&path, "/v2/droplets?tag_name=");
	http_quote(&path, c->cloud.tags.v[0]);
	status = cloud_each(&c->cloud, buf_cstr(&path), "droplets",
	    look_at_droplet, c, e);
	buf_clear(&path);
	return status;
}

static void
check_doubles(struct check *c, const struct droplets *ours)
{
	size_t i;

	for (i = 1; i < ours->n; i++)
		if (strcmp(ours->v[i].build, ours->v[i - 1].build) == 0)
			find(&c->found, WARNING, ours->v[i].build, "droplets "
			    "%lld and %lld are both its machine: 'delete' "
			    "deletes both", (long long)ours->v[i - 1].id,
			    (long long)ours->v[i].id);
}

/* ------------------------------------------------------------- machines */

static const struct offer *
check_size(struct check *c, const char *build, const char *region)
{
	const char *name = machine_setting(c->conf, build, "size");
	const struct offer *size = offers_find(&c->offered.sizes, name);

	if (size == NULL)
		find(&c->found, ERR_CONFIG, build, "there is no size "
		    "'%s'", name);
	else if (!size->is_available)
		find(&c->found, ERR_UNAVAILABLE, build, "the size "
		    "'%s' is not available", name);
	else if (!strv_has(&size->regions, region))
		find(&c->found, ERR_CONFIG, build, "the size '%s' is "
		    "not offered in region %s", name, region);
	else if (size->hourly < 0)
		find(&c->found, OK, build, "size %s", name);
	else
		find(&c->found, OK, build, "size %s, %.5f USD an hour",
		    name, size->hourly);
	return size;
}

static void
check_region(struct check *c, const char *build, const char *name)
{
	const struct offer *region = offers_find(&c->offered.regions, name);

	if (region == NULL)
		find(&c->found, ERR_CONFIG, build, "there is no "
		    "region '%s'", name);
	else if (!region->is_available)
		find(&c->found, ERR_UNAVAILABLE, build, "the region "
		    "'%s' is not available", name);
}

static int
check_image(struct check *c, const char *build, const char *region,
    const struct offer *size, struct err *e)
{
	const char *text = machine_setting(c->conf, build, "image");
	struct image image = IMAGE_INIT;
	struct err one = ERR_INIT;
	int status = 0;

	if (text == NULL) {
		find(&c->found, ERR_CONFIG, build, "no image is set");
		return 0;
	}
	if (image_find(&c->cloud, text, region, &image, &one) < 0) {
		if (one.kind == ERR_CONFIG) {
			find(&c->found, one.kind, build, "%s",
			    one.text);
		} else {
			*e = one;
			status = -1;
		}
	} else if (image.regions.n > 0 && !strv_has(&image.regions, region)) {
		find(&c->found, ERR_CONFIG, build, "the image '%s' "
		    "is not in region %s", text, region);
	} else if (size != NULL && image.min_disk > size->disk) {
		find(&c->found, ERR_CONFIG, build, "the image '%s' "
		    "needs a disk of %lld GiB, but the size '%s' has %lld",
		    text, (long long)image.min_disk, size->name,
		    (long long)size->disk);
	} else {
		find(&c->found, OK, build, "image %lld ('%s')",
		    (long long)image.id, text);
	}
	image_clear(&image);
	return status;
}

static void
check_user_data(struct check *c, const char *build)
{
	struct buf text = BUF_INIT;
	struct err one = ERR_INIT;
	bool enrols;

	if (enrol_read_user_data(c->conf, build, c->gitlab.http != NULL, &text,
	    &enrols, &one) < 0)
		find(&c->found, one.kind, build, "%s", one.text);
	buf_clear(&text);
}

static int
check_machine(struct check *c, const char *build, struct err *e)
{
	const char *region = machine_setting(c->conf, build, "region");
	const struct offer *size;

	check_region(c, build, region);
	size = check_size(c, build, region);
	check_user_data(c, build);
	return check_image(c, build, region, size, e);
}

/* -------------------------------------------------------- network and keys */

static void
check_network(struct check *c)
{
	const char *id = conf_get(c->conf, "digitalocean", "vpc");
	const struct offer *network;
	const char *region;
	bool fits = true;
	size_t i;

	if (id == NULL)
		return;
	network = offers_find(&c->offered.networks, id);
	if (network == NULL) {
		find(&c->found, ERR_CONFIG, "vpc", "there is no VPC "
		    "with the id '%s'", id);
		return;
	}
	for (i = 0; i < c->builds.n; i++) {
		region = machine_setting(c->conf, c->builds.v[i], "region");
		if (network->regions.n > 0 &&
		    !strv_has(&network->regions, region)) {
			fits = false;
			find(&c->found, ERR_CONFIG, "vpc", "it is in "
			    "region %s, but the machine of %s is in %s",
			    network->regions.v[0], c->builds.v[i], region);
		}
	}
	if (fits)
		find(&c->found, OK, "vpc", "%s exists", id);
}

static void
check_keys(struct check *c)
{
	struct strv keys = STRV_INIT;
	size_t i, n = 0;

	conf_list(c->conf, "digitalocean", "ssh-keys", &keys);
	for (i = 0; i < keys.n; i++)
		if (offers_find(&c->offered.keys, keys.v[i]) != NULL)
			n++;
		else
			find(&c->found, ERR_CONFIG, "ssh-keys",
			    "the account has no key '%s'", keys.v[i]);
	if (keys.n == 0)
		find(&c->found, WARNING, "ssh-keys", "none is set: "
		    "DigitalOcean mails a root password for each machine");
	else if (n == keys.n)
		find(&c->found, OK, "ssh-keys", "all %zu exist", n);
	strv_clear(&keys);
}

/* --------------------------------------------------------------- GitLab */

static int
check_gitlab(struct check *c, struct err *e)
{
	struct err one = ERR_INIT;

	if (c->gitlab.http == NULL)
		return 0;
	if (gitlab_check(&c->gitlab, &one) == 0) {
		find(&c->found, OK, "gitlab", "project %lld: the token may "
		    "create and delete runners", (long long)c->gitlab.project);
		return 0;
	}
	if (one.kind == ERR_SIGNAL) {
		*e = one;
		return -1;
	}
	find(&c->found, one.kind, "gitlab", "%s", one.text);
	return 0;
}

/* ---------------------------------------------------------------- check */

static int
check(struct check *c, struct err *e)
{
	struct droplets ours = {.v = NULL};
	size_t i;
	int status = cloud_list(&c->cloud, &ours, e);

	conf_names(c->conf, "machine", &c->builds);
	if (status == 0)
		status = check_account(c, &ours, e);
	if (status == 0)
		status = check_tags(c, e);
	check_doubles(c, &ours);
	droplets_clear(&ours);
	if (status == 0)
		status = catalogue_read(&c->cloud, &c->offered, e);
	if (status < 0)
		return -1;
	if (c->builds.n == 0)
		find(&c->found, WARNING, "machines", "there is no section "
		    "[machine BUILD]: nothing can be created");
	for (i = 0; i < c->builds.n && status == 0; i++)
		status = check_machine(c, c->builds.v[i], e);
	if (status < 0)
		return -1;
	check_network(c);
	check_keys(c);
	return check_gitlab(c, e);
}

int
cmd_check(const struct tool_call *call, struct err *e)
{
	struct check c = {.conf = call->conf, .cloud = CLOUD_INIT,
	    .gitlab = GITLAB_INIT};
	struct err printing = ERR_INIT, one = ERR_INIT;
	int64_t timeout;
	int status = cmd_timeout(&timeout, e);

	findings_open(&c.found, call);
	if (status == 0)
		status = cloud_open(&c.cloud, call->conf, timeout, e);
	if (status == 0 && gitlab_open(&c.gitlab, call->conf,
	    c.cloud.deadline, &one) < 0)
		find(&c.found, one.kind, "gitlab", "%s", one.text);
	if (status == 0)
		status = check(&c, e);
	/* what the API refuses is what one wants to know */
	if (status < 0 && c.cloud.http != NULL && e->kind != ERR_SIGNAL) {
		find(&c.found, e->kind, "digitalocean", "%s",
		    e->text);
		status = 0;
	}
	if (findings_close(&c.found, &printing) < 0 && status == 0) {
		*e = printing;
		status = -1;
	}
	catalogue_clear(&c.offered);
	strv_clear(&c.builds);
	gitlab_close(&c.gitlab);
	cloud_close(&c.cloud);
	return status;
}
