#include "lib/drop/upload.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/drop/upload_parts.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define PART ".part"
#define TRIES 3
#define PAUSE_MS 2000

void
upload_unique(const void *sums, size_t n, char unique[UPLOAD_UNIQUE])
{
	uint8_t sha256[HASH_SIZE];
	char hex[HASH_HEX];

	hash_data(sums, n, sha256);
	hash_hex(sha256, hex);
	memcpy(unique, hex, UPLOAD_UNIQUE - 1);
	unique[UPLOAD_UNIQUE - 1] = '\0';
}

/* The prover connects while the directories are made. */
static int
send_files(struct sending *s, struct upload_line *first, struct strv *dirs,
    struct err *e)
{
	struct upload_prover *p;
	int status;

	s->is_far = upload_line_is_long(first);
	upload_plan_begin(s);
	p = upload_prover_start(s);
	status = upload_make_dirs(s, first->sftp, dirs, e);
	if (status == 0 && s->look_first)
		status = upload_prover_ask_first(p, e);
	if (status == 0)
		status = upload_lines_send(first, e);
	upload_prover_end(p);
	return status;
}

/* -1 with ERR_AGAIN where another job took the ground away. */
static int
send_drop(struct sending *s, struct upload_line *first, struct err *e)
{
	struct strv dirs = STRV_INIT;
	struct err looking = ERR_INIT;
	int status = send_files(s, first, &dirs, e);

	if (status == 0 && s->look_first)
		status = upload_remove_strays(s, first->sftp, &dirs, e);
	if (status == 0)
		status = upload_commit(s, first->sftp, &dirs, e);
	if (status < 0 && (e->kind == ERR_MISSING || e->kind == ERR_CREATE)) {
		if (upload_is_there(s, first->sftp, &looking) > 0) {
			upload_remove_part(s, first->sftp, &dirs);
			status = 0;
		} else if (e->kind == ERR_MISSING) {
			e->kind = ERR_AGAIN;
		}
	}
	strv_clear(&dirs);
	return status;
}

static int
try(struct sending *s, struct err *e)
{
	struct upload_line first = {.s = NULL};
	int status = upload_line_open(&first, s, e);

	if (status == 0)
		status = upload_is_there(s, first.sftp, e);
	if (status == 0)
		status = upload_check_inbox(s, first.sftp, e);
	else if (status > 0 && !s->u->is_dry_run)
		/* it is the newest again: what was sent last counts */
		status = upload_renew(s, first.sftp, e) < 0 ? -1 : 1;
	s->u->was_there = status > 0;
	if (status == 0 && !s->u->is_dry_run)
		status = send_drop(s, &first, e);
	upload_line_close(&first);
	return status < 0 ? -1 : 0;
}

int
upload_run(struct upload *u, struct err *e)
{
	struct sending s = {.u = u, .lock = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER};
	int status, tries;

	s.part = mem_format("%s/%s" PART, u->inbox, u->name);
	s.final = mem_format("%s/%s", u->inbox, u->name);
	for (tries = 1;; tries++) {
		status = try(&s, e);
		if (status == 0 || e->kind != ERR_AGAIN || tries == TRIES)
			break;
		log_notice("%s; resuming", e->text);
		if (clock_sleep(PAUSE_MS, e) < 0)
			break;
		s.look_first = true;
		s.error = *e = (struct err)ERR_INIT;
	}
	u->sent = s.sent;
	upload_plan_clear(&s);
	free(s.part);
	free(s.final);
	pthread_cond_destroy(&s.changed);
	pthread_mutex_destroy(&s.lock);
	return status < 0 ? err_wrap(e, "drop '%s'", u->name) : 0;
}

int
upload_read(const struct remote_target *t, const char *inbox,
    const struct upload_wanted *wanted, size_t n, struct err *e)
{
	struct upload u = {.target = t};
	struct sending s = {.u = &u};
	struct upload_line line = {.s = NULL};
	int status = upload_line_open(&line, &s, e);
	size_t i;
	char *full;

	for (i = 0; i < n && status == 0; i++) {
		full = mem_format("%s/%s", inbox, wanted[i].path);
		status = sftp_read(line.sftp, full, wanted[i].max,
		    wanted[i].b, e);
		free(full);
	}
	upload_line_close(&line);
	return status;
}
