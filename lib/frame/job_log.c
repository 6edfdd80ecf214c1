#include "lib/frame/job_log.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ERASE "\033[0K"

static const char *tool;
static char name[96];	/* of the section that is open; "": none */

static bool
is_job(void)
{
	const char *value = getenv("GITLAB_CI");

	return value != NULL && strcmp(value, "true") == 0;
}

static void
mark(const char *what, const char *title)
{
	fprintf(stderr, ERASE "section_%s:%lld:%s\r" ERASE "%s\n", what,
	    (long long)time(NULL), name, title);
}

static void
begin(const char *verb)
{
	static unsigned serial;
	char title[96];

	snprintf(title, sizeof(title), "%s%s%s", tool, *verb ? " " : "", verb);
	snprintf(name, sizeof(name), "%s.%d.%u", tool, (int)getpid(),
	    ++serial);
	mark("start", title);
}

void
job_log_section(const char *of, const char *verb)
{
	if (!is_job())
		return;
	tool = of;
	begin(verb);
}

void
job_log_next(const char *verb)
{
	if (name[0] == '\0')
		return;
	job_log_end();
	begin(verb);
}

void
job_log_end(void)
{
	if (name[0] == '\0')
		return;
	mark("end", "");
	name[0] = '\0';
}

const char *
job_log_remedy(enum err_kind kind)
{
	switch (kind) {
	case ERR_AGAIN:
		return "run this job again; it skips what is done already";
	case ERR_DATA:
		return "repair what the message names where it was made, then "
		    "run the pipeline again; the public repository is "
		    "unchanged";
	case ERR_MISSING:
		return "run the job that makes what is missing, then this one";
	case ERR_UNAVAILABLE:
		return "correct what the service objects to, then run this job "
		    "again";
	case ERR_CREATE:
	case ERR_IO:
		return "free space or correct the permissions where the "
		    "message says, then run this job again";
	case ERR_RESOURCE:
		return "give this machine, or the user of the job, more of "
		    "what has run out, then run this job again";
	case ERR_PROTOCOL:
		return "find out what answers at that address, then run this "
		    "job again";
	case ERR_REFUSED:
		return "correct the key, the login or the permission that the "
		    "message names, then run this job again";
	case ERR_CONFIG:
		return "correct the configuration of this machine or the "
		    "variables of the job, then run it again";
	case ERR_USAGE:
		return "compare the script of the job with --help";
	case ERR_SIGNAL:
		return "run this job again: something outside stopped it";
	default:
		return "report this bug, with this log; it is safe to run the "
		    "job again";
	}
}

void
job_log_advice(const char *of, enum err_kind kind)
{
	if (is_job())
		fprintf(stderr, "%s: what to do: %s\n", of,
		    job_log_remedy(kind));
}
