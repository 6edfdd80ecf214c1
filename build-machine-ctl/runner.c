#include "build-machine-ctl/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/token.h"
#include "lib/base/mem.h"
#include "lib/http/json.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/tally.h"

#define API "/api/v4"
#define PER_PAGE 100	/* the most that GitLab gives */
#define MOST_PAGES 100

void
runner_clear(struct runner *r)
{
	buf_wipe(&r->token);
	*r = (struct runner)RUNNER_INIT;
}

void
runners_clear(struct runners *list)
{
	while (list->n > 0)
		runner_clear(&list->v[--list->n]);
	free(list->v);
	*list = (struct runners){.v = NULL};
}

struct runner *
runners_find(const struct runners *list, int64_t id)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->v[i].id == id)
			return &list->v[i];
	return NULL;
}

/* ------------------------------------------------------------ the service */

static int
read_project(const struct conf *conf, int64_t *project, struct err *e)
{
	const char *text = conf_get(conf, "gitlab", "project");
	char *end;

	errno = 0;
	*project = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || *project <= 0)
		return err_set(e, ERR_CONFIG, "[gitlab] project '%s' is not a "
		    "project ID; the project's page in GitLab shows it", text);
	return 0;
}

int
gitlab_open(struct gitlab *g, const struct conf *conf, int64_t deadline,
    struct err *e)
{
	struct secret token = SECRET_INIT;
	int status;

	g->conf = conf;
	g->deadline = deadline;
	if (conf_get(conf, "gitlab", "project") == NULL)
		return 0;
	status = read_project(conf, &g->project, e);
	if (status == 0)
		status = token_read(conf, "gitlab", "GITLAB_TOKEN", &token, e);
	if (status == 0) {
		g->http = http_open(conf_get(conf, "gitlab", "url"),
		    "PRIVATE-TOKEN: ", &token, e);
		if (g->http == NULL)
			status = err_wrap(e, "[gitlab] url");
	}
	secret_clear(&token);
	return status;
}

void
gitlab_close(struct gitlab *g)
{
	http_close(g->http);
	*g = (struct gitlab)GITLAB_INIT;
}

static struct json *
get(struct gitlab *g, char *path, struct err *e)
{
	return http_get_json(g->http, path, g->deadline, e);
}

/* The scope api holds all others. */
static int
check_scopes(const struct json *token, struct err *e)
{
	static const char *const needed[] = {"create_runner", "manage_runner",
	    "read_api"};
	size_t i;

	if (json_has(token, "scopes", "api"))
		return 0;
	for (i = 0; i < COUNT(needed); i++)
		if (!json_has(token, "scopes", needed[i]))
			return err_set(e, ERR_CONFIG, "the token has neither "
			    "the scope api nor %s", needed[i]);
	return 0;
}

int
gitlab_check(struct gitlab *g, struct err *e)
{
	struct json *j = get(g, mem_dup(API "/personal_access_tokens/self"),
	    e);
	int status = j == NULL ? -1 : check_scopes(j, e);

	json_free(j);
	if (status < 0)
		return -1;
	j = get(g, mem_format(API "/projects/%lld", (long long)g->project), e);
	json_free(j);
	return j == NULL ? -1 : 0;
}

/* --------------------------------------------------------------- listing */

/* "build-server-amd64-deb-tmp 1795330830-9f86d081" */
static bool
read_description(const struct conf *conf, const char *text, struct runner *r)
{
	const char *blank = strrchr(text, ' ');
	char *name;
	bool is_ours;

	if (blank == NULL || !machine_parse_mark(blank + 1, &r->made))
		return false;
	snprintf(r->mark, sizeof(r->mark), "%s", blank + 1);
	name = mem_dupn(text, (size_t)(blank - text));
	is_ours = machine_build(conf, name, r->build);
	free(name);
	return is_ours;
}

static void
add_ours(struct gitlab *g, const struct json *j, bool only_online,
    struct runners *list)
{
	struct runner r = RUNNER_INIT;
	const char *text = json_string(j, "description");
	const char *status = json_string(j, "status");

	if (!json_integer(j, "id", &r.id) || r.id <= 0 || text == NULL ||
	    !read_description(g->conf, text, &r) ||
	    runners_find(list, r.id) != NULL)
		return;
	/* a proxy may have lost the filter on the way */
	if (only_online && (status == NULL || strcmp(status, "online") != 0))
		return;
	list->v = mem_resize(list->v, list->n + 1, sizeof(*list->v));
	list->v[list->n++] = r;
}

/* One page; how many runners are on it, or -1. */
static int
list_page(struct gitlab *g, unsigned page, bool only_online,
    struct runners *list, struct err *e)
{
	struct json *j = get(g, mem_format(API "/projects/%lld/runners"
	    "?type=project_type%s&per_page=%d&page=%u", (long long)g->project,
	    only_online ? "&status=online" : "", PER_PAGE, page), e);
	const struct json *one;
	int n = 0;

	if (j == NULL)
		return -1;
	if (!json_is_array(j, "")) {
		json_free(j);
		return err_set(e, ERR_PROTOCOL, "GitLab's answer is not a "
		    "list");
	}
	for (one = json_first(j, ""); one != NULL; one = json_next(one), n++)
		add_ours(g, one, only_online, list);
	json_free(j);
	return n;
}

int
runner_list(struct gitlab *g, bool only_online, struct runners *list,
    struct err *e)
{
	unsigned page;
	int n;

	runners_clear(list);
	for (page = 1; page <= MOST_PAGES; page++) {
		n = list_page(g, page, only_online, list, e);
		if (n < 0)
			return err_wrap(e, "list the runners");
		if (n < PER_PAGE)
			return 0;
	}
	return err_set(e, ERR_PROTOCOL, "the project has more than %d runners",
	    PER_PAGE * MOST_PAGES);
}

/* ---------------------------------------------------------------- making */

/* Its tags, separated by commas. */
static void
list_tags(const struct conf *conf, const char *build, struct buf *list)
{
	const char *tags = machine_setting(conf, build, "runner-tags");
	struct strv words = STRV_INIT;
	size_t i;

	if (tags != NULL)
		strv_split(&words, tags);
	for (i = 0; i < words.n; i++)
		buf_addf(list, "%s%s", i ? "," : "", words.v[i]);
	strv_clear(&words);
}

static void
write_request(struct gitlab *g, struct runner *r, struct http_request *request)
{
	struct err e = ERR_INIT;
	char *name = machine_name(g->conf, r->build, &e), *description;
	struct buf tags = BUF_INIT;
	struct json *j;

	if (name == NULL)
		abort();	/* the name was checked with the machine */
	machine_mark(r->mark);
	description = mem_format("%s %s", name, r->mark);
	list_tags(g->conf, r->build, &tags);
	j = json_object();
	json_add_string(j, "runner_type", "project_type");
	json_add_integer(j, "project_id", g->project);
	json_add_string(j, "description", description);
	json_add_string(j, "maintenance_note", "made and deleted by "
	    "build-machine-ctl with its machine");
	json_add_string(j, "tag_list", buf_cstr(&tags));
	json_add_bool(j, "run_untagged", false);
	json_add_bool(j, "locked", true);
	json_add_string(j, "access_level", strcmp(conf_get(g->conf, "gitlab",
	    "runner-access"), "all") == 0 ? "not_protected" : "ref_protected");
	request->method = HTTP_POST;
	request->path = mem_dup(API "/user/runners");
	json_print(j, &request->body);
	json_free(j);
	buf_clear(&tags);
	free(description);
	free(name);
}

static int
read_made(const struct http_request *request, struct runner *r, struct err *e)
{
	struct json *j = http_answer(request, e);
	const char *token = json_string(j, "token");
	int status = -1;

	if (j == NULL)
		return -1;
	if (!json_integer(j, "id", &r->id) || r->id <= 0 || token == NULL)
		err_set(e, ERR_PROTOCOL, "GitLab created a runner but did not "
		    "return its id and token");
	else
		status = 0, buf_str(&r->token, token);
	json_free(j);
	return status;
}

static void
read_answer(const struct http_request *request, struct runner *r, struct err *e)
{
	if (request->error.kind != ERR_NONE)
		*e = request->error;
	else if (read_made(request, r, e) == 0)
		return;
	if (!request->may_have_worked && request->error.kind != ERR_NONE)
		r->mark[0] = '\0';	/* there is certainly none */
	err_wrap(e, "%s: create its runner", r->build);
}

void
runner_make(struct gitlab *g, struct runner *v, struct err *errors, size_t n)
{
	struct http_request *r = mem_zero(n, sizeof(*r));
	size_t i;

	for (i = 0; i < n; i++)
		write_request(g, &v[i], &r[i]);
	http_run(g->http, r, n, g->deadline);
	for (i = 0; i < n; i++) {
		read_answer(&r[i], &v[i], &errors[i]);
		http_request_clear(&r[i]);
	}
	free(r);
}

/* ---------------------------------------------------------------- ending */

/* The same request for each runner, at once. */
static struct http_request *
run_each(struct gitlab *g, enum http_method method, const char *body,
    const struct runners *list)
{
	struct http_request *r = mem_zero(list->n, sizeof(*r));
	size_t i;

	for (i = 0; i < list->n; i++) {
		r[i].method = method;
		r[i].path = mem_format(API "/runners/%lld",
		    (long long)list->v[i].id);
		buf_str(&r[i].body, body);
	}
	http_run(g->http, r, list->n, g->deadline);
	return r;
}

void
runner_pause(struct gitlab *g, const struct runners *list)
{
	struct http_request *r;
	size_t i;

	if (list->n == 0)
		return;
	r = run_each(g, HTTP_PUT, "{\"paused\":true}", list);
	for (i = 0; i < list->n; i++) {
		if (r[i].error.kind != ERR_NONE &&
		    r[i].error.kind != ERR_MISSING)
			log_warning("%s: cannot pause its runner: %s",
			    list->v[i].build, r[i].error.text);
		http_request_clear(&r[i]);
	}
	free(r);
}

int
runner_delete(struct gitlab *g, const struct runners *list, struct err *e)
{
	struct tally failed = TALLY_INIT;
	struct http_request *r;
	size_t i;

	if (list->n == 0)
		return 0;
	r = run_each(g, HTTP_DELETE, "", list);
	for (i = 0; i < list->n; i++) {
		if (r[i].error.kind != ERR_NONE &&
		    r[i].error.kind != ERR_MISSING) {
			err_wrap(&r[i].error, "%s: runner %lld still exists: "
			    "run 'build-machine-ctl delete %s' to delete it",
			    list->v[i].build, (long long)list->v[i].id,
			    list->v[i].build);
			tally_add(&failed, &r[i].error);
		} else {
			log_detail("%s: runner %lld is deleted",
			    list->v[i].build, (long long)list->v[i].id);
		}
		http_request_clear(&r[i]);
	}
	free(r);
	return tally_end(&failed, "runners", e);
}
