#include "lib/frame/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/frame/job_log.h"
#include "lib/frame/libraries.h"
#include "lib/frame/nearest.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/log.h"
#include "lib/sys/reader.h"
#include "lib/sys/sandbox.h"
#include "lib/sys/secret.h"

#ifndef VERSION
#error "VERSION comes from the Makefile"
#endif

#define MAX_OPTIONS 40
#define LONG_BASE 256	/* what getopt_long returns for option i */

static struct {
	const char *file;
	struct strv overrides;
	bool is_dry_run, is_quiet, wants_json, wants_help, wants_version;
	int verbosity;
} common;

static bool verbose_flag;

static const struct tool_option common_options[] = {
	{'c', "config", "FILE", NULL, "read this configuration",
	    TOOL_TEXT, &common.file},
	{'o', "set", "SECTION.KEY=VALUE", NULL, "override one key",
	    TOOL_LIST, &common.overrides},
	{'n', "dry-run", NULL, NULL, "do everything but the change",
	    TOOL_FLAG, &common.is_dry_run},
	{'q', "quiet", NULL, NULL, "say only warnings and errors",
	    TOOL_FLAG, &common.is_quiet},
	{'v', "verbose", NULL, NULL, "say more; twice for still more",
	    TOOL_FLAG, &verbose_flag},
	{0, "json", NULL, NULL, "print results as one JSON document",
	    TOOL_FLAG, &common.wants_json},
	{0, "help", NULL, NULL, "print this", TOOL_FLAG, &common.wants_help},
	{0, "version", NULL, NULL,
	    "print the version; with -v of libraries too",
	    TOOL_FLAG, &common.wants_version},
	{0},
};

/* Both tables as one list. */
struct options {
	const struct tool_option *v[MAX_OPTIONS];
	bool given[MAX_OPTIONS];
	size_t n;
	struct option names[MAX_OPTIONS + 1];
	char letters[3 * MAX_OPTIONS];	/* ":" first: see bad_option */
};

static void
add_table(struct options *o, const struct tool_option *table)
{
	const struct tool_option *t;
	char *letters = o->letters + strlen(o->letters);

	for (t = table; t->name != NULL; t++) {
		if (o->n == MAX_OPTIONS)
			abort();
		o->names[o->n] = (struct option){t->name,
		    t->arg ? required_argument : no_argument, NULL,
		    LONG_BASE + (int)o->n};
		o->v[o->n++] = t;
		if (t->letter != 0)
			letters += sprintf(letters, "%c%s", t->letter,
			    t->arg ? ":" : "");
	}
}

static size_t
option_index(const struct options *o, int c)
{
	size_t i;

	if (c >= LONG_BASE)
		return (size_t)(c - LONG_BASE);
	for (i = 0; o->v[i]->letter != c; i++)
		;
	return i;
}

/* Of names that begin with what was written, getopt takes the only one. */
static bool
is_ambiguous(const struct options *o, const char *name, size_t n,
    struct buf *names)
{
	size_t i, count = 0;

	for (i = 0; i < o->n; i++)
		if (strncmp(o->names[i].name, name, n) == 0)
			buf_addf(names, "%s'--%s'", count++ > 0 ? " or " : "",
			    o->names[i].name);
	return count > 1;
}

/* text: "--name" or "--name=value", and there is no such option. */
static int
unknown_option(const struct options *o, const char *text, struct err *e)
{
	char *name = mem_dupn(text, strcspn(text, "="));
	struct buf names = BUF_INIT;
	const char *best = "";
	size_t i, d, least = SIZE_MAX;

	for (i = 0; i < o->n; i++) {
		d = nearest_distance(name + 2, o->names[i].name);
		if (d < least) {
			least = d;
			best = o->names[i].name;
		}
	}
	if (is_ambiguous(o, name + 2, strlen(name + 2), &names))
		err_set(e, ERR_USAGE, "option '%s' may be %s", name,
		    buf_cstr(&names));
	else if (nearest_is_likely(name + 2, least))
		err_set(e, ERR_USAGE, "unknown option '%s' (did you mean "
		    "'--%s'?)", name, best);
	else
		err_set(e, ERR_USAGE, "unknown option '%s': see --help", name);
	buf_clear(&names);
	free(name);
	return -1;
}

/*
 * What getopt_long has refused: by ':' a missing argument, where its letters
 * begin with one, else by '?'. text is the argument before optind.
 */
static int
bad_option(const struct options *o, int c, const char *text, struct err *e)
{
	const struct tool_option *t;

	if (optopt == 0)
		return unknown_option(o, text, e);
	if (c == '?' && optopt < LONG_BASE)
		return err_set(e, ERR_USAGE, "unknown option '-%c': see --help",
		    optopt);
	t = o->v[option_index(o, optopt)];
	if (c == '?')
		return err_set(e, ERR_USAGE, "option '--%s' takes no argument",
		    t->name);
	if (optopt < LONG_BASE)
		return err_set(e, ERR_USAGE, "option '-%c' needs an argument: "
		    "-%c %s", optopt, optopt, t->arg);
	return err_set(e, ERR_USAGE, "option '--%s' needs an argument: "
	    "--%s %s", t->name, t->name, t->arg);
}

static int
parse(struct options *o, int argc, char **argv, struct err *e)
{
	const struct tool_option *t;
	size_t i;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, o->letters, o->names,
	    NULL)) != -1) {
		if (c == '?' || c == ':')
			return bad_option(o, c, argv[optind - 1], e);
		i = option_index(o, c);
		t = o->v[i];
		o->given[i] = true;
		switch (t->kind) {
		case TOOL_FLAG:
			*(bool *)t->into = true;
			if (t->into == &verbose_flag)
				common.verbosity++;
			break;
		case TOOL_TEXT:
			*(const char **)t->into = optarg;
			break;
		case TOOL_LIST:
			strv_add(t->into, optarg);
			break;
		}
	}
	return 0;
}

static const struct tool_verb *
find_verb(const struct tool *tool, const char *name)
{
	const struct tool_verb *v;

	for (v = tool->verbs; name != NULL && v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static int
unknown_verb(const struct tool *tool, const char *name, struct err *e)
{
	const struct tool_verb *v;

	if (name == NULL)
		return err_set(e, ERR_USAGE, "no verb is given: see --help");
	for (v = tool->verbs; v->name != NULL; v++)
		if (nearest_is_likely(name, nearest_distance(name, v->name)))
			return err_set(e, ERR_USAGE, "unknown verb '%s' (did "
			    "you mean '%s'?)", name, v->name);
	return err_set(e, ERR_USAGE, "unknown verb '%s': see --help", name);
}

/* An option of other verbs: which ones. */
static int
misplaced_option(const char *option, const struct strv *verbs,
    const char *verb, struct err *e)
{
	struct buf list = BUF_INIT;
	size_t i;

	for (i = 0; i < verbs->n; i++)
		buf_addf(&list, "%s%s", i > 0 ? ", " : "", verbs->v[i]);
	err_set(e, ERR_USAGE, "option '--%s' belongs to %s: %s does not take "
	    "it", option, buf_cstr(&list), verb);
	buf_clear(&list);
	return -1;
}

static int
check_options(const struct options *o, const struct tool_verb *verb,
    struct err *e)
{
	struct strv verbs = STRV_INIT;
	int status = 0;
	size_t i;

	for (i = 0; i < o->n && status == 0; i++) {
		if (!o->given[i] || o->v[i]->verbs == NULL)
			continue;
		strv_split(&verbs, o->v[i]->verbs);
		if (!strv_has(&verbs, verb->name))
			status = misplaced_option(o->v[i]->name, &verbs,
			    verb->name, e);
		strv_clear(&verbs);
	}
	return status;
}

static void
print_options(const struct tool_option *table)
{
	const struct tool_option *t;
	char left[64];

	for (t = table; t->name != NULL; t++) {
		snprintf(left, sizeof(left), "--%s%s%s", t->name,
		    t->arg ? " " : "", t->arg ? t->arg : "");
		if (t->letter)
			printf("  -%c, %-26s %s\n", t->letter, left, t->help);
		else
			printf("      %-26s %s\n", left, t->help);
	}
}

static void
print_help(const struct tool *tool)
{
	const struct tool_verb *v;
	char left[64];

	if (tool->verbs->name == NULL)
		printf("usage: %s [OPTIONS] %s\n%s\n", tool->name,
		    tool->without_verb->args, tool->summary);
	else
		printf("usage: %s [OPTIONS] %s [ARGS]\n%s\n\n", tool->name,
		    tool->without_verb ? "[VERB]" : "VERB", tool->summary);
	for (v = tool->verbs; v->name != NULL; v++) {
		snprintf(left, sizeof(left), "%s%s%s", v->name,
		    v->args[0] ? " " : "", v->args);
		printf("  %-30s %s\n", left, v->help);
	}
	printf("\n");
	print_options(tool->options);
	print_options(common_options);
	printf("\nThe manual is %s.\n", tool->manual);
}

static enum log_level
level(void)
{
	if (common.is_quiet)
		return LOG_WARNING;
	return common.verbosity > 1 ? LOG_TRACE :
	    common.verbosity == 1 ? LOG_DETAIL : LOG_NOTICE;
}

static bool
has_word(const char *words, const char *word)
{
	struct strv v = STRV_INIT;
	bool found;

	strv_split(&v, words != NULL ? words : "");
	found = strv_has(&v, word);
	strv_clear(&v);
	return found;
}

/*
 * No verb can forget the sandbox: what the table does not say is denied. And
 * readers are there, or are not, before there is any secret.
 */
static int
run_confined(const struct tool *tool, const struct tool_verb *verb,
    const struct tool_call *call, struct err *e)
{
	const struct strv nowhere = STRV_INIT;
	int status = 0;

	if (has_word(tool->readers, verb->name) && reader_start(e) < 0)
		return -1;
	if (!has_word(tool->writers, verb->name))
		status = sandbox_enter(&nowhere, e);
	if (status == 0)
		status = verb->run(call, e);
	reader_stop();
	if (status < 0)
		return -1;
	return sandbox_is_entered() ? 0 : err_set(e, ERR_BUG, "%s has run "
	    "outside of the sandbox", verb->name);
}

static int
run_verb(const struct tool *tool, const struct options *o, char **args,
    struct err *e)
{
	const struct tool_verb *verb = find_verb(tool, args[0]);
	struct tool_call call = {.is_dry_run = common.is_dry_run,
	    .wants_json = common.wants_json};
	struct conf *conf;
	int status;

	if (verb != NULL)
		args++;
	else
		verb = tool->without_verb;
	if (verb == NULL || (verb == tool->without_verb && args[0] != NULL &&
	    verb->max_args == 0))
		return unknown_verb(tool, args[0], e);
	call.args = args;
	while (args[call.n_args] != NULL)
		call.n_args++;
	if (call.n_args < verb->min_args || call.n_args > verb->max_args)
		return err_set(e, ERR_USAGE, "usage: %s %s %s", tool->name,
		    verb->name, verb->args);
	if (check_options(o, verb, e) < 0)
		return -1;
	conf = conf_load(common.file, &common.overrides, e);
	if (conf == NULL)
		return -1;
	call.conf = conf;
	if (!common.is_quiet)
		job_log_section(tool->name, verb->name);
	status = run_confined(tool, verb, &call, e);
	conf_free(conf);
	return status;
}

static int
finish(const struct tool *tool, int status, struct err *e)
{
	if (fflush(stdout) == EOF && status == 0)
		status = err_sys(e, "write to standard output");
	job_log_end();
	if (status == 0)
		return EX_OK;
	log_error("%s", e->text);
	job_log_advice(tool->name, e->kind);
	if (e->kind == ERR_SIGNAL)
		cleanup_die_by_signal();
	return (int)e->kind;
}

static void
clear_lists(const struct options *o)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (o->v[i]->kind == TOOL_LIST)
			strv_clear(o->v[i]->into);
}

static int
print_version(const struct tool *tool, struct err *e)
{
	printf("%s %s\n", tool->name, VERSION);
	return common.verbosity > 0 ? libraries_print(e) : 0;
}

int
tool_main(const struct tool *tool, int argc, char **argv)
{
	struct options o = {.letters = ":"};
	struct err e = ERR_INIT;
	int status;

	secret_harden_process();
	umask(022);
	cleanup_start();
	log_open(tool->name, LOG_NOTICE);
	add_table(&o, common_options);
	add_table(&o, tool->options);
	status = parse(&o, argc, argv, &e);
	log_open(tool->name, level());
	if (status == 0 && common.wants_help)
		print_help(tool);
	else if (status == 0 && common.wants_version)
		status = print_version(tool, &e);
	else if (status == 0)
		status = run_verb(tool, &o, argv + optind, &e);
	clear_lists(&o);
	return finish(tool, status, &e);
}
