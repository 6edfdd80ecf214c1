/*
 * The order of "libc.so.6", "libc.so.6()(64bit)", "libc.so.6(GLIBC_2.34)":
 * createrepo_c's, found by showing it all pairs of such names. The letters
 * before a version do not count, nor does what follows the first parentheses.
 */
#include <stdlib.h>
#include <string.h>

#include "distribute-packages/rpm/rpm_xml.h"
#include "lib/base/mem.h"

/* "libc.so.6(GLIBC_2.34)(64bit)": "2.34", yours; "" without digits. */
static char *
libc_version(const char *name)
{
	const char *open = strchr(name, '(');
	const char *close = open != NULL ? strchr(open, ')') : NULL;
	size_t skip;

	if (close == NULL)
		return mem_dup("");
	open++;
	skip = strcspn(open, "0123456789)");
	return mem_dupn(open + skip, (size_t)(close - open) - skip);
}

/* No parentheses, one, an empty pair, a version. */
static int
libc_rank(const char *name)
{
	const char *open = strchr(name, '(');

	if (open == NULL)
		return 0;
	if (strchr(open, ')') == NULL)
		return 1;
	return open[1] == ')' ? 2 : 3;
}

bool
rpm_xml_libc_is_newer(const char *a, const char *b)
{
	int order = libc_rank(a) - libc_rank(b);
	char *x, *y;

	if (order == 0) {
		x = libc_version(a);
		y = libc_version(b);
		order = rpm_compare_versions(x, y);
		free(x);
		free(y);
	}
	return order > 0;
}
