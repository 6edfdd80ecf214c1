#include "lib/deb/relation.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"

#define SHOWN 60	/* bytes of what is wrong, in a message */

enum kind {
	ANY_OF,		/* a relation, and "|" */
	ALL_OF,		/* "|" is not allowed */
	EXACT,		/* nor is an operator but "=" */
	SOURCE,
	WORDS,		/* one of them, or nothing */
	PRIORITY,
	FOREIGN		/* dpkg's status or an index has it, or nobody */
};

#define STATUS "belongs to dpkg's database"
#define INDEX "belongs to an index"
#define OBSOLETE "is obsolete, and dpkg refuses it"

/* Words are those that both take; dpkg ignores their case, apt does not all. */
static const struct rule {
	const char *name;
	enum kind kind;
	const char *text;	/* words; of FOREIGN the reason */
} rules[] = {
	{"Depends", ANY_OF, NULL},
	{"Pre-Depends", ANY_OF, NULL},
	{"Recommends", ANY_OF, NULL},
	{"Suggests", ANY_OF, NULL},
	{"Enhances", ANY_OF, NULL},
	{"Obsoletes", ANY_OF, NULL},
	{"Breaks", ALL_OF, NULL},
	{"Conflicts", ALL_OF, NULL},
	{"Replaces", ALL_OF, NULL},
	{"Provides", EXACT, NULL},
	{"Built-Using", EXACT, NULL},
	{"Static-Built-Using", EXACT, NULL},
	{"Source", SOURCE, NULL},
	{"Multi-Arch", WORDS, "no same foreign allowed"},
	{"Essential", WORDS, "yes no"},
	{"Protected", WORDS, "yes no"},
	{"Important", WORDS, "yes no"},
	{"Build-Essential", WORDS, "yes no"},
	{"Priority", PRIORITY, "required important standard optional extra"},
	{"Status", FOREIGN, STATUS},
	{"Config-Version", FOREIGN, STATUS},
	{"Conffiles", FOREIGN, STATUS},
	{"Triggers-Pending", FOREIGN, STATUS},
	{"Triggers-Awaited", FOREIGN, STATUS},
	/* where a package lies, and its hashes: it would speak for another */
	{"Filename", FOREIGN, INDEX},
	{"MSDOS-Filename", FOREIGN, INDEX},
	{"Size", FOREIGN, INDEX},
	{"MD5sum", FOREIGN, INDEX},
	{"SHA1", FOREIGN, INDEX},
	{"SHA256", FOREIGN, INDEX},
	{"SHA512", FOREIGN, INDEX},
	{"Hash", FOREIGN, INDEX},
	{"Description-md5", FOREIGN, INDEX},
	{"Revision", FOREIGN, OBSOLETE},
	{"Package-Revision", FOREIGN, OBSOLETE},
	{"Package_Revision", FOREIGN, OBSOLETE},
	{"Optional", FOREIGN, OBSOLETE},
	{"Recommended", FOREIGN, OBSOLETE},
	{"Class", FOREIGN, OBSOLETE},
};

/* ------------------------------------------------------------- characters */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* All letters and digits, or one of the others. */
static bool
is_made_of(const struct span *s, const char *others)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (!is_alnum(s->p[i]) &&
		    (s->p[i] == '\0' || strchr(others, s->p[i]) == NULL))
			return false;
	return true;
}

/* Does it begin with a letter or digit, and go on so? */
static bool
is_name(const struct span *s, const char *others)
{
	return s->n > 0 && is_alnum(s->p[0]) && is_made_of(s, others);
}

/*
 * dpkg's parseversion: its epoch is an int, and after one there may be more
 * colons.
 */
static bool
is_version(struct span v)
{
	const char *colon = memchr(v.p, ':', v.n);
	const char *dash;
	struct span revision;
	unsigned long epoch = 0;

	if (colon != NULL) {
		if (colon == v.p)
			return false;
		for (; v.p < colon; v.p++, v.n--) {
			if (!is_digit(*v.p))
				return false;
			epoch = epoch * 10 + (unsigned long)(*v.p - '0');
			if (epoch > INT_MAX)
				return false;
		}
		v.p++, v.n--;
	}
	dash = memrchr(v.p, '-', v.n);
	if (dash != NULL) {
		revision = (struct span){dash + 1,
		    v.n - (size_t)(dash + 1 - v.p)};
		v.n = (size_t)(dash - v.p);
		if (revision.n == 0 || !is_made_of(&revision, "+.~"))
			return false;
	}
	return v.n > 0 && is_digit(v.p[0]) && is_made_of(&v, "+.~-:");
}

/* -------------------------------------------------------------- relations */

struct cursor {
	const struct field *field;
	enum kind kind;
	const char *at;
	const char *end;
};

static int
wrong(const struct cursor *r, const char *what, const struct span *s,
    struct err *e)
{
	return err_set(e, ERR_DATA, "field %.*s: %s '%.*s'",
	    (int)r->field->name_n, r->field->name, what,
	    s->n > SHOWN ? SHOWN : (int)s->n, s->p);
}

/* What stands there, to its end. */
static int
wrong_here(const struct cursor *r, const char *what, struct err *e)
{
	struct span rest = {r->at, (size_t)(r->end - r->at)};

	return wrong(r, what, &rest, e);
}

static void
skip_blanks(struct cursor *r)
{
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
}

/* As far as a blank, or one of these. */
static struct span
take_word(struct cursor *r, const char *ends)
{
	struct span s = {r->at, 0};

	while (r->at < r->end && !is_blank(*r->at) &&
	    strchr(ends, *r->at) == NULL)
		r->at++;
	s.n = (size_t)(r->at - s.p);
	return s;
}

/* "<<", "<=", "=", ">=", ">>"; "<" and ">" of old; none, which is "=". */
static int
read_operator(struct cursor *r, struct err *e)
{
	struct span s = {r->at, 0};

	while (r->at < r->end && strchr("<>=!~", *r->at) != NULL)
		r->at++;
	s.n = (size_t)(r->at - s.p);
	if (s.n > 0 && !span_is(&s, "=") && r->kind == EXACT)
		return wrong(r, "only '=' is allowed, not", &s, e);
	if (s.n > 0 && !span_is(&s, "=") && !span_is(&s, "<<") &&
	    !span_is(&s, "<=") && !span_is(&s, ">=") && !span_is(&s, ">>") &&
	    !span_is(&s, "<") && !span_is(&s, ">"))
		return wrong(r, "unknown operator", &s, e);
	return 0;
}

/* "(>= 1.0)", where it begins with "(". */
static int
read_version(struct cursor *r, struct err *e)
{
	struct span version;

	if (r->at == r->end || *r->at != '(')
		return 0;
	r->at++;
	skip_blanks(r);
	/* "(=1)" at the very end: apt looks for one character more */
	if (r->end - r->at < 4)
		return wrong_here(r, "write '(= VERSION)' for apt, not", e);
	if (read_operator(r, e) < 0)
		return -1;
	skip_blanks(r);
	version = take_word(r, "()");
	if (!is_version(version))
		return wrong(r, "bad version", &version, e);
	skip_blanks(r);
	if (r->at == r->end || *r->at != ')')
		return wrong(r, "no ')' after version", &version, e);
	r->at++;
	return 0;
}

static int
read_architecture(struct cursor *r, struct err *e)
{
	struct span architecture;

	if (r->at == r->end || *r->at != ':')
		return 0;
	r->at++;
	architecture = take_word(r, "(,|");
	if (!is_name(&architecture, "-"))
		return wrong(r, "bad architecture", &architecture, e);
	return 0;
}

/* One package: "libc6:any (>= 2.36)". */
static int
read_package(struct cursor *r, struct err *e)
{
	struct span name = take_word(r, ":(,|");

	if (name.n == 0 && r->at == r->end)
		return wrong(r, "a package's name is missing at its end", &name,
		    e);
	if (name.n == 0)
		return wrong_here(r, "a package's name is missing at", e);
	if (!is_name(&name, "-+._"))
		return wrong(r, "bad package name", &name, e);
	if (read_architecture(r, e) < 0)
		return -1;
	skip_blanks(r);
	if (read_version(r, e) < 0)
		return -1;
	skip_blanks(r);
	return 0;
}

static int
judge_relations(const struct field *f, enum kind kind, struct err *e)
{
	struct cursor r = {f, kind, f->value, f->value + f->value_n};

	/* apt refuses this one if it is empty, dpkg a first line that is */
	if (f->value_n == 0 && !field_is(f, "Provides"))
		return 0;
	for (;;) {
		if (read_package(&r, e) < 0)
			return -1;
		if (r.at == r.end)
			return 0;
		if (*r.at != ',' && *r.at != '|')
			return wrong_here(&r, "unexpected", e);
		if (*r.at == '|' && kind != ANY_OF)
			return wrong_here(&r, "alternatives are not allowed:",
			    e);
		r.at++;
		skip_blanks(&r);
	}
}

/* ----------------------------------------------------------- other values */

/* "name", or "name (version)": dpkg-query fails on another version. */
static int
judge_source(const struct field *f, struct err *e)
{
	struct cursor r = {f, SOURCE, f->value, f->value + f->value_n};
	struct span name, version;

	if (f->value_n == 0)
		return 0;
	name = take_word(&r, "(");
	if (!is_name(&name, "-+._"))
		return wrong(&r, "bad name of a source package", &name, e);
	skip_blanks(&r);
	if (r.at == r.end)
		return 0;
	if (*r.at != '(')
		return wrong_here(&r, "unexpected", e);
	r.at++;
	version = take_word(&r, "()");
	if (!is_version(version))
		return wrong(&r, "bad version", &version, e);
	if (r.at + 1 != r.end || *r.at != ')')
		return wrong_here(&r, "unexpected", e);
	return 0;
}

static bool
is_one_of(const struct field *f, const char *words, bool any_case)
{
	const char *p, *end;
	size_t n;

	for (p = words; *p != '\0'; p = end + (*end == ' ')) {
		end = strchrnul(p, ' ');
		n = (size_t)(end - p);
		if (n == f->value_n && (any_case ?
		    strncasecmp(p, f->value, n) : strncmp(p, f->value, n)) == 0)
			return true;
	}
	return false;
}

static int
judge_words(const struct field *f, const struct rule *rule, struct err *e)
{
	/* apt compares these as they stand */
	bool any_case = strcmp(rule->name, "Multi-Arch") != 0;

	if (f->value_n == 0 || is_one_of(f, rule->text, any_case))
		return 0;
	return err_set(e, ERR_DATA, "field %s: '%.*s' is none of: %s",
	    rule->name, f->value_n > SHOWN ? SHOWN : (int)f->value_n,
	    f->value, rule->text);
}

/* A word of one's own is right, one that only begins as a known one is not. */
static int
judge_priority(const struct field *f, const char *words, struct err *e)
{
	const char *p, *end;
	size_t n;

	for (p = words; *p != '\0'; p = end + (*end == ' ')) {
		end = strchrnul(p, ' ');
		n = (size_t)(end - p);
		if (f->value_n > n && strncasecmp(p, f->value, n) == 0)
			return err_set(e, ERR_DATA, "field Priority: '%.*s' is "
			    "none of: %s", f->value_n > SHOWN ? SHOWN :
			    (int)f->value_n, f->value, words);
	}
	return 0;
}

static const struct rule *
find_rule(const struct field *f)
{
	size_t i;

	for (i = 0; i < COUNT(rules); i++)
		if (field_is(f, rules[i].name))
			return &rules[i];
	return NULL;
}

int
field_judge(const struct field *f, struct err *e)
{
	const struct rule *rule = find_rule(f);

	if (f->name_n < 2)
		return err_set(e, ERR_DATA, "field '%.*s': dpkg wants names of "
		    "two letters at least", (int)f->name_n, f->name);
	if (rule == NULL)
		return 0;
	switch (rule->kind) {
	case FOREIGN:
		return err_set(e, ERR_DATA, "control file has the field %s, "
		    "which %s", rule->name, rule->text);
	case SOURCE:
		return judge_source(f, e);
	case WORDS:
		return judge_words(f, rule, e);
	case PRIORITY:
		return judge_priority(f, rule->text, e);
	default:
		return judge_relations(f, rule->kind, e);
	}
}

bool
field_says_yes(const struct field *f)
{
	return f->value_n == 3 && strncasecmp(f->value, "yes", 3) == 0;
}
