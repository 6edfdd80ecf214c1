/*
 * What check has found: one record a line, "level subject finding", and the
 * status that the errors among them make.
 */
#ifndef FINDINGS_H
#define FINDINGS_H

#include "lib/frame/report.h"
#include "lib/frame/tool.h"

struct findings {
	struct report *report;
	enum err_kind worst;
	unsigned n_errors;
};

void findings_open(struct findings *f, const struct tool_call *call);
void findings_ok(struct findings *f, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void findings_warn(struct findings *f, const char *subject,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void findings_error(struct findings *f, enum err_kind kind,
    const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Prints them; -1 if there are errors. */
int findings_close(struct findings *f, struct err *e);

#endif
