#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deploy-repo/cmd.h"
#include "deploy-repo/intake_drop.h"
#include "deploy-repo/intake_tar.h"
#include "deploy-repo/site.h"
#include "deploy-repo/switch.h"
#include "deploy-repo/waiting.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"

/* Where the generation comes from. */
struct origin {
	bool is_tar;
	uint64_t serial;	/* 0: the newest drop */
	struct waiting waiting;	/* in the inbox */
};

/* --------------------------------------------------------- after the swap */

/*
 * Drops of this generation and of older ones have served, and generations may
 * have fallen off the end. All is public: what fails now is only worth a
 * warning.
 */
static void
tidy(const struct site *s, const struct origin *o, uint64_t serial)
{
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < o->waiting.n; i++)
		if (o->waiting.v[i].serial <= serial &&
		    fs_remove_tree(s->inbox, o->waiting.v[i].name, &e) < 0)
			log_warning("[deploy] inbox: %s", e.text);
	if (site_prune(s, false, false, &e) < 0)
		log_warning("%s", e.text);
}

/* ------------------------------------------------------------- deploying */

static int
make_live(const struct tool_call *call, struct intake *in, struct err *e)
{
	const struct manifest *m = &in->next.manifest;
	struct site *s = in->site;

	if (in->is_known && s->live == m->serial) {
		log_notice("generation %" PRIu64 " is live already", m->serial);
		/* a run that was killed may have left links to be made */
		return call->is_dry_run ? 0 : switch_to(s, &in->next, e);
	}
	if (call->is_dry_run) {
		log_notice("dry run: generation %" PRIu64 ", %s, is good and "
		    "would go live", m->serial, m->release);
		return 0;
	}
	if (!in->is_known && intake_commit(in, e) < 0)
		return -1;
	if (switch_to(s, &in->next, e) < 0)
		return -1;
	log_notice("generation %" PRIu64 " is live: %s, %zu files", m->serial,
	    m->release, m->n);
	return 0;
}

static const char *
choose_drop(const struct origin *o, struct err *e)
{
	size_t i;

	for (i = o->waiting.n; i-- > 0;)
		if (o->serial == 0 || o->waiting.v[i].serial == o->serial)
			return o->waiting.v[i].name;
	if (o->serial != 0)
		err_set(e, ERR_MISSING, "no complete drop of generation %"
		    PRIu64 " in the inbox", o->serial);
	else
		err_set(e, ERR_MISSING, "no complete drop in the inbox: "
		    "distribute-packages export | deploy-repo -");
	return NULL;
}

static int
bring_in(struct intake *in, const struct origin *o, struct err *e)
{
	const char *name;

	if (o->is_tar)
		return intake_tar(in, STDIN_FILENO, e);
	name = choose_drop(o, e);
	if (name == NULL)
		return -1;
	log_notice("taking drop %s", name);
	return intake_drop(in, name, e);
}

/* A job that runs a second time finds its drop gone: all is done. */
static bool
is_done_already(const struct site *s, const struct origin *o)
{
	size_t i;

	if (o->is_tar || s->live == 0)
		return false;
	if (o->serial == 0)
		return o->waiting.n == 0;
	for (i = 0; i < o->waiting.n; i++)
		if (o->waiting.v[i].serial == o->serial)
			return false;
	return o->serial == s->live;
}

static int
repeat(const struct tool_call *call, struct site *s, const struct origin *o,
    struct err *e)
{
	struct kept k = KEPT_INIT;
	int status = site_load(s, s->live, &k, e);

	if (status == 0) {
		log_notice("nothing to do: no drop waits, generation %" PRIu64
		    " is live", s->live);
		/* a run that was killed may have left links to be made */
		if (!call->is_dry_run)
			status = switch_to(s, &k, e);
	}
	if (status == 0 && !call->is_dry_run)
		tidy(s, o, s->live);
	if (status == 0)
		status = manifest_report(&k.manifest, call->wants_json, e);
	kept_clear(&k);
	return status;
}

static int
deploy(const struct tool_call *call, struct site *s, const struct origin *o,
    struct err *e)
{
	struct intake in = INTAKE_INIT;
	int status = -1;

	if (is_done_already(s, o))
		return repeat(call, s, o, e);
	in.site = s;
	in.allow_older = options.allow_older;
	in.asked = o->serial;
	in.trusted = site_trusted(call->conf, e);
	if (in.trusted != NULL && bring_in(&in, o, e) == 0)
		status = make_live(call, &in, e);
	if (status == 0 && !call->is_dry_run) {
		tidy(s, o, in.next.manifest.serial);
		status = manifest_report(&in.next.manifest, call->wants_json,
		    e);
	}
	pgp_close(in.trusted);
	intake_clear(&in);
	return status;
}

static int
read_arguments(const struct tool_call *call, struct origin *o, struct err *e)
{
	if (call->n_args > 0 && strcmp(call->args[0], "-") == 0)
		o->is_tar = true;
	else if (call->n_args > 0 &&
	    cmd_parse_serial(call->args[0], &o->serial, e) < 0)
		return -1;
	if (o->is_tar && isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE, "standard input is a terminal: "
		    "distribute-packages export | deploy-repo -");
	return 0;
}

/*
 * Where it cannot be looked for drops, nobody may say that there is none. An
 * archive does without the inbox; only its sender is not told then.
 */
static int
find_drops(const struct site *s, struct origin *o, struct err *e)
{
	if (s->inbox >= 0)
		return waiting_find(s, &o->waiting, e);
	if (!o->is_tar) {
		*e = s->no_inbox;
		return -1;
	}
	if (s->no_inbox.kind != ERR_MISSING)
		log_warning("%s", s->no_inbox.text);
	return 0;
}

/*
 * All is done that can be, and yet there is something to be said. Of the drops,
 * whoever deploys an archive has asked for none.
 */
static int
tell_bad(struct origin *o, int status, struct err *e)
{
	if (o->waiting.bad.n == 0 || (status < 0 && e->kind == ERR_SIGNAL))
		return status;
	if (o->is_tar) {
		log_warning("%s", o->waiting.bad.first.text);
		return status;
	}
	if (status < 0)
		tally_add(&o->waiting.bad, e);
	*e = (struct err)ERR_INIT;
	return tally_end(&o->waiting.bad, "drops", e);
}

int
cmd_deploy(const struct tool_call *call, struct err *e)
{
	struct site s = SITE_INIT;
	struct origin o = {.waiting = WAITING_INIT};
	int status = read_arguments(call, &o, e);

	if (status == 0)
		status = site_open(&s, call->conf, true, e);
	if (status == 0)
		status = find_drops(&s, &o, e);
	if (status == 0)
		status = deploy(call, &s, &o, e);
	status = tell_bad(&o, status, e);
	site_close(&s);
	waiting_clear(&o.waiting);
	return status;
}
