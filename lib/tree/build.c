#include "lib/tree/build.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"

/* dpkg: cputable; rpm: rpmrc */
static const struct {
	const char *deb;
	const char *rpm;
} names[] = {
	{"amd64", "x86_64"}, {"arm64", "aarch64"}, {"ppc64el", "ppc64le"},
	{"riscv64", "riscv64"}, {"s390x", "s390x"}, {"loong64", "loongarch64"},
};

/* uname, rpm, the languages' own tool chains, container images */
static const struct {
	const char *word;
	const char *deb;
} foreign[] = {
	{"x86-64", "amd64"}, {"x64", "amd64"}, {"intel64", "amd64"},
	{"arm64v8", "arm64"}, {"armv8", "arm64"}, {"armv8l", "arm64"},
	{"armv7l", "armhf"}, {"armv7hl", "armhf"}, {"armv7", "armhf"},
	{"arm32v7", "armhf"}, {"armhfp", "armhf"}, {"arm", "armhf"},
	{"armv6l", "armel"}, {"armv6hl", "armel"}, {"armv5tel", "armel"},
	{"i686", "i386"}, {"i586", "i386"}, {"i486", "i386"},
	{"x86", "i386"}, {"ia32", "i386"}, {"386", "i386"},
	{"ppc64le", "ppc64el"}, {"powerpc64le", "ppc64el"},
	{"ppc", "powerpc"}, {"powerpc64", "ppc64"}, {"mips64le", "mips64el"},
	{"noarch", "all"}, {"any", "all"},
};

const char *
build_debian_word(const char *word)
{
	const char *same = build_from_rpm(word);
	size_t i;

	for (i = 0; i < COUNT(foreign); i++)
		if (strcasecmp(word, foreign[i].word) == 0)
			return foreign[i].deb;
	return same != NULL && strcmp(same, word) != 0 ? same : NULL;
}

bool
build_parse(const char *name, struct build *b)
{
	const char *dash = strrchr(name, '-');

	if (dash == NULL || dash == name || !path_is_name(name) ||
	    (size_t)(dash - name) >= sizeof(b->architecture))
		return false;
	snprintf(b->architecture, sizeof(b->architecture), "%.*s",
	    (int)(dash - name), name);
	b->format = strcmp(dash, "-rpm") == 0 ? FORMAT_RPM : FORMAT_DEB;
	if (b->format == FORMAT_RPM)
		return build_to_rpm(b->architecture) != NULL;
	return strcmp(dash, "-deb") == 0;
}

const char *
format_name(enum package_format format)
{
	return format == FORMAT_RPM ? "rpm" : "deb";
}

const char *
build_to_rpm(const char *architecture)
{
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		if (strcmp(names[i].deb, architecture) == 0)
			return names[i].rpm;
	return NULL;
}

const char *
build_from_rpm(const char *arch)
{
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		if (strcmp(names[i].rpm, arch) == 0)
			return names[i].deb;
	return NULL;
}

static bool
ends_with_word(const char *text, const char *word)
{
	size_t n = strlen(text), m = strlen(word);

	return n > m && path_ends_with(text, word) &&
	    strchr("-_.", text[n - m - 1]) != NULL;
}

const char *
build_at_end(const char *text)
{
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		if (ends_with_word(text, names[i].deb) ||
		    ends_with_word(text, names[i].rpm))
			return names[i].deb;
	return NULL;
}
