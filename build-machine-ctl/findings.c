#include "build-machine-ctl/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/mem.h"

#define TEXT_SIZE 1200

void
findings_open(struct findings *f, const struct tool_call *call)
{
	static const struct report_column columns[] = {
		{"level", REPORT_TEXT}, {"subject", REPORT_TEXT},
		{"finding", REPORT_TEXT},
	};

	*f = (struct findings){.worst = ERR_NONE};
	f->report = report_open(columns, COUNT(columns), call->wants_json);
}

static void __attribute__((format(printf, 4, 0)))
add(struct findings *f, const char *level, const char *subject,
    const char *fmt, va_list ap)
{
	char text[TEXT_SIZE];

	vsnprintf(text, sizeof(text), fmt, ap);
	report_row(f->report, level, subject, text);
}

void
findings_ok(struct findings *f, const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, "ok", subject, fmt, ap);
	va_end(ap);
}

void
findings_warn(struct findings *f, const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, "warning", subject, fmt, ap);
	va_end(ap);
}

void
findings_error(struct findings *f, enum err_kind kind, const char *subject,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, "error", subject, fmt, ap);
	va_end(ap);
	f->worst = f->n_errors++ == 0 ? kind : err_worst(f->worst, kind);
}

int
findings_close(struct findings *f, struct err *e)
{
	if (report_close(f->report, e) < 0)
		return -1;
	if (f->n_errors == 0)
		return 0;
	return err_set(e, f->worst, f->n_errors == 1 ?
	    "%u finding is an error" : "%u findings are errors", f->n_errors);
}
