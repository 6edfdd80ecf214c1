#include "lib/tree/version.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/deb/control.h"
#include "lib/rpm/rpm.h"

int
version_compare(enum package_format format, const char *a, const char *b)
{
	return format == FORMAT_RPM ? rpm_compare_evr(a, b) :
	    control_compare_versions(a, b);
}

/* The digits of an epoch, without zeros in front; none where it has none. */
static const char *
find_epoch(const char *version, size_t *n)
{
	size_t zeros = strspn(version, "0");

	*n = strspn(version + zeros, "0123456789");
	if (version[zeros + *n] != ':')
		*n = 0;
	return version + zeros;
}

bool
version_same_epoch(const char *a, const char *b)
{
	size_t x_n, y_n;
	const char *x = find_epoch(a, &x_n), *y = find_epoch(b, &y_n);

	return x_n == y_n && memcmp(x, y, x_n) == 0;
}

const char *
version_find_prerelease(const char *version)
{
	static const char *const words[] = {"alpha", "beta", "pre", "preview",
	    "prerelease", "rc"};
	const char *p = version;
	size_t n, i;

	for (; *p != '\0'; p += n) {
		for (n = 0; isalpha((unsigned char)p[n]); n++)
			;
		for (i = 0; i < COUNT(words) && n > 0; i++)
			if (strlen(words[i]) == n &&
			    strncasecmp(p, words[i], n) == 0)
				return p;
		n += n == 0;
	}
	return NULL;
}

/* The version before the word and what separates them; NULL: it begins so. */
static char *
before_word(const char *version, const char *word)
{
	const char *dash = strchr(version, '-');
	const char *end = dash != NULL && dash < word ? dash : word;

	while (end > version && strchr(".-_+", end[-1]) != NULL)
		end--;
	return end > version && end[-1] != ':' ?
	    mem_dupn(version, (size_t)(end - version)) : NULL;
}

int
version_check_prerelease(enum package_format format, const char *version,
    const char *release, struct err *e)
{
	char *full = release ? mem_format("%s-%s", version, release) :
	    mem_dup(version);
	const char *word = version_find_prerelease(full);
	const char *tilde = strchr(full, '~');
	char *final = NULL, *first = NULL;
	int status = 0;

	/* what stands behind a tilde is before something already */
	if (word != NULL && (tilde == NULL || tilde > word))
		final = before_word(full, word);
	if (final != NULL) {
		first = mem_format("%s-1", final);
		if (version_compare(format, full, first) >= 0)
			status = err_set(e, ERR_DATA, "version %s is newer "
			    "than %s to %s, so that whoever has it is never "
			    "offered that: write %s~%s, or give "
			    "--allow-older-version", full, first,
			    format == FORMAT_RPM ? "rpm" : "dpkg", final,
			    word);
	}
	free(first);
	free(final);
	free(full);
	return status;
}
