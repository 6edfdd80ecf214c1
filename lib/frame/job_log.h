/*
 * The log of a GitLab job. Where GITLAB_CI is "true", stderr is such a log:
 * messages fold into sections, and a failure ends with a line that says what
 * to do about it. Elsewhere nothing is written.
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

/*
 * Begins a section. Both names are written as they are: they must be names of
 * ours. The tool's is borrowed.
 */
void job_log_section(const char *tool, const char *verb);
/* Ends the open section and begins another; does nothing if none is open. */
void job_log_next(const char *verb);
/* Ends the open section, if there is one. */
void job_log_end(void);
/* Writes the remedy for a failure of that kind. */
void job_log_advice(const char *tool, enum err_kind kind);

/*
 * What to do about a job that has failed with that status: a sentence without
 * a full stop, never NULL.
 */
const char *job_log_remedy(enum err_kind kind);

#endif
