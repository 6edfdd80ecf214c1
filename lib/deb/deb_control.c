#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/deb/control.h"
#include "lib/deb/deb.h"

#define FIELDS_LIMIT 256

/*
 * What apt reads of a package's place and hashes: an index adds them, a
 * package that brings its own would speak for another file.
 */
static const char *const index_fields[] = {
	"Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512", "Hash",
};

static int
check_text(const char *text, size_t n, struct err *e)
{
	size_t i;

	while (n > 0 && text[n - 1] == '\n')
		n--;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return err_set(e, ERR_DATA, "control file has a "
			    "control character (byte %zu is 0x%02x)", i, c);
		/* apt ends a stanza at an empty line, also in a value */
		if (c == '\n' && i + 1 < n && text[i + 1] == '\n')
			return err_set(e, ERR_DATA,
			    "control file has more than one paragraph");
	}
	return 0;
}

static int
check_field(const struct field *seen, size_t n, const struct field *f,
    struct err *e)
{
	size_t i;

	for (i = 0; i < COUNT(index_fields); i++)
		if (field_is(f, index_fields[i]))
			return err_set(e, ERR_DATA, "control file has the "
			    "field %s, which belongs to an index",
			    index_fields[i]);
	for (i = 0; i < n; i++)
		if (seen[i].name_n == f->name_n &&
		    strncasecmp(seen[i].name, f->name, f->name_n) == 0)
			return err_set(e, ERR_DATA, "control file has the "
			    "field %.*s twice", (int)f->name_n, f->name);
	return 0;
}

static void
take(const struct field *f, const char *name, char **value)
{
	if (field_is(f, name))
		*value = mem_dupn(f->value, f->value_n);
}

static int
check_values(const struct deb *d, bool has_maintainer, bool has_description,
    struct err *e)
{
	const char *missing = !d->package ? "Package" :
	    !d->version ? "Version" : !d->architecture ? "Architecture" :
	    !has_maintainer ? "Maintainer" :
	    !has_description ? "Description" : NULL;

	if (missing != NULL)
		return err_set(e, ERR_DATA, "control file lacks the field %s",
		    missing);
	if (!control_is_package(d->package))
		return err_set(e, ERR_DATA, "bad package name '%s'",
		    d->package);
	if (!control_is_version(d->version))
		return err_set(e, ERR_DATA, "bad version '%s'", d->version);
	if (!control_is_architecture(d->architecture))
		return err_set(e, ERR_DATA, "bad architecture '%s'",
		    d->architecture);
	return 0;
}

int
deb_parse_control(const char *text, size_t n, struct deb *d, struct err *e)
{
	struct field seen[FIELDS_LIMIT], *f;
	bool has_maintainer = false, has_description = false;
	const char *p = text, *end = text + n;
	size_t count = 0;
	int status;

	if (check_text(text, n, e) < 0)
		return -1;
	while (p < end && *p == '\n')
		p++;
	text = p;
	for (;;) {
		f = &seen[count];
		status = control_next(&p, end, f, e);
		if (status <= 0)
			break;
		if (check_field(seen, count, f, e) < 0)
			return -1;
		if (++count == FIELDS_LIMIT)
			return err_set(e, ERR_DATA, "control file has more "
			    "than %d fields", FIELDS_LIMIT - 1);
		take(f, "Package", &d->package);
		take(f, "Version", &d->version);
		take(f, "Architecture", &d->architecture);
		has_maintainer |= field_is(f, "Maintainer");
		has_description |= field_is(f, "Description");
	}
	if (status < 0)
		return err_wrap(e, "control file");
	if (check_values(d, has_maintainer, has_description, e) < 0)
		return -1;
	buf_add(&d->control, text, (size_t)(p - text));
	if (d->control.p[d->control.n - 1] != '\n')
		buf_str(&d->control, "\n");
	return 0;
}
