#include "lib/frame/report.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/sys/log.h"

struct report {
	const struct report_column *columns;
	size_t n;
	cJSON *array;	/* NULL: text */
	struct buf text;
};

struct report *
report_open(const struct report_column *columns, size_t n, bool wants_json)
{
	struct report *r = mem_zero(1, sizeof(*r));
	size_t i;

	r->columns = columns;
	r->n = n;
	if (wants_json)
		r->array = cJSON_CreateArray();
	else if (isatty(STDOUT_FILENO))
		for (i = 0; i < n; i++)
			buf_addf(&r->text, "%s%c", columns[i].name,
			    i + 1 < n ? '\t' : '\n');
	return r;
}

static void
add_to_object(cJSON *object, const struct report_column *column,
    const char *value)
{
	switch (column->type) {
	case REPORT_TEXT:
		cJSON_AddStringToObject(object, column->name, value);
		break;
	case REPORT_NUMBER:
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

void
report_row(struct report *r, ...)
{
	cJSON *object = r->array ? cJSON_CreateObject() : NULL;
	const char *value;
	va_list ap;
	size_t i;

	va_start(ap, r);
	for (i = 0; i < r->n; i++) {
		value = va_arg(ap, const char *);
		if (object != NULL) {
			add_to_object(object, &r->columns[i], value);
			continue;
		}
		log_harmless(&r->text, value);
		buf_str(&r->text, i + 1 < r->n ? "\t" : "\n");
	}
	va_end(ap);
	if (object != NULL)
		cJSON_AddItemToArray(r->array, object);
}

int
report_close(struct report *r, struct err *e)
{
	char *json = NULL;
	int status = 0;

	if (r->array != NULL) {
		json = cJSON_Print(r->array);
		if (json == NULL)
			status = err_set(e, ERR_BUG, "print JSON");
		else
			printf("%s\n", json);
		free(json);
		cJSON_Delete(r->array);
	} else {
		fwrite(buf_cstr(&r->text), 1, r->text.n, stdout);
	}
	if ((fflush(stdout) == EOF || ferror(stdout)) && status == 0)
		status = err_sys(e, "write to standard output");
	buf_clear(&r->text);
	free(r);
	return status;
}
