#include <inttypes.h>
#include <stdio.h>

#include "lib/base/date.h"
#include "lib/frame/report.h"
#include "lib/tree/manifest.h"

int
manifest_report(const struct manifest *m, bool wants_json, struct err *e)
{
	static const struct report_column columns[] = {
		{"serial", REPORT_NUMBER}, {"release", REPORT_TEXT},
		{"date", REPORT_TEXT}, {"files", REPORT_NUMBER},
	};
	struct report *r = report_open(columns, COUNT(columns), wants_json);
	char serial[24], date[DATE_SIZE], files[24];

	snprintf(serial, sizeof(serial), "%" PRIu64, m->serial);
	snprintf(files, sizeof(files), "%zu", m->n);
	date_format(m->date, date);
	report_row(r, serial, m->release, date, files);
	return report_close(r, e);
}
