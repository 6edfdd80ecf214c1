#include <string.h>

#include "lib/rpm/rpm.h"

/*
 * rpm: lib/rpmds.c, rpmrichParseInternal. What it takes for one word, and how
 * words are put together, is odd in places, and is so here.
 */
#define DEPTH 100	/* ours: libsolv and rpm call themselves for each */

enum op { OP_NONE, OP_AND, OP_OR, OP_IF, OP_UNLESS, OP_ELSE, OP_WITH,
    OP_WITHOUT };

struct rich {
	const char *p;
	unsigned depth;
	struct err *e;
};

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
skip_blanks(struct rich *r)
{
	while (is_blank(*r->p) || *r->p == ',')
		r->p++;
}

/* To a blank, a comma, or the parenthesis that closes none of the word's. */
static size_t
skip_word(struct rich *r)
{
	const char *start = r->p;
	int open = 0;

	for (; *r->p != '\0' && !is_blank(*r->p) && *r->p != ','; r->p++) {
		if (*r->p == ')' && open-- <= 0)
			break;
		if (*r->p == '(')
			open++;
	}
	return (size_t)(r->p - start);
}

static bool
is_one_of(const char *const *words, const char *p, size_t n)
{
	for (; *words != NULL; words++)
		if (strlen(*words) == n && strncmp(*words, p, n) == 0)
			return true;
	return false;
}

/* name [comparison version] */
static int
read_simple(struct rich *r)
{
	static const char *const comparisons[] = {"<=", "=<", "<", "==", "=",
	    ">=", "=>", ">", NULL};
	const char *word;
	size_t n;

	if (skip_word(r) == 0)
		return err_set(r->e, ERR_DATA, "a name is missing");
	skip_blanks(r);
	word = r->p;
	n = skip_word(r);
	if (!is_one_of(comparisons, word, n)) {
		r->p = word;
		return 0;
	}
	skip_blanks(r);
	return skip_word(r) > 0 ? 0 :
	    err_set(r->e, ERR_DATA, "a version is missing");
}

static int
read_op(struct rich *r, enum op *op)
{
	static const char *const words[] = {NULL, "and", "or", "if", "unless",
	    "else", "with", "without"};
	const char *start = r->p;
	size_t n;
	int i;

	while (*r->p != '\0' && !is_blank(*r->p) && *r->p != ')')
		r->p++;
	n = (size_t)(r->p - start);
	for (i = OP_AND; i <= OP_WITHOUT; i++)
		if (strlen(words[i]) == n && strncmp(words[i], start, n) == 0) {
			*op = (enum op)i;
			return 0;
		}
	return err_set(r->e, ERR_DATA, "'%.*s' is no operator",
	    n > 40 ? 40 : (int)n, start);
}

static int read_rich(struct rich *r, bool *has_others);

/* has_others: something that may not stand within "with" and "without". */
static int
read_operand(struct rich *r, bool *has_others)
{
	skip_blanks(r);
	if (*r->p == ')')
		return err_set(r->e, ERR_DATA, "something is missing before "
		    "')'");
	if (*r->p == '(')
		return read_rich(r, has_others);
	return read_simple(r);
}

/* *chain: the operator before this one. */
static int
check_chain(struct rich *r, enum op *chain, enum op op)
{
	if (op == OP_ELSE && (*chain == OP_IF || *chain == OP_UNLESS))
		*chain = OP_NONE;
	if (*chain != OP_NONE && op != *chain)
		return err_set(r->e, ERR_DATA, "different operators in a row");
	if (*chain != OP_NONE && op != OP_AND && op != OP_OR && op != OP_WITH)
		return err_set(r->e, ERR_DATA, "an operator twice that may "
		    "stand once");
	*chain = op;
	return 0;
}

static int
read_operands(struct rich *r, enum op *first, enum op *op, bool *has_others)
{
	enum op chain = OP_NONE;

	for (;;) {
		if (read_operand(r, has_others) < 0)
			return -1;
		skip_blanks(r);
		if (*r->p == ')')
			return 0;
		if (*r->p == '\0')
			return err_set(r->e, ERR_DATA, "')' is missing");
		if (read_op(r, op) < 0 || check_chain(r, &chain, *op) < 0)
			return -1;
		if (*first == OP_NONE)
			*first = *op;
	}
}

static int
read_rich(struct rich *r, bool *has_others)
{
	enum op first = OP_NONE, op = OP_NONE;
	bool inner = false;

	if (r->depth++ == DEPTH)
		return err_set(r->e, ERR_DATA, "more than %d levels", DEPTH);
	r->p++;
	if (read_operands(r, &first, &op, &inner) < 0)
		return -1;
	if ((first == OP_WITH || first == OP_WITHOUT) && inner)
		return err_set(r->e, ERR_DATA, "'with' and 'without' may hold "
		    "'or' alone");
	if (op != OP_NONE && op != OP_WITH && op != OP_WITHOUT && op != OP_OR)
		inner = true;
	*has_others = *has_others || inner;
	r->p++;
	r->depth--;
	return 0;
}

int
rpm_check_rich(const char *dependency, struct err *e)
{
	struct rich r = {.p = dependency, .e = e};
	bool has_others = false;

	if (read_rich(&r, &has_others) < 0)
		return err_wrap(e, "rich dependency '%.80s'", dependency);
	if (*r.p != '\0')
		return err_set(e, ERR_DATA, "rich dependency '%.80s': "
		    "something follows", dependency);
	return 0;
}
