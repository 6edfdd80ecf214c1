/*
 * The value of a field, as a package brings it. The first byte chooses the
 * field. What is found right must stay right beside another relation, and never
 * has what apt stops at.
 */
#include "lib/deb/relation.h"
#include "tests/fuzz/support.h"

static const char *const names[] = {
	"Depends", "Breaks", "Provides", "Built-Using", "Source", "Multi-Arch",
	"Essential", "Priority", "Status", "X", "X-Other",
};
#define NAMES (sizeof(names) / sizeof(names[0]))
#define RELATIONS 4

static int
judge(const char *name, const char *value, size_t n, struct err *e)
{
	struct field f = {name, strlen(name), value, n};

	*e = (struct err)ERR_INIT;
	return field_judge(&f, e);
}

/* A relation before it, and none behind it. */
static void
join(const char *name, const char *value, size_t n)
{
	char *longer = malloc(n + 5);
	struct err e;

	must(longer != NULL);
	memcpy(longer, "aa, ", 4);
	memcpy(longer + 4, value, n);
	must(judge(name, longer, 4 + n, &e) == 0);
	longer[n + 4] = ',';
	must(judge(name, longer, 5 + n, &e) < 0);
	must_have_reason(&e);
	free(longer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e;
	size_t which;
	char *value;

	if (n == 0)
		return 0;
	which = data[0] % NAMES;
	n--;
	/* exactly as long as the value is */
	value = malloc(n ? n : 1);
	must(value != NULL);
	memcpy(value, data + 1, n);
	if (judge(names[which], value, n, &e) < 0) {
		must_have_reason(&e);
	} else if (which < RELATIONS && n > 0) {
		must(memchr(value, '[', n) == NULL);
		must(memchr(value, '$', n) == NULL);
		must(which == 0 || memchr(value, '|', n) == NULL);
		join(names[which], value, n);
	}
	free(value);
	return 0;
}
