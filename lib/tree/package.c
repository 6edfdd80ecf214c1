#include "lib/tree/package.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/deb/deb.h"
#include "lib/rpm/rpm.h"
#include "lib/tree/version.h"

#define HOLES_LEAST ((uint64_t)1 << 20)

int
package_rules_read(struct package_rules *rules, const struct conf *conf,
    const char *release, struct err *e)
{
	*rules = (struct package_rules){.allowed = STRV_INIT};
	conf_list(conf, "release", "packages", &rules->allowed);
	conf_list(conf, "release", "allow-essential", &rules->essential);
	rules->max_size = conf_size(conf, "release", "max-size");
	return release_find(&rules->release, release, conf, e);
}

void
package_rules_clear(struct package_rules *rules)
{
	strv_clear(&rules->allowed);
	strv_clear(&rules->essential);
}

/*
 * Bytes in holes. st_blocks alone would accuse what is compressed, or not yet
 * written out; SEEK_HOLE looks at the content, and where a file system has
 * neither holes nor the call, there is none before the end.
 */
static uint64_t
count_holes(int fd, off_t size)
{
	off_t hole = 0, data, before = lseek(fd, 0, SEEK_CUR);
	uint64_t bytes = 0;

	while ((hole = lseek(fd, hole, SEEK_HOLE)) >= 0 && hole < size) {
		data = lseek(fd, hole, SEEK_DATA);
		if (data < 0 || data > size)
			data = size;	/* a hole up to the end */
		bytes += (uint64_t)(data - hole);
		hole = data;
	}
	(void)lseek(fd, before, SEEK_SET);
	return bytes;
}

/*
 * Most of it, and at least a MiB: compression that makes holes of zeros (ZFS)
 * finds no such amount of them in a package.
 */
static bool
is_sparse(int fd, const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;

	if (size < HOLES_LEAST || (uint64_t)st->st_blocks * 512 > size / 2)
		return false;
	return count_holes(fd, st->st_size) > size / 2;
}

int
package_check_file(int fd, const struct package_rules *rules, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat a package");
	if ((uint64_t)st.st_size > rules->max_size)
		return err_set(e, ERR_DATA, "it has %llu bytes, but [release] "
		    "max-size is %llu", (unsigned long long)st.st_size,
		    (unsigned long long)rules->max_size);
	if (is_sparse(fd, &st))
		return err_set(e, ERR_DATA, "most of its %llu bytes are a "
		    "hole: it is no whole package, build it again",
		    (unsigned long long)st.st_size);
	return 0;
}

static bool
is_allowed(const struct strv *allowed, const char *name)
{
	size_t i;

	for (i = 0; i < allowed->n; i++)
		if (fnmatch(allowed->v[i], name, 0) == 0)
			return true;
	return false;
}

int
package_judge(const struct package_claim *claim,
    const struct package_rules *rules, const struct build *build,
    struct err *e)
{
	if (!is_allowed(&rules->allowed, claim->name))
		return err_set(e, ERR_DATA, "package '%s' is not on the list "
		    "[release] packages", claim->name);
	if (claim->essential != NULL &&
	    !is_allowed(&rules->essential, claim->name))
		return err_set(e, ERR_DATA, "field %s: 'yes' keeps users from "
		    "removing package '%s': name it in [release] "
		    "allow-essential if that is meant", claim->essential,
		    claim->name);
	if (build != NULL && build->format != claim->format)
		return err_set(e, ERR_DATA, "it is a .%s, but the build is "
		    "%s-%s", format_name(claim->format), build->architecture,
		    format_name(build->format));
	if (build != NULL && claim->architecture != NULL &&
	    strcmp(claim->architecture, build->architecture) != 0)
		return err_set(e, ERR_DATA, "architecture is %s, but the build "
		    "is of %s", claim->architecture, build->architecture);
	if (release_check_version(&rules->release, claim->version, e) < 0)
		return -1;
	return rules->may_be_older ? 0 : version_check_prerelease(
	    claim->format, claim->version, claim->release, e);
}

int
package_rpm_architecture(const char *arch, const char **architecture,
    struct err *e)
{
	*architecture = NULL;
	if (strcmp(arch, "noarch") == 0)
		return 0;
	*architecture = build_from_rpm(arch);
	return *architecture != NULL ? 0 : err_set(e, ERR_DATA,
	    "unknown architecture '%s'", arch);
}

static void
set_claim(struct package *p, enum package_format format, const char *name,
    const char *version, const char *release, const char *architecture)
{
	p->claim.format = format;
	p->claim.name = mem_dup(name);
	p->claim.version = mem_dup(version);
	p->claim.release = release ? mem_dup(release) : NULL;
	p->claim.architecture = architecture ? mem_dup(architecture) : NULL;
}

static int
read_deb(int fd, const char *file, struct package *p, struct err *e)
{
	struct deb d = DEB_INIT;
	int status = deb_read(fd, file, NULL, &d, e);

	if (status == 0) {
		p->digest = d.digest;
		set_claim(p, FORMAT_DEB, d.package, d.version, NULL,
		    strcmp(d.architecture, "all") == 0 ? NULL :
		    d.architecture);
		p->claim.essential = d.essential;
	}
	deb_clear(&d);
	return status;
}

/* Its hash first: what is then read is checked by digests of its own. */
static int
read_rpm(int fd, const char *file, struct package *p, struct err *e)
{
	struct rpm r = RPM_INIT;
	const char *architecture;
	int status = hash_fd(fd, file, &p->digest, e);

	if (status == 0 && lseek(fd, 0, SEEK_SET) < 0)
		status = err_sys(e, "read '%s' again", file);
	if (status == 0)
		status = rpm_read(fd, file, &r, e);
	if (status == 0)
		status = rpm_check_contents(fd, file, &r, e);
	if (status == 0 &&
	    package_rpm_architecture(r.arch, &architecture, e) < 0)
		status = err_wrap(e, "%s", file);
	if (status == 0)
		set_claim(p, FORMAT_RPM, r.name, r.version, r.release,
		    architecture);
	rpm_clear(&r);
	return status;
}

int
package_read(int fd, const char *file, struct package *p, struct err *e)
{
	*p = (struct package){.claim = {.name = NULL}};
	if (path_ends_with(file, ".deb"))
		return read_deb(fd, file, p, e);
	if (path_ends_with(file, ".rpm"))
		return read_rpm(fd, file, p, e);
	return err_set(e, ERR_DATA, "'%s' is neither a .deb nor an .rpm", file);
}

void
package_clear(struct package *p)
{
	free((char *)p->claim.name);
	free((char *)p->claim.version);
	free((char *)p->claim.release);
	free((char *)p->claim.architecture);
	*p = (struct package){.claim = {.name = NULL}};
}
