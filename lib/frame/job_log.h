/*
 * The log of a GitLab job, which is what stderr is where GITLAB_CI is "true":
 * messages fold into sections, and a failure ends with what to do about it.
 * Elsewhere nothing is written.
 *
 *	job_log_section("distribute-packages", "build");
 *	...
 *	job_log_next("send");
 *	...
 *	job_log_end();
 *	job_log_advice("distribute-packages", e.kind);
 *
 * The syntax is GitLab's: "Custom collapsible sections" of its manual on job
 * logs. A section's name occurs once in a log.
 */
#ifndef LIB_FRAME_JOB_LOG_H
#define LIB_FRAME_JOB_LOG_H

#include "lib/base/err.h"

/* Both are names of ours: their bytes are harmless. */
void job_log_section(const char *tool, const char *verb);
/* Ends the section, and begins another of the tool; without one, nothing. */
void job_log_next(const char *verb);
void job_log_end(void);		/* accepts that there is none */
void job_log_advice(const char *tool, enum err_kind kind);

/* What somebody can do who finds a job failed with that status; never NULL. */
const char *job_log_remedy(enum err_kind kind);

#endif
