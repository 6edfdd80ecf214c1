#include "lib/rpm/rpm.h"

#include <stdlib.h>
#include <string.h>

/* Part of a version, from p up to end. */
struct part {
	const char *p;
	const char *end;
};

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

/* The next character; NUL at the end. */
static char
peek(const struct part *s)
{
	return s->p < s->end ? *s->p : '\0';
}

/* Separators count for nothing, neither what nor how many they are. */
static void
skip_separators(struct part *s)
{
	char c;

	for (; s->p < s->end; s->p++) {
		c = *s->p;
		if (is_digit(c) || is_letter(c) || c == '~' || c == '^')
			return;
	}
}

static struct part
next_segment(struct part *s, bool (*belongs)(char))
{
	struct part segment = {s->p, s->p};

	while (s->p < s->end && belongs(*s->p))
		s->p++;
	segment.end = s->p;
	return segment;
}

static int
compare_numbers(struct part a, struct part b)
{
	size_t n;

	while (peek(&a) == '0')
		a.p++;
	while (peek(&b) == '0')
		b.p++;
	n = (size_t)(a.end - a.p);
	if (n != (size_t)(b.end - b.p))
		return n < (size_t)(b.end - b.p) ? -1 : 1;
	return n > 0 ? memcmp(a.p, b.p, n) : 0;
}

static int
compare_letters(struct part a, struct part b)
{
	size_t a_n = (size_t)(a.end - a.p), b_n = (size_t)(b.end - b.p);
	size_t n = a_n < b_n ? a_n : b_n;
	int order = memcmp(a.p, b.p, n);

	return order != 0 ? order : (a_n > b_n) - (a_n < b_n);
}

/* One segment of each. The first of a decides which kind it is. */
static int
compare_segments(struct part *a, struct part *b)
{
	bool number = is_digit(peek(a));
	struct part x = next_segment(a, number ? is_digit : is_letter);
	struct part y = next_segment(b, number ? is_digit : is_letter);

	if (y.p == y.end)	/* of different kinds: the number is newer */
		return number ? 1 : -1;
	return number ? compare_numbers(x, y) : compare_letters(x, y);
}

/* "~" is before everything, the end too. */
static int
order_of_tilde(char a, char b)
{
	return (a != '~') - (b != '~');
}

/* "^" is after the end, but before everything else. */
static int
order_of_caret(char a, char b)
{
	if (a == '\0' || b == '\0')
		return a == '\0' ? -1 : 1;
	return (a != '^') - (b != '^');
}

static int
compare_parts(struct part a, struct part b)
{
	char x, y;
	int order;

	for (;;) {
		skip_separators(&a);
		skip_separators(&b);
		x = peek(&a);
		y = peek(&b);
		if (x == '~' || y == '~')
			order = order_of_tilde(x, y);
		else if (x == '^' || y == '^')
			order = order_of_caret(x, y);
		else if (x == '\0' || y == '\0')
			return (x != '\0') - (y != '\0');
		else
			order = compare_segments(&a, &b);
		if (order != 0)
			return order < 0 ? -1 : 1;
		if (x == '~' || x == '^') {
			a.p++;
			b.p++;
		}
	}
}

static struct part
part_of(const char *s)
{
	return (struct part){s, s + strlen(s)};
}

int
rpm_compare_versions(const char *a, const char *b)
{
	return compare_parts(part_of(a), part_of(b));
}

/* release.p is NULL where there is none. */
struct evr {
	struct part epoch;
	struct part version;
	struct part release;
};

/* lib/rpmver.c: digits up to a colon; the last dash begins the release. */
static struct evr
split_evr(const char *text)
{
	struct evr v = {.epoch = {text, text}, .release = {NULL, NULL}};
	const char *p = text + strspn(text, "0123456789");
	const char *dash = strrchr(p, '-');

	if (*p == ':')
		v.epoch.end = p++;
	else
		p = text;
	v.version = (struct part){p, dash != NULL ? dash : p + strlen(p)};
	if (dash != NULL)
		v.release = part_of(dash + 1);
	return v;
}

int
rpm_compare_evr(const char *a, const char *b)
{
	struct evr x = split_evr(a), y = split_evr(b);
	int order = compare_numbers(x.epoch, y.epoch);

	if (order == 0)
		order = compare_parts(x.version, y.version);
	if (order != 0)
		return order < 0 ? -1 : 1;
	if (x.release.p == NULL || y.release.p == NULL)
		return (x.release.p != NULL) - (y.release.p != NULL);
	return compare_parts(x.release, y.release);
}
