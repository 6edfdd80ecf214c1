/*
 * Control text: one control file, the stanzas of an index, and the comparison
 * of versions, which must be an order.
 */
#include "lib/deb/control.h"
#include "lib/deb/deb.h"
#include "tests/fuzz/support.h"

#define VERSIONS 3

static void
parse_control(const char *text, size_t n)
{
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;

	if (deb_parse_control(text, n, &d, &e) == 0) {
		must(control_is_package(d.package));
		must(control_is_version(d.version));
		must(control_is_architecture(d.architecture));
		must(d.control.n > 0 &&
		    d.control.p[d.control.n - 1] == '\n');
		must(d.control.p[0] != '\n');
		/* in an index, fields follow: it must be one stanza */
		must(strstr(d.control.p, "\n\n") == NULL);
	} else {
		must_have_reason(&e);
	}
	deb_clear(&d);
}

/* Fields lie in their stanza, stanzas in the text, in order. */
static void
walk_stanzas(const char *text, size_t n)
{
	const char *p = text, *end = text + n, *from, *to, *at, *last = text;
	struct field f;
	struct err e = ERR_INIT;
	int status;

	while (control_next_stanza(&p, end, &from, &to)) {
		must(last <= from && from < to && to <= end);
		last = to;
		at = from;
		while ((status = control_next(&at, to, &f, &e)) > 0) {
			must(f.name >= from && f.name + f.name_n <= at);
			must(f.value >= f.name + f.name_n);
			must(f.value + f.value_n <= at);
		}
		if (status < 0)
			must_have_reason(&e);
		free(control_get(from, to, "Filename"));
	}
}

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

static void
compare(char *text)
{
	char *v[VERSIONS], *rest = text;
	int i, n = 0, ab, bc, ac;

	while (n < VERSIONS && (v[n] = strsep(&rest, "\n ")) != NULL)
		if (control_is_version(v[n]))
			n++;
	for (i = 0; i < n; i++)
		must(control_compare_versions(v[i], v[i]) == 0);
	if (n < VERSIONS)
		return;
	ab = sign(control_compare_versions(v[0], v[1]));
	bc = sign(control_compare_versions(v[1], v[2]));
	ac = sign(control_compare_versions(v[0], v[2]));
	must(ab == -sign(control_compare_versions(v[1], v[0])));
	if (ab == bc)
		must(ac == ab);
	if (ab == 0)
		must(ac == bc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = text_of(data, n);

	parse_control((const char *)data, n);
	walk_stanzas((const char *)data, n);
	compare(text);
	free(text);
	return 0;
}
