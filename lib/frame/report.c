#include "lib/frame/report.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/frame/table.h"
#include "lib/sys/log.h"
#include "lib/sys/screen.h"

#define SHA256_SHOWN 12
#define SECONDS "-seconds"

enum form { FORM_LINES, FORM_JSON, FORM_TABLE };

struct report {
	const struct report_column *columns;
	size_t n;
	enum form form;
	cJSON *array;
	struct buf text;	/* lines */
	struct strv cells;	/* of a table, its header first */
};

/* ------------------------------------------------------------- one value */

static void
add_to_object(cJSON *object, const struct report_column *column,
    const char *value)
{
	switch (column->type) {
	case REPORT_TEXT:
	case REPORT_SHA256:
		cJSON_AddStringToObject(object, column->name, value);
		break;
	case REPORT_NUMBER:
	case REPORT_BYTES:
	case REPORT_SECONDS:
		if (value[0] == '\0')
			cJSON_AddNullToObject(object, column->name);
		else
			cJSON_AddRawToObject(object, column->name, value);
		break;
	case REPORT_BOOL:
		cJSON_AddBoolToObject(object, column->name, value[0] != '\0');
		break;
	}
}

static void
add_cell(struct report *r, const struct report_column *column,
    const char *value)
{
	struct buf cell = BUF_INIT;

	if (column->type == REPORT_BYTES && value[0] != '\0')
		value = log_bytes(strtoull(value, NULL, 10));
	else if (column->type == REPORT_SECONDS && value[0] != '\0')
		value = log_time(strtoull(value, NULL, 10));
	log_harmless(&cell, value);
	if (column->type == REPORT_SHA256 && cell.n > SHA256_SHOWN)
		cell.p[SHA256_SHOWN] = '\0';
	strv_add(&r->cells, buf_cstr(&cell));
	buf_clear(&cell);
}

static void
add_header(struct report *r)
{
	const char *name;
	char *shown;
	size_t i, n;

	for (i = 0; i < r->n; i++) {
		name = r->columns[i].name;
		n = strlen(name);
		if (r->columns[i].type == REPORT_SECONDS &&
		    path_ends_with(name, SECONDS))
			n -= strlen(SECONDS);
		shown = mem_dupn(name, n);
		strv_add(&r->cells, shown);
		free(shown);
	}
}

/* ---------------------------------------------------------- all of them */

struct report *
report_open(const struct report_column *columns, size_t n, bool wants_json)
{
	struct report *r = mem_zero(1, sizeof(*r));

	r->columns = columns;
	r->n = n;
	if (wants_json) {
		r->form = FORM_JSON;
		r->array = cJSON_CreateArray();
	} else if (isatty(STDOUT_FILENO)) {
		r->form = FORM_TABLE;
		add_header(r);
	}
	return r;
}

bool
report_is_table(const struct report *r)
{
	return r->form == FORM_TABLE;
}

void
report_row(struct report *r, ...)
{
	cJSON *object = r->form == FORM_JSON ? cJSON_CreateObject() : NULL;
	const char *value;
	va_list ap;
	size_t i;

	va_start(ap, r);
	for (i = 0; i < r->n; i++) {
		value = va_arg(ap, const char *);
		switch (r->form) {
		case FORM_JSON:
			add_to_object(object, &r->columns[i], value);
			break;
		case FORM_TABLE:
			add_cell(r, &r->columns[i], value);
			break;
		case FORM_LINES:
			log_harmless(&r->text, value);
			buf_str(&r->text, i + 1 < r->n ? "\t" : "\n");
			break;
		}
	}
	va_end(ap);
	if (object != NULL)
		cJSON_AddItemToArray(r->array, object);
}

static void
add_table(struct report *r)
{
	enum table_style *styles = mem_zero(r->n, sizeof(*styles));
	size_t i;

	for (i = 0; i < r->n; i++)
		switch (r->columns[i].type) {
		case REPORT_NUMBER:
		case REPORT_BYTES:
		case REPORT_SECONDS:
			styles[i] = TABLE_RIGHT;
			break;
		case REPORT_TEXT:
			styles[i] = i + 1 == r->n ? TABLE_PROSE : TABLE_LEFT;
			break;
		case REPORT_SHA256:
		case REPORT_BOOL:
			styles[i] = TABLE_LEFT;
			break;
		}
	table_add(&r->text, styles, r->n, &r->cells,
	    screen_columns(STDOUT_FILENO));
	free(styles);
}

static int
print_json(const struct report *r, struct err *e)
{
	char *json = cJSON_Print(r->array);

	if (json == NULL)
		return err_set(e, ERR_BUG, "print JSON");
	printf("%s\n", json);
	free(json);
	return 0;
}

int
report_close(struct report *r, struct err *e)
{
	int status = 0;

	if (r->form == FORM_JSON)
		status = print_json(r, e);
	else if (r->form == FORM_TABLE)
		add_table(r);
	fwrite(buf_cstr(&r->text), 1, r->text.n, stdout);
	if ((fflush(stdout) == EOF || ferror(stdout)) && status == 0)
		status = err_sys(e, "write to standard output");
	cJSON_Delete(r->array);
	buf_clear(&r->text);
	strv_clear(&r->cells);
	free(r);
	return status;
}
