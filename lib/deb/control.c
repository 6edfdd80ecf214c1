#include "lib/deb/control.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"

#define NAME_LIMIT 128	/* longest package, version or architecture */

static const char *
line_end(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));

	return newline ? newline : end;
}

int
control_next(const char **p, const char *end, struct field *f, struct err *e)
{
	const char *at = *p, *stop, *colon, *c;

	if (at == end || *at == '\n')
		return 0;
	stop = line_end(at, end);
	colon = memchr(at, ':', (size_t)(stop - at));
	if (colon == NULL || colon == at || *at == '#' || *at == '-')
		return err_set(e, ERR_DATA, "line '%.*s' is not a field",
		    stop - at > 60 ? 60 : (int)(stop - at), at);
	for (c = at; c < colon; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return err_set(e, ERR_DATA, "bad field name '%.*s'",
			    colon - at > 60 ? 60 : (int)(colon - at), at);
	f->name = at;
	f->name_n = (size_t)(colon - at);
	f->value = colon + 1;
	while (f->value < stop && (*f->value == ' ' || *f->value == '\t'))
		f->value++;
	while (end - stop > 1 && (stop[1] == ' ' || stop[1] == '\t'))
		stop = line_end(stop + 1, end);
	f->value_n = (size_t)(stop - f->value);
	while (f->value_n > 0 && (f->value[f->value_n - 1] == ' ' ||
	    f->value[f->value_n - 1] == '\t'))
		f->value_n--;
	*p = stop < end ? stop + 1 : end;
	return 1;
}

bool
control_next_stanza(const char **p, const char *end, const char **from,
    const char **to)
{
	const char *at = *p, *stop;

	while (at < end && *at == '\n')
		at++;
	if (at == end)
		return false;
	*from = at;
	while (at < end && *at != '\n') {
		stop = line_end(at, end);
		at = stop < end ? stop + 1 : end;
	}
	*to = at;
	*p = at;
	return true;
}

bool
field_is(const struct field *f, const char *name)
{
	return strlen(name) == f->name_n &&
	    strncasecmp(f->name, name, f->name_n) == 0;
}

char *
control_get(const char *from, const char *to, const char *name)
{
	struct err ignored;
	struct field f;

	while (control_next(&from, to, &f, &ignored) > 0)
		if (field_is(&f, name))
			return mem_dupn(f.value, f.value_n);
	return NULL;
}

static bool
is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool
control_is_package(const char *s)
{
	size_t n;

	if (!is_lower_or_digit(s[0]))
		return false;
	for (n = 1; s[n] != '\0'; n++)
		if (!is_lower_or_digit(s[n]) && strchr("+-.", s[n]) == NULL)
			return false;
	return n >= 2 && n <= NAME_LIMIT;
}

bool
control_is_architecture(const char *s)
{
	size_t n;

	if (!is_lower_or_digit(s[0]))
		return false;
	for (n = 1; s[n] != '\0'; n++)
		if (!is_lower_or_digit(s[n]) && s[n] != '-')
			return false;
	return n <= 32;
}

bool
control_is_version(const char *s)
{
	const char *colon = strchr(s, ':'), *p;

	if (colon != NULL) {
		if (colon == s || colon - s > 9)
			return false;
		for (p = s; p < colon; p++)
			if (!is_digit(*p))
				return false;
		s = colon + 1;
	}
	if (!is_digit(s[0]))
		return false;
	for (p = s; *p != '\0'; p++)
		if (!is_digit(*p) && !is_letter(*p) &&
		    strchr(".+-~", *p) == NULL)
			return false;
	return p - s <= NAME_LIMIT && p[-1] != '-';
}

/* Policy 5.6.12: "~" before the end, the end before letters, then others. */
static int
weight(const char *p, const char *end)
{
	if (p == end || is_digit(*p))
		return 0;
	if (is_letter(*p))
		return *p;
	if (*p == '~')
		return -1;
	return *p + 256;
}

static int
compare_part(const char *a, const char *a_end, const char *b,
    const char *b_end)
{
	int difference;

	while (a < a_end || b < b_end) {
		while ((a < a_end && !is_digit(*a)) ||
		    (b < b_end && !is_digit(*b))) {
			difference = weight(a, a_end) - weight(b, b_end);
			if (difference != 0)
				return difference;
			a += a < a_end;
			b += b < b_end;
		}
		while (a < a_end && *a == '0')
			a++;
		while (b < b_end && *b == '0')
			b++;
		difference = 0;
		while (a < a_end && is_digit(*a) && b < b_end &&
		    is_digit(*b)) {
			if (difference == 0)
				difference = *a - *b;
			a++;
			b++;
		}
		if (a < a_end && is_digit(*a))
			return 1;
		if (b < b_end && is_digit(*b))
			return -1;
		if (difference != 0)
			return difference;
	}
	return 0;
}

int
control_compare_versions(const char *a, const char *b)
{
	long a_epoch = 0, b_epoch = 0;
	const char *colon, *a_dash, *b_dash, *a_end, *b_end;
	int difference;

	if ((colon = strchr(a, ':')) != NULL)
		a_epoch = strtol(a, NULL, 10), a = colon + 1;
	if ((colon = strchr(b, ':')) != NULL)
		b_epoch = strtol(b, NULL, 10), b = colon + 1;
	if (a_epoch != b_epoch)
		return a_epoch < b_epoch ? -1 : 1;
	a_end = a + strlen(a);
	b_end = b + strlen(b);
	a_dash = strrchr(a, '-');
	b_dash = strrchr(b, '-');
	difference = compare_part(a, a_dash ? a_dash : a_end,
	    b, b_dash ? b_dash : b_end);
	if (difference != 0)
		return difference;
	return compare_part(a_dash ? a_dash + 1 : a_end, a_end,
	    b_dash ? b_dash + 1 : b_end, b_end);
}
