/*
 * lib/rpm/repodata.h: lists as createrepo_c wrote them, and lists that are
 * changed in one place. And the armour of repomd.xml.asc.
 */
#include "tests/unit/support.h"

#include "lib/base/mem.h"
#include "lib/pgp/pgp.h"
#include "lib/rpm/repodata.h"

#define A "6eef66a3fa44b24d11a35a6e9d373bdad9a3027ece848d7fb0c993ccfd3299ec"
#define B "99a8d9db3fefe393abbcb162e0b54ec7077e0dcf5898929851a301e04679a826"
#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

#define PACKAGE_A \
	"<package type=\"rpm\">\n" \
	"  <name>aa</name>\n" \
	"  <arch>noarch</arch>\n" \
	"  <version epoch=\"1\" ver=\"1.0~rc1\" rel=\"1.el9\"/>\n" \
	"  <checksum type=\"sha256\" pkgid=\"YES\">" A "</checksum>\n" \
	"  <summary>&lt;x&gt; &amp; \"y\" test</summary>\n" \
	"  <description>Text with &lt;package&gt; &amp; &lt;/package&gt; " \
	"stuff > this</description>\n" \
	"  <packager></packager>\n" \
	"  <url>http://example.org/?a=1&amp;b=2</url>\n" \
	"  <time file=\"1795375583\" build=\"1795375583\"/>\n" \
	"  <size package=\"6290\" installed=\"3\" archive=\"392\"/>\n" \
	"  <location href=\"aa-1.0~rc1-1.el9.noarch.rpm\"/>\n" \
	"  <format>\n" \
	"    <rpm:license>MIT</rpm:license>\n" \
	"    <rpm:vendor></rpm:vendor>\n" \
	"    <rpm:group>Unspecified</rpm:group>\n" \
	"    <rpm:header-range start=\"4504\" end=\"6165\"/>\n" \
	"    <rpm:provides>\n" \
	"      <rpm:entry name=\"a>&quot;\" flags=\"EQ\" epoch=\"0\" " \
	"ver=\"1.0\" rel=\"1\"/>\n" \
	"    </rpm:provides>\n" \
	"    <file>/usr/bin/a&amp;b&lt;c&gt;.txt</file>\n" \
	"  </format>\n" \
	"</package>"
#define PACKAGE_B \
	"<package type=\"rpm\"><name>bb</name><arch>x86_64</arch>" \
	"<version rel='1' ver='2' epoch='0'/>" \
	"<checksum pkgid=\"YES\" type=\"sha256\">" B "</checksum>" \
	"<size archive=\"1\" installed=\"3\" package=\"18446744073\" />" \
	"<location href=\"Packages/bb-2-1.x86_64.rpm\"/>" \
	"<format><rpm:header-range end=\"9\" start=\"0\"/></format></package>"
static const char primary[] = DECLARATION
    "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm="
    "\"http://linux.duke.edu/metadata/rpm\" packages=\"2\">\n"
    PACKAGE_A "\n" PACKAGE_B "\n</metadata>\n";

#define LISTED_A \
	"<package pkgid=\"" A "\" name=\"aa\" arch=\"noarch\">\n" \
	"  <version epoch=\"0\" ver=\"1.0\" rel=\"1\"/>\n" \
	"  <file type=\"dir\">/usr/share/aa</file>\n" \
	"  <file>/usr/share/aa/a&amp;b&lt;c&gt;.txt</file>\n" \
	"</package>"
#define LISTED_B "<package pkgid=\"" B "\" name=\"bb\" arch=\"noarch\"/>"
static const char filelists[] = DECLARATION
    "<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" "
    "packages=\"2\">\n" LISTED_A "\n" LISTED_B "\n</filelists>";

#define DATA(type, rest) \
	"  <data type=\"" type "\">\n" \
	"    <checksum type=\"sha256\">" A "</checksum>\n" \
	"    <location href=\"repodata/" A "-" type ".xml.gz\"/>\n" \
	"    <timestamp>1795375583</timestamp>\n" \
	"    <size>665</size>\n" rest "  </data>\n"
#define OPEN \
	"    <open-checksum type=\"sha256\">" B "</open-checksum>\n" \
	"    <open-size>2045</open-size>\n"
static const char repomd[] = DECLARATION
    "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm="
    "\"http://linux.duke.edu/metadata/rpm\">\n"
    "  <revision>1795375583</revision>\n"
    "  <tags><distro cpeid=\"cpe:/o:x:1\">X 1</distro></tags>\n"
    DATA("primary", OPEN) DATA("group", "") "</repomd>\n";

/* A place of a text, what is put there, and what is then said; or NULL. */
struct change {
	const char *from;
	const char *to;
	const char *reason;
};

/* The text with the first `from` replaced, in memory of just that size. */
static char *
changed(const char *text, const struct change *c, size_t *n)
{
	const char *at = strstr(text, c->from);
	char *copy, *exact;

	assert_non_null(at);
	copy = mem_format("%.*s%s%s", (int)(at - text), text, c->to,
	    at + strlen(c->from));
	*n = strlen(copy);
	exact = mem_alloc(*n + 1);
	memcpy(exact, copy, *n + 1);
	free(copy);
	return exact;
}

/* Reads the whole text; how many packages, or -1. */
typedef int reader(const char *p, size_t n, struct err *e);

static int
read_primary(const char *p, size_t n, struct err *e)
{
	const char *end = p + n;
	struct repodata_package k;
	int status, count = 0;

	*e = (struct err)ERR_INIT;
	while ((status = repodata_next_primary(&p, end, &k, e)) > 0)
		count++;
	if (status == 0)
		assert_ptr_equal(p, end);
	return status < 0 ? -1 : count;
}

static int
read_listed(const char *p, size_t n, struct err *e)
{
	const char *end = p + n;
	uint8_t pkgid[HASH_SIZE];
	struct span element;
	int status, count = 0;

	*e = (struct err)ERR_INIT;
	while ((status = repodata_next_listed(&p, end, &element, pkgid,
	    e)) > 0)
		count++;
	if (status == 0)
		assert_ptr_equal(p, end);
	return status < 0 ? -1 : count;
}

static int
read_count(const char *p, size_t n, struct err *e)
{
	uint64_t count;

	*e = (struct err)ERR_INIT;
	return repodata_count(p, n, &count, e) < 0 ? -1 : (int)count;
}

static int
read_repomd(const char *p, size_t n, struct err *e)
{
	struct repomd md;

	*e = (struct err)ERR_INIT;
	return repomd_parse(p, n, &md, e) < 0 ? -1 : (int)md.n;
}

static void
try_changes(const char *text, const struct change *v, size_t n, reader *read)
{
	struct err e;
	size_t i, size;
	char *copy;
	int got;

	for (i = 0; i < n; i++) {
		copy = changed(text, &v[i], &size);
		got = read(copy, size, &e);
		free(copy);
		if (v[i].reason == NULL && got >= 0)
			continue;
		if (v[i].reason == NULL || got >= 0 || e.kind != ERR_DATA ||
		    strstr(e.text, v[i].reason) == NULL)
			fail_msg("'%s' for '%s': %d '%s'", v[i].to,
			    v[i].from, got, e.text);
	}
}

/*
 * Every beginning of a text, in memory of just that size, ends in a refusal
 * or has fewer packages.
 */
static void
try_beginnings(const char *text, reader *read)
{
	size_t n = strlen(text), i, blanks = text[n - 1] == '\n';
	struct err e;
	char *copy;
	int all, got;

	all = read(text, n, &e);
	for (i = 0; i < n; i++) {
		copy = mem_alloc(i + !i);
		memcpy(copy, text, i);
		got = read(copy, i, &e);
		free(copy);
		if (got > all || (got < 0 && e.text[0] == '\0'))
			fail_msg("%zu bytes: %d %s", i, got, e.text);
		if (read == read_repomd && got >= 0 && i < n - blanks)
			fail_msg("%zu bytes are accepted", i);
	}
}

/* ----------------------------------------------------------------- primary */

static void
check_sha256(const uint8_t sha256[HASH_SIZE], const char *hex)
{
	char got[HASH_HEX];

	hash_hex(sha256, got);
	assert_string_equal(got, hex);
}

static void
reads_primary(void **state)
{
	const char *p = primary, *end = primary + strlen(primary);
	struct repodata_package k;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(repodata_next_primary(&p, end, &k, &e), 1);
	assert_true(span_is(&k.name, "aa"));
	assert_false(span_is(&k.name, "a"));
	assert_false(span_is(&k.name, "aaa"));
	assert_true(span_is(&k.arch, "noarch"));
	assert_true(span_is(&k.epoch, "1"));
	assert_true(span_is(&k.version, "1.0~rc1"));
	assert_true(span_is(&k.release, "1.el9"));
	assert_true(span_is(&k.href, "aa-1.0~rc1-1.el9.noarch.rpm"));
	check_sha256(k.sha256, A);
	assert_int_equal(k.size, 6290);
	assert_int_equal(k.header_start, 4504);
	assert_int_equal(k.header_end, 6165);
	assert_true(span_is(&k.element, PACKAGE_A));
	assert_int_equal(repodata_next_primary(&p, end, &k, &e), 1);
	assert_true(span_is(&k.name, "bb"));
	assert_true(span_is(&k.epoch, "0"));
	assert_true(span_is(&k.version, "2"));
	assert_true(span_is(&k.release, "1"));
	assert_int_equal(k.size, 18446744073);
	assert_true(span_is(&k.element, PACKAGE_B));
	assert_int_equal(repodata_next_primary(&p, end, &k, &e), 0);
	assert_ptr_equal(p, end);
	assert_int_equal(repodata_next_primary(&p, end, &k, &e), 0);
}

/* An element that was kept is read again, without what was around it. */
static void
reads_elements_alone(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(read_primary(PACKAGE_A, strlen(PACKAGE_A), &e), 1);
	assert_int_equal(read_listed(LISTED_A, strlen(LISTED_A), &e), 1);
	assert_int_equal(read_primary("", 0, &e), 0);
	assert_int_equal(read_primary(" \n", 2, &e), 0);
}

static const struct change primary_changes[] = {
	{"aa", "bb", NULL},
	/* one field is missing, double, empty, elsewhere */
	{"<name>aa</name>", "", "<name> is missing"},
	{"<name>aa</name>", "<name>aa</name><name>b</name>", "twice"},
	{"<name>aa</name>", "<name/>", "bad text"},
	{"<name>aa</name>", "<name></name>", "bad text"},
	{"<name>aa</name>", "<name>a<b/></name>", "bad text"},
	{"<name>aa</name>", "<n><name>aa</name></n>", "missing"},
	{"<name>aa</name>", "<name>a&amp;a</name>", "bad text"},
	{"<name>aa</name>", "<name>a\na</name>", "bad text"},
	{"<name>aa</name>", "<name>aa</nam>", "does not end"},
	{"<name>aa</name>", "<name>aa<name>", "bad text"},
	{"<arch>noarch</arch>", "", "<arch> is missing"},
	{"<arch>noarch</arch>", "<!-- no --><arch>noarch</arch>",
	    "malformed"},
	{"<arch>noarch</arch>", "<arch><![CDATA[noarch]]></arch>",
	    "malformed"},
	{"<version epoch=\"1\"", "<version", "bad epoch"},
	{"<version epoch=\"1\"", "<version epoch=\"1\" epoch=\"2\"",
	    "bad epoch"},
	{"<version epoch=\"1\"", "<version epoch=\"\"", "bad epoch"},
	{"<version epoch=\"1\"", "<version epoch=1", "malformed"},
	{"<version epoch=\"1\"", "<version epoch=\"<\"", "malformed"},
	{"<version epoch=\"1\"", "<versions epoch=\"1\"", "<version>"},
	{"ver=\"1.0~rc1\"", "", "bad ver"},
	{"ver=\"1.0~rc1\"", "ver=\"&#49;\"", "bad ver"},
	{" rel=\"1.el9\"", "rel=\"1.el9\"", "malformed"},
	{"rel=\"1.el9\"", "rel=\"1.el9", "malformed"},
	{"\"sha256\"", "\"sha\"", "bad type"},
	{"\"sha256\"", "\"sha512\"", "bad type"},
	{"pkgid=\"YES\"", "pkgid=\"NO\"", "bad pkgid"},
	{"pkgid=\"YES\"", "", "bad pkgid"},
	{A, "6eef", "bad SHA-256"},
	{A, A "0", "bad SHA-256"},
	{">6eef", ">6EEF", "bad SHA-256"},
	{">6eef", ">6eeg", "bad SHA-256"},
	{">6eef", "> 6eef", "bad SHA-256"},
	{"package=\"6290\"", "", "bad package"},
	{"package=\"6290\"", "package=\"-1\"", "bad package"},
	{"package=\"6290\"", "package=\"0x10\"", "bad package"},
	{"package=\"6290\"", "package=\"010\"", "bad package"},
	{"package=\"6290\"", "package=\" 1\"", "bad package"},
	{"package=\"6290\"", "package=\"1234567890123456789\"",
	    "bad package"},
	{"package=\"6290\"", "package=\"123456789012345678\"", NULL},
	{"<location ", "<location xml:base=\"http://example.org/\" ",
	    "xml:base"},
	{"<location ", "<place ", "<location> is missing"},
	{"<location ", "<location href=\"x\"/><location ", "twice"},
	{"rpm:header-range", "header-range", "is missing"},
	{"start=\"4504\"", "start=\"\"", "bad start"},
	{"end=\"6165\"", "", "bad end"},
	{"<format>", "<form>", "does not end"},
	{"</format>", "", "does not end"},
	{"</format>", "</format></format>", "does not end"},
	{"<rpm:provides>", "<p><p><p><p><p><p><p>", "nested more than"},
	{"<format>", "<form><format>", "does not end"},
	{"</format>\n</package>", "</format>\n", "does not end"},
	{"<package type=\"rpm\">", "<package>", "bad type"},
	{"<package type=\"rpm\">", "<package type=\"deb\">", "type"},
	{"<package type=\"rpm\">", "<pack type=\"rpm\">", "is not"},
	{"</package>\n<package", "</package>\nx\n<package", "text"},
	{"</package>\n<package", "</package>\n</x><package", "not <p"},
	{"</package>\n<package", "</package>\n</package><package",
	    "not <package>"},
	{"</package>\n<package", "</package>\n<!DOCTYPE x><package",
	    "malformed"},
	{"</metadata>", "", NULL},
	{"</metadata>", "</metadata>x", "follows"},
	{"</metadata>", "</metadata><package/>", "follows"},
	{DECLARATION, "", NULL},
	{DECLARATION, "\n", NULL},
	{DECLARATION, "<?xml ", "malformed"},
	{DECLARATION, DECLARATION "<!DOCTYPE x>", "malformed"},
};

static void
refuses_what_is_wrong_in_primary(void **state)
{
	(void)state;
	try_changes(primary, primary_changes,
	    COUNT(primary_changes), read_primary);
}

static void
beginnings_do_no_harm(void **state)
{
	(void)state;
	try_beginnings(primary, read_primary);
	try_beginnings(filelists, read_listed);
	try_beginnings(repomd, read_repomd);
	try_beginnings(primary, read_count);
}

/* ------------------------------------------------------------ other lists */

static void
reads_filelists(void **state)
{
	const char *p = filelists, *end = filelists + strlen(filelists);
	uint8_t pkgid[HASH_SIZE];
	struct span element;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(repodata_next_listed(&p, end, &element, pkgid, &e),
	    1);
	check_sha256(pkgid, A);
	assert_true(span_is(&element, LISTED_A));
	assert_int_equal(repodata_next_listed(&p, end, &element, pkgid, &e),
	    1);
	check_sha256(pkgid, B);
	assert_true(span_is(&element, LISTED_B));
	assert_int_equal(repodata_next_listed(&p, end, &element, pkgid, &e),
	    0);
	assert_ptr_equal(p, end);
}

static void
refuses_what_is_wrong_in_filelists(void **state)
{
	static const struct change changes[] = {
		{"pkgid=\"" A "\"", "", "bad pkgid"},
		{"pkgid=\"" A "\"", "pkgid=\"" A "\" pkgid=\"" B "\"",
		    "bad pkgid"},
		{"pkgid=\"6eef", "pkgid=\"6eeF", "bad pkgid"},
		{"pkgid=\"6eef", "pkgid=\"", "bad pkgid"},
		{"</file>", "</fil>", "does not end"},
		{"</file>", "<!-- x --></file>", "malformed"},
		{"</package>", "", "does not end"},
		{"<filelists", "<files", "is not <package>"},
	};

	(void)state;
	try_changes(filelists, changes, COUNT(changes), read_listed);
}

static void
reads_counts(void **state)
{
	static const struct change changes[] = {
		{"packages=\"2\"", "packages=\"0\"", NULL},
		{"packages=\"2\"", "", "bad packages"},
		{"packages=\"2\"", "packages=\"-2\"", "bad packages"},
		{"packages=\"2\"", "packages=\"two\"", "bad packages"},
		{"packages=\"2\"", "packages=\"2\" packages=\"3\"",
		    "bad packages"},
		{"<metadata", "x<metadata", "there is text"},
		{"<metadata", "<repomd", "not a list"},
		{"<metadata", "</metadata><metadata", "not a list"},
	};
	struct err e;

	(void)state;
	assert_int_equal(read_count(primary, strlen(primary), &e), 2);
	assert_int_equal(read_count(filelists, strlen(filelists), &e), 2);
	assert_int_equal(read_count("", 0, &e), -1);
	try_changes(primary, changes, COUNT(changes), read_count);
}

static void
knows_how_a_list_ends(void **state)
{
	static const char text[] = "</metadata>";
	size_t n = strlen(primary), i;

	(void)state;
	assert_true(repodata_ends(primary, n, "metadata"));
	assert_true(repodata_ends(primary, n - 1, "metadata"));
	assert_false(repodata_ends(primary, n - 2, "metadata"));
	assert_false(repodata_ends(primary, n, "data"));
	assert_false(repodata_ends(primary, n, "filelists"));
	assert_true(repodata_ends(text, sizeof(text) - 1, "metadata"));
	for (i = 0; i < sizeof(text) - 1; i++)
		assert_false(repodata_ends(text + sizeof(text) - 1 - i, i,
		    "metadata"));
}

/* -------------------------------------------------------------- repomd.xml */

static void
reads_repomd(void **state)
{
	const struct repomd_file *f;
	struct repomd md;
	struct err e = ERR_INIT;

	(void)state;
	assert_ok(repomd_parse(repomd, strlen(repomd), &md, &e), e);
	assert_int_equal(md.revision, 1795375583);
	assert_int_equal(md.n, 2);
	f = repomd_find(&md, "primary");
	assert_ptr_equal(f, &md.v[0]);
	assert_true(span_is(&f->type, "primary"));
	assert_true(span_is(&f->href, "repodata/" A "-primary.xml.gz"));
	check_sha256(f->sha256, A);
	assert_int_equal(f->size, 665);
	assert_true(f->has_open);
	check_sha256(f->open_sha256, B);
	assert_int_equal(f->open_size, 2045);
	f = repomd_find(&md, "group");
	assert_ptr_equal(f, &md.v[1]);
	assert_false(f->has_open);
	assert_null(repomd_find(&md, "filelists"));
	assert_null(repomd_find(&md, "prim"));
}

static void
refuses_what_is_wrong_in_repomd(void **state)
{
	static const struct change changes[] = {
		{"<revision>1795375583</revision>", "", NULL},
		{"1795375583</rev", "0</rev", NULL},
		{"1795375583</rev", "soon</rev", "bad number"},
		{"1795375583</rev", "-1</rev", "bad number"},
		{"1795375583</rev", "9999999999999999999</rev", "bad number"},
		{"<revision>", "<revision>1</revision><revision>", "twice"},
		{"<data type=\"primary\">", "<data>", "bad type"},
		{"<data type=\"primary\">", "<data type=\"group\">",
		    "'group' is named twice"},
		{"<data type=\"primary\">", "<data type=\"primary\"/>",
		    "bad content"},
		{"<data type=\"primary\">", "<data type=\"prim&#97;ry\">",
		    "bad type"},
		{"<tags>", "<tags><data type=\"primary\"/>", "bad place"},
		{"\"sha256\"", "\"sha1\"", "bad type"},
		{A, "6eef", "bad SHA-256"},
		{"<checksum type=\"sha256\">" A "</checksum>", "",
		    "<checksum> is missing"},
		{"<size>665</size>", "", "<size> is missing"},
		{"<size>665</size>", "<size>6 5</size>", "bad number"},
		{"<size>665</size>", "<size>6</size><size>5</size>", "twice"},
		{"<location ", "<loc ", "<location> is missing"},
		{"<location ", "<location xml:base='x' ", "xml:base"},
		{"href=\"repodata", "href=\"&#114;epodata", "bad href"},
		{"<open-size>2045</open-size>", "", "<open-size> is missing"},
		{OPEN, "", NULL},
		{"</data>", "", "<data> does not end"},
		{"</repomd>", "</repomd>x", "follows"},
		{"</repomd>", "</repomds>", "does not end"},
		{"</repomd>", "<!-- --></repomd>", "malformed"},
		{"<repomd", "<repo", "not a repomd"},
	};

	(void)state;
	try_changes(repomd, changes, COUNT(changes), read_repomd);
}

static void
files_of_repomd_are_counted(void **state)
{
	struct buf b = BUF_INIT;
	struct repomd md;
	struct err e = ERR_INIT;
	int i;

	(void)state;
	buf_str(&b, "<repomd>");
	for (i = 0; i < REPOMD_FILES; i++)
		buf_addf(&b, "<data type=\"t%d\"><checksum type=\"sha256\">" A
		    "</checksum><location href=\"x\"/><size>1</size></data>",
		    i);
	buf_str(&b, "</repomd>");
	assert_ok(repomd_parse(b.p, b.n, &md, &e), e);
	assert_int_equal(md.n, REPOMD_FILES);
	b.n -= strlen("</repomd>");
	buf_str(&b, "<data type=\"more\"></data></repomd>");
	assert_fails(repomd_parse(b.p, b.n, &md, &e), e, ERR_DATA,
	    "more than 16");
	buf_clear(&b);
}

/* ------------------------------------------------------------------ armour */

#define BEGIN "-----BEGIN PGP SIGNATURE-----\n"
#define END "-----END PGP SIGNATURE-----\n"

/* "-": refused. Else the packets, as text. */
static void
reads_armour(void **state)
{
	static const struct {
		const char *text;
		const char *packets;
	} cases[] = {
		{BEGIN "\nYWJj\n=uhx7\n" END, "abc"},
		{BEGIN "\nYWJj\n=uhx7\n-----END PGP SIGNATURE-----", "abc"},
		{BEGIN "\nYWJj\n" END, "abc"},
		{BEGIN "\nYWJj\nZGVm\n=Nag/\n" END, "abcdef"},
		{BEGIN "\nYW\nJj\n" END, "abc"},
		{BEGIN "\nYWI=\n=oRot\n" END, "ab"},
		{BEGIN "\nYQ==\n=8lcT\n" END, "a"},
		{BEGIN "Version: x\nComment: y\n\nYWJj\n" END, "abc"},
		{"-----BEGIN PGP SIGNATURE-----\r\n\r\nYWJj\r\n"
		    "-----END PGP SIGNATURE-----\r\n", "abc"},
		{BEGIN "\nYWJj\n=abcd\n" END, "-"},
		{"", "-"},
		{BEGIN, "-"},
		{BEGIN "\n", "-"},
		{BEGIN "\nYWJj\n", "-"},
		{BEGIN "\nYWJj\n=uhx7\n", "-"},
		{BEGIN "\n" END, "-"},
		{BEGIN "YWJj\n" END, "-"},
		{" " BEGIN "\nYWJj\n" END, "-"},
		{"\n" BEGIN "\nYWJj\n" END, "-"},
		{BEGIN "\nYWJj\n" END "\n", "-"},
		{BEGIN "\nYWJj\n" END BEGIN "\nYWJj\n" END, "-"},
		{BEGIN "\nYWJ\n" END, "-"},
		{BEGIN "\nYWJ=\n" END, "-"},
		{BEGIN "\nYR==\n" END, "-"},
		{BEGIN "\nYQ=\n" END, "-"},
		{BEGIN "\nYQ===\n" END, "-"},
		{BEGIN "\nYQ==YWJj\n" END, "-"},
		{BEGIN "\nYW Jj\n" END, "-"},
		{BEGIN "\nYW*j\n" END, "-"},
		{BEGIN "\n\nYWJj\n=uhx7\nYWJj\n" END, "-"},
	};
	struct buf packets = BUF_INIT;
	char *copy;
	size_t i, n;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		n = strlen(cases[i].text);
		copy = mem_alloc(n + !n);
		memcpy(copy, cases[i].text, n);
		if (pgp_read_armour(copy, n, "SIGNATURE", &packets) !=
		    (cases[i].packets[0] != '-') ||
		    (cases[i].packets[0] != '-' &&
		    strcmp(buf_cstr(&packets), cases[i].packets) != 0))
			fail_msg("'%s': '%s'", cases[i].text,
			    buf_cstr(&packets));
		free(copy);
		buf_clear(&packets);
	}
}

static void
counts_signatures(void **state)
{
	static const struct {
		const char *packets;
		size_t n;
		int count;
	} cases[] = {
		{"", 0, 0},
		{"\x88\x01x", 3, 1},
		{"\xc2\x01x", 3, 1},
		{"\x88\x01x\xc2\x01x", 6, 2},
		{"\x88\x02x", 3, -1},
		{"\x88", 1, -1},
		{"\x08\x01x", 3, -1},
		{"\x98\x01x", 3, -1},	/* a public key */
		{"\x88\x01x\x98\x01x", 6, -1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		if (pgp_count_signatures(cases[i].packets, cases[i].n) !=
		    cases[i].count)
			fail_msg("case %zu", i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_primary),
		cmocka_unit_test(reads_elements_alone),
		cmocka_unit_test(refuses_what_is_wrong_in_primary),
		cmocka_unit_test(beginnings_do_no_harm),
		cmocka_unit_test(reads_filelists),
		cmocka_unit_test(refuses_what_is_wrong_in_filelists),
		cmocka_unit_test(reads_counts),
		cmocka_unit_test(knows_how_a_list_ends),
		cmocka_unit_test(reads_repomd),
		cmocka_unit_test(refuses_what_is_wrong_in_repomd),
		cmocka_unit_test(files_of_repomd_are_counted),
		cmocka_unit_test(reads_armour),
		cmocka_unit_test(counts_signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
