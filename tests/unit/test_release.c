/* Which ids are releases, and which versions belong to them. */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/tree/release.h"
#include "lib/tree/version.h"

static struct conf *
conf_of(const char *const *overrides)
{
	struct strv list = STRV_INIT;
	struct err e = ERR_INIT;
	struct conf *c;

	put_str("empty.conf", "");
	for (; overrides != NULL && *overrides != NULL; overrides++)
		strv_add(&list, *overrides);
	c = conf_load("empty.conf", &list, &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	strv_clear(&list);
	return c;
}

/* The kind of what it says of the id; its version and suite where it is one. */
static int
look(const char *id, const char *format, const char *suite, struct release *r)
{
	char *a = mem_format("release.tag-format=%s", format);
	char *b = mem_format("release.prerelease-suite=%s", suite);
	struct conf *c = conf_of((const char *[]){a, *suite ? b : NULL, NULL});
	struct err e = ERR_INIT;
	static char kept[64];

	if (release_find(r, id, c, &e) == 0) {
		snprintf(kept, sizeof(kept), "%s", r->suite);
		r->suite = kept;
	}
	conf_free(c);
	free(a);
	free(b);
	return (int)e.kind;
}

static const struct {
	const char *id, *format, *suite;
	int kind;
	const char *version, *to;
} tags[] = {
	{"v0.4.0", "v%v", "", 0, "0.4.0", "stable"},
	{"v10.20.30", "v%v", "", 0, "10.20.30", "stable"},
	{"v2026.04.1", "v%v", "", 0, "2026.04.1", "stable"},
	{"nightly-20261122", "v%v", "", 0, "", "nightly"},
	{"nightly-20240229", "v%v", "", 0, "", "nightly"},
	{"v0.4.0-rc1", "v%v", "next", 0, "0.4.0~rc1", "next"},
	{"v0.4.0-beta.2", "v%v", "next", 0, "0.4.0~beta.2", "next"},
	{"0.9.2", "%v", "", 0, "0.9.2", "stable"},
	{"release-2.1", "release-%V", "", 0, "2.1", "stable"},
	{"7", "%V", "", 0, "7", "stable"},
	{"v1.2.3-final", "v%v-final", "", 0, "1.2.3", "stable"},
	/* of another form */
	{"0.9.2", "v%v", "", ERR_USAGE, "", ""},
	{"nightly-1", "v%v", "", ERR_USAGE, "", ""},
	{"nightly-", "v%v", "", ERR_USAGE, "", ""},
	{"nightly-20260230", "v%v", "", ERR_USAGE, "", ""},
	{"nightly-20261301", "v%v", "", ERR_USAGE, "", ""},
	{"nightly-202611220", "v%v", "", ERR_USAGE, "", ""},
	{"nightly-2026112x", "v%v", "", ERR_USAGE, "", ""},
	{"v1", "v%v", "", ERR_USAGE, "", ""},
	{"v1.0", "v%v", "", ERR_USAGE, "", ""},
	{"v1.0.0.0", "v%v", "", ERR_USAGE, "", ""},
	{"xv1.0.0", "v%v", "", ERR_USAGE, "", ""},
	{"v1.0.0x", "v%v", "next", ERR_USAGE, "", ""},
	{"v1.0.0~rc1", "v%v", "next", ERR_USAGE, "", ""},
	{"v1..0", "v%v", "", ERR_USAGE, "", ""},
	{"v1.0.", "v%v", "", ERR_USAGE, "", ""},
	{"v", "v%v", "", ERR_USAGE, "", ""},
	{"v1.0.0-", "v%v", "next", ERR_USAGE, "", ""},
	{"v1.0.0-1", "v%v", "next", ERR_USAGE, "", ""},
	{"v1.0.0-rc.", "v%v", "next", ERR_USAGE, "", ""},
	{"v1.0.0-rc-1", "v%v", "next", ERR_USAGE, "", ""},
	{"V1.0.0", "v%v", "", ERR_USAGE, "", ""},
	{"../x", "v%v", "", ERR_USAGE, "", ""},
	{"v1.2.3", "v%v-final", "", ERR_USAGE, "", ""},
	{"release-", "release-%V", "", ERR_USAGE, "", ""},
	/* the configuration is at fault */
	{"v0.4.0-rc1", "v%v", "", ERR_CONFIG, "", ""},
	{"v1.0.0", "v", "", ERR_CONFIG, "", ""},
	{"v1.0.0", "v%v%v", "", ERR_CONFIG, "", ""},
	{"v1.0.0", "v%d", "", ERR_CONFIG, "", ""},
	{"v1.0.0", "v%", "", ERR_CONFIG, "", ""},
};

static void
ids(void **state)
{
	struct release r;
	size_t i;
	int kind;

	(void)state;
	for (i = 0; i < COUNT(tags); i++) {
		kind = look(tags[i].id, tags[i].format, tags[i].suite, &r);
		if (kind != tags[i].kind)
			fail_msg("%s: %d", tags[i].id, kind);
		if (kind != 0)
			continue;
		assert_string_equal(r.id, tags[i].id);
		assert_string_equal(r.version, tags[i].version);
		assert_string_equal(r.suite, tags[i].to);
	}
}

static void
versions_of_a_release(void **state)
{
	static const struct {
		const char *tag, *suffixes, *version;
		bool belongs;
	} rows[] = {
		{"v0.4.0", "-[0-9]*", "0.4.0", true},
		{"v0.4.0", "-[0-9]*", "1:0.4.0", true},
		{"v0.4.0", "-[0-9]*", "0.4.0-1", true},
		{"v0.4.0", "-[0-9]*", "0.4.0-1+deb12u1", true},
		{"v0.4.0", "-[0-9]*", "0.4.0-0ubuntu1~22.04", true},
		{"v0.4.0", "", "0.4.0", true},
		{"v0.4.0", "", "0.4.0-1", false},
		{"v0.4.0", "-[0-9]*", "0.4.0+dfsg", false},
		{"v0.4.0", "-[0-9]* +*", "0.4.0+dfsg", true},
		{"v0.4.0", "-[0-9]* +*", "0.4.0+dfsg-1", true},
		{"v0.4.0", "~deb[0-9]*", "0.4.0~deb12u1", true},
		{"v0.4.0", "~*", "0.4.0~bookworm", true},
		{"v0.4.0", "-[0-9]*", "0.4.0~bookworm", false},
		/* no pattern makes these versions of the release */
		{"v0.4.0", "*", "0.4.0~rc1", false},
		{"v0.4.0", "*", "0.4.0~beta2-1", false},
		{"v0.4.0", "*", "0.4.01", false},
		{"v0.4.0", "*", "0.4.0.1", false},
		{"v0.4.0", "*", "0.4.0a", false},
		{"v0.4.0", "*", "0.4.0-1-1", false},
		{"v0.4.0", "*", "0.4", false},
		{"v0.4.0", "*", "10.4.0", false},
		{"v0.4.0-rc1", "-[0-9]*", "0.4.0~rc1", true},
		{"v0.4.0-rc1", "-[0-9]*", "0.4.0~rc1-1", true},
		{"v0.4.0-rc1", "*", "0.4.0-rc1", false},
		{"v0.4.0-rc1", "*", "0.4.0", false},
		{"v0.4.0-rc1", "*", "0.4.0~rc10", false},
		{"nightly-20261122", "", "20261122", true},
		{"nightly-20261122", "", "0.1", true},
	};
	struct conf *c;
	struct release r;
	struct err e;
	char *s;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		s = mem_format("release.version-suffixes=%s",
		    rows[i].suffixes);
		c = conf_of((const char *[]){s,
		    "release.prerelease-suite=next", NULL});
		e = (struct err)ERR_INIT;
		assert_ok(release_find(&r, rows[i].tag, c, &e), e);
		if ((release_check_version(&r, rows[i].version, &e) == 0) !=
		    rows[i].belongs)
			fail_msg("%s %s %s", rows[i].tag, rows[i].suffixes,
			    rows[i].version);
		conf_free(c);
		free(s);
	}
}

static void
prereleases(void **state)
{
	static const struct {
		enum package_format format;
		const char *version, *release;
		const char *right;	/* NULL: it is right as it is */
	} rows[] = {
		{FORMAT_DEB, "0.4.0", NULL, NULL},
		{FORMAT_DEB, "0.4.0-1", NULL, NULL},
		{FORMAT_DEB, "0.4.0~rc1", NULL, NULL},
		{FORMAT_DEB, "0.4.0~rc1-1", NULL, NULL},
		{FORMAT_DEB, "0.4.0-1ubuntu0.1~beta", NULL, NULL},
		{FORMAT_DEB, "0.4.0-0rc1", NULL, NULL},
		{FORMAT_DEB, "0.4.0+git20261122.abcdef-1", NULL, NULL},
		{FORMAT_DEB, "20261122", NULL, NULL},
		{FORMAT_DEB, "0.4.0-1src2", NULL, NULL},
		{FORMAT_DEB, "0.4.0+alphabet1", NULL, NULL},
		{FORMAT_DEB, "0.4.0-rc1", NULL, "0.4.0~rc1"},
		{FORMAT_DEB, "0.4.0-RC1", NULL, "0.4.0~RC1"},
		{FORMAT_DEB, "1:0.4.0-rc1", NULL, "1:0.4.0~rc1"},
		{FORMAT_DEB, "0.4.0rc1", NULL, "0.4.0~rc1"},
		{FORMAT_DEB, "0.4.0.beta.2-1", NULL, "0.4.0~beta.2-1"},
		{FORMAT_DEB, "0.4.0+alpha", NULL, "0.4.0~alpha"},
		{FORMAT_DEB, "0.4.0-1rc1", NULL, "0.4.0~rc1"},
		{FORMAT_RPM, "0.4.0", "1.el9", NULL},
		{FORMAT_RPM, "0.4.0~rc1", "1", NULL},
		/* the old way of Fedora, which works */
		{FORMAT_RPM, "0.4.0", "0.1.rc1", NULL},
		{FORMAT_RPM, "0.4.0rc1", "1", "0.4.0~rc1-1"},
		{FORMAT_RPM, "0.4.0_beta", "1", "0.4.0~beta-1"},
		{FORMAT_RPM, "0.4.0", "1.rc1", "0.4.0~rc1"},
		/* rpm takes letters for older than numbers */
		{FORMAT_RPM, "0.4.0", "rc1", NULL},
	};
	char wanted[64];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		e = (struct err)ERR_INIT;
		if (version_check_prerelease(rows[i].format, rows[i].version,
		    rows[i].release, &e) == 0) {
			if (rows[i].right != NULL)
				fail_msg("%s is good", rows[i].version);
			continue;
		}
		if (rows[i].right == NULL)
			fail_msg("%s", e.text);
		snprintf(wanted, sizeof(wanted), "write %s, or",
		    rows[i].right);
		check_err(&e, ERR_DATA, wanted, __FILE__, __LINE__);
	}
}

/*
 * What is proposed in place of it sorts before the release, and what is refused
 * does not: said by dpkg itself, for all that the parts combine to.
 */
static void
dpkg_agrees(void **state)
{
	static const char *const separators[] = {"-", "", ".", "+", "~"};
	static const char *const words[] = {"alpha", "beta2", "rc1", "pre.3"};
	struct buf command = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i, k;
	char v[64];
	bool good;

	(void)state;
	for (i = 0; i < COUNT(separators); i++)
		for (k = 0; k < COUNT(words); k++) {
			snprintf(v, sizeof(v), "0.4.0%s%s", separators[i],
			    words[k]);
			good = version_check_prerelease(FORMAT_DEB, v, NULL,
			    &e) == 0;
			buf_addf(&command, "dpkg --compare-versions %s lt "
			    "0.4.0 || %s || exit 1\n", v, good ? "false" :
			    "true");
			if (!good)
				buf_addf(&command, "dpkg --compare-versions %s "
				    "gt 0.4.0 || exit 1\n", v);
		}
	run(buf_cstr(&command));
	buf_clear(&command);
}

static void
epochs(void **state)
{
	(void)state;
	assert_true(version_same_epoch("1.0", "2.0-1"));
	assert_true(version_same_epoch("0:1.0", "2.0-1"));
	assert_true(version_same_epoch("1:1.0", "01:2.0-1"));
	assert_false(version_same_epoch("1:1.0", "2.0-1"));
	assert_false(version_same_epoch("1:1.0", "11:1.0"));
	assert_true(version_same_epoch("00", "000"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),
		cmocka_unit_test(versions_of_a_release),
		cmocka_unit_test(prereleases),
		cmocka_unit_test(dpkg_agrees),
		cmocka_unit_test(epochs),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
