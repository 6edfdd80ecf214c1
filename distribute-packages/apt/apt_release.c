#include "distribute-packages/apt/apt_release.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/date.h"
#include "lib/base/path.h"
#include "lib/deb/control.h"
#include "lib/sys/log.h"

/* In the order in which dak and apt-ftparchive write them. */
static const struct {
	const char *field;
	const char *key;
} identity[] = {
	{"Origin", "origin"}, {"Label", "label"}, {"Codename", "codename"},
};

char *
apt_release_path(const char *suite, const char *name)
{
	return mem_format("apt/dists/%s/%s", suite, name);
}

static void
add_field(struct buf *text, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		buf_addf(text, "%s: %s\n", name, value);
}

static void
add_dates(struct buf *text, int64_t date, int64_t valid_for)
{
	char rfc1123[DATE_SIZE];

	date_format_rfc1123(date, rfc1123);
	buf_addf(text, "Date: %s\n", rfc1123);
	if (valid_for > 0) {
		date_format_rfc1123(date + valid_for, rfc1123);
		buf_addf(text, "Valid-Until: %s\n", rfc1123);
	}
}

static int
add_files(const struct suite *s, const struct tree *t, struct buf *text,
    struct err *e)
{
	char *prefix = mem_format("apt/dists/%s/", s->name), hex[HASH_HEX];
	const struct manifest_entry *f, *end;
	uint64_t size;
	int status = 0;

	buf_str(text, "SHA256:\n");
	end = t->manifest->v + t->manifest->n;
	for (f = t->manifest->v; f < end && status == 0; f++) {
		if (!path_starts_with(f->path, prefix) ||
		    (!path_ends_with(f->path, "/Packages") &&
		    !path_ends_with(f->path, "/Packages.gz")))
			continue;
		status = tree_size(t, f, &size, e);
		hash_hex(f->sha256, hex);
		buf_addf(text, " %s %" PRIu64 " %s\n", hex, size,
		    f->path + strlen(prefix));
	}
	free(prefix);
	return status;
}

int
apt_release_write(const struct suite *s, const struct conf *conf,
    int64_t date, const struct tree *t, struct buf *text, struct err *e)
{
	const char *description = conf_get(conf, s->section, "description");
	size_t i;

	add_field(text, "Origin", conf_get(conf, s->section, "origin"));
	add_field(text, "Label", conf_get(conf, s->section, "label"));
	add_field(text, "Suite", s->name);
	add_field(text, "Codename", conf_get(conf, s->section, "codename"));
	add_dates(text, date, conf_duration(conf, s->section, "valid-for"));
	add_field(text, "Acquire-By-Hash", "yes");
	buf_str(text, "Architectures:");
	for (i = 0; i < s->architectures.n; i++)
		buf_addf(text, " %s", s->architectures.v[i]);
	buf_str(text, "\nComponents: main\n");
	if (description != NULL)
		add_field(text, "Description", description);
	else
		buf_addf(text, "Description: %s packages, %s\n",
		    conf_get(conf, "repository", "prefix"), s->name);
	return add_files(s, t, text, e);
}

static bool
is_date(const char *line)
{
	return path_starts_with(line, "Date: ") ||
	    path_starts_with(line, "Valid-Until: ");
}

/* The text without its dates. */
static char *
undated(const char *p, size_t n)
{
	const char *end = p + n, *newline;
	struct buf kept = BUF_INIT;
	char *line;

	while (p < end) {
		newline = memchr(p, '\n', (size_t)(end - p));
		newline = newline ? newline + 1 : end;
		line = mem_dupn(p, (size_t)(newline - p));
		if (!is_date(line))
			buf_str(&kept, line);
		free(line);
		p = newline;
	}
	return buf_take(&kept);
}

bool
apt_release_same(const char *a, size_t n, const char *b, size_t m)
{
	char *x = undated(a, n), *y = undated(b, m);
	bool same = strcmp(x, y) == 0;

	free(x);
	free(y);
	return same;
}

int
apt_release_check_fields(const struct suite *s, const struct conf *conf,
    const char *text, size_t n, struct err *e)
{
	const char *wanted;
	char *published;
	int status = 0;
	size_t i;

	for (i = 0; i < COUNT(identity) && status == 0; i++) {
		wanted = conf_get(conf, s->section, identity[i].key);
		published = control_get(text, text + n, identity[i].field);
		if (strcmp(wanted ? wanted : "", published ? published : ""))
			status = err_set(e, ERR_CONFIG, "suite '%s' is "
			    "published with %s '%s', but the configuration has "
			    "'%s': every apt client would refuse the suite "
			    "(use --change-release-fields if this is intended)",
			    s->name, identity[i].field,
			    published ? published : "", wanted ? wanted : "");
		free(published);
	}
	return status;
}

/* apt takes "*?[" for a pattern, and /.../ for a regular expression. */
void
apt_release_warn(const struct suite *s, const struct conf *conf)
{
	const char *value;
	size_t i;

	for (i = 0; i < COUNT(identity); i++) {
		value = conf_get(conf, s->section, identity[i].key);
		if (value != NULL && value[0] != '\0' && (value[0] == '/' ||
		    strpbrk(value, ":,*?[]\"'\\") != NULL))
			log_warning("[%s] %s = '%s': users cannot pin it, and "
			    "unattended-upgrades cannot name it: use letters, "
			    "digits, blanks, dots and dashes", s->section,
			    identity[i].key, value);
	}
}

/* ---------------------------------------------------------------- .sources */

/*
 * To the letter, as root. apt stops with "Conflicting values set for option
 * Signed-By" where another file names the URL with another key, so that goes
 * first, but for other suites' files of ours; and the key must be readable for
 * the user _apt, whatever the umask.
 */
static void
add_instructions(struct buf *text, const char *prefix, const char *suite,
    const char *url, int n)
{
	buf_addf(text, "# As root. First remove what names this URL already:\n"
	    "# grep -lsF '%.*s/apt' /etc/apt/sources.list.d/*.list "
	    "/etc/apt/sources.list.d/*.sources | grep -v '/%s-[^/]*[.]sources$'"
	    " | xargs -r rm\n", n, url, prefix);
	buf_addf(text, "# (and such a line of /etc/apt/sources.list). Then the "
	    "key, then this file:\n"
	    "# install -d -m 755 /etc/apt/keyrings\n"
	    "# curl -fsS -o /etc/apt/keyrings/%s-packages-key.asc "
	    "%.*s/gpg/%s-packages-key.public\n", prefix, n, url, prefix);
	buf_addf(text,
	    "# curl -fsS -o /etc/apt/sources.list.d/%s-%s.sources "
	    "%.*s/apt/%s-%s.sources\n"
	    "# chmod 644 /etc/apt/keyrings/%s-packages-key.asc "
	    "/etc/apt/sources.list.d/%s-%s.sources\n", prefix, suite, n, url,
	    prefix, suite, prefix, prefix, suite);
}

void
apt_sources_write(const struct conf *conf, const char *suite,
    struct buf *text)
{
	const char *url = conf_get(conf, "repository", "url");
	const char *prefix = conf_get(conf, "repository", "prefix");
	size_t n = strlen(url);
	struct strv architectures = STRV_INIT;
	char *section = mem_format("suite %s", suite);
	size_t i;

	while (n > 0 && url[n - 1] == '/')
		n--;
	add_instructions(text, prefix, suite, url, (int)n);
	buf_addf(text, "Types: deb\nURIs: %.*s/apt\nSuites: %s\n"
	    "Components: main\nArchitectures:", (int)n, url, suite);
	conf_list(conf, section, "architectures", &architectures);
	for (i = 0; i < architectures.n; i++)
		buf_addf(text, " %s", architectures.v[i]);
	buf_addf(text, "\nSigned-By: /etc/apt/keyrings/%s-packages-key.asc\n",
	    prefix);
	strv_clear(&architectures);
	free(section);
}
