/*
 * lib/deb/deb.h: packages made by dpkg-deb, and mutants of them made by hand.
 */
#include "tests/unit/support.h"

#include <sys/resource.h>

#include "lib/base/mem.h"
#include "lib/data/hash.h"
#include "lib/deb/deb.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/reader.h"

#define CONTROL								\
	"Package: veilid-x\n"						\
	"Version: 1:0.3.4-1~rc1+b2\n"					\
	"Architecture: amd64\n"						\
	"Maintainer: A Person <person@example.org>\n"			\
	"Description: one line\n"					\
	" and a longer text\n"						\
	" .\n"								\
	" with an empty line\n"

/* ------------------------------------------------- packages made by hand */

static void
ar_start(struct buf *ar)
{
	buf_clear(ar);
	buf_str(ar, "!<arch>\n");
}

static void
ar_header(struct buf *ar, const char *name, const char *size)
{
	buf_addf(ar, "%-16s%-12s%-6s%-6s%-8s%-10s`\n", name, "0", "0", "0",
	    "100644", size);
}

static void
ar_add(struct buf *ar, const char *name, const void *data, size_t n)
{
	char size[24];

	snprintf(size, sizeof(size), "%zu", n);
	ar_header(ar, name, size);
	buf_add(ar, data, n);
	if (n & 1)
		buf_str(ar, "\n");
}

static void
ar_add_file(struct buf *ar, const char *name, const char *file)
{
	struct buf data = BUF_INIT;

	get(file, &data);
	ar_add(ar, name, data.p, data.n);
	buf_clear(&data);
}

/* A package around the file control.tar.gz. */
static void
wrap_as(struct buf *ar, const char *member, const char *file)
{
	ar_start(ar);
	ar_add(ar, "debian-binary", "2.0\n", 4);
	ar_add_file(ar, member, file);
	ar_add_file(ar, "data.tar.gz", "data.tar.gz");
}

/* A package with this control file. */
static void
make(struct buf *ar, const char *control, size_t n)
{
	put("control", control, n);
	run("tar -czf control.tar.gz --owner=0 --group=0 ./control");
	wrap_as(ar, "control.tar.gz", "control.tar.gz");
}

static int
read_bytes(const void *data, size_t n, struct deb *d, struct err *e)
{
	int fd = file_of(data, n);
	int status = deb_read(fd, "x.deb", NULL, d, e);

	close(fd);
	return status;
}

#define assert_refused(ar, part) do {					\
	struct deb d_ = DEB_INIT;					\
	struct err e_;							\
	assert_fails(read_bytes((ar)->p, (ar)->n, &d_, &e_), e_,	\
	    ERR_DATA, part);						\
	check_err(&e_, ERR_DATA, "x.deb: ", __FILE__, __LINE__);	\
	deb_clear(&d_);							\
} while (0)

#define assert_accepted(ar) do {					\
	struct deb d_ = DEB_INIT;					\
	struct err e_ = ERR_INIT;					\
	assert_ok(read_bytes((ar)->p, (ar)->n, &d_, &e_), e_);		\
	deb_clear(&d_);							\
} while (0)

static bool
dpkg_accepts(const struct buf *ar)
{
	put("judged.deb", ar->p, ar->n);
	return run_succeeds("dpkg-deb -f judged.deb >fields 2>/dev/null");
}

static int
make_packages(void **state)
{
	struct err e = ERR_INIT;

	if (reader_start(&e) < 0 || scratch_enter(state) < 0)
		return -1;
	run("mkdir -p tree/DEBIAN tree/usr/share/x "
	    "&& echo hello >tree/usr/share/x/hello");
	put_str("tree/DEBIAN/control", CONTROL);
	run("chmod -R u=rwX,go=rX tree");
	run("dpkg-deb --root-owner-group -Zgzip -b tree gz.deb >/dev/null");
	run("dpkg-deb --root-owner-group -Zxz -b tree xz.deb >/dev/null");
	run("dpkg-deb --root-owner-group -Zzstd -b tree zst.deb >/dev/null");
	run("dpkg-deb --root-owner-group -Znone -b tree none.deb >/dev/null");
	run("ar p gz.deb control.tar.gz >good.tar.gz");
	run("ar p gz.deb data.tar.gz >data.tar.gz");
	return 0;
}

/* ---------------------------------------------------------------- usual */

static const char *const packages[] = {
	"gz.deb", "xz.deb", "zst.deb", "none.deb",
};

static void
reads_what_dpkg_deb_makes(void **state)
{
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;
	struct buf file = BUF_INIT, copy = BUF_INIT;
	uint8_t sha256[HASH_SIZE];
	struct out *o;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < COUNT(packages); i++) {
		get(packages[i], &file);
		fd = open(packages[i], O_RDONLY);
		o = out_buf(&copy);
		assert_ok(deb_read(fd, packages[i], o, &d, &e), e);
		assert_ok(out_commit(o, &e), e);
		close(fd);
		assert_string_equal(d.package, "veilid-x");
		assert_string_equal(d.version, "1:0.3.4-1~rc1+b2");
		assert_string_equal(d.architecture, "amd64");
		assert_string_equal(buf_cstr(&d.control), CONTROL);
		assert_int_equal(d.digest.size, file.n);
		hash_data(file.p, file.n, sha256);
		assert_memory_equal(d.digest.sha256, sha256, HASH_SIZE);
		assert_int_equal(copy.n, file.n);
		assert_memory_equal(copy.p, file.p, file.n);
		deb_clear(&d);
		buf_clear(&file);
		buf_clear(&copy);
	}
}

static void
reads_from_the_position_of_the_descriptor(void **state)
{
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	int fd;

	(void)state;
	buf_str(&b, "before");
	get("gz.deb", &b);
	fd = file_of(b.p, b.n);
	lseek(fd, 6, SEEK_SET);
	assert_ok(deb_read(fd, "x", NULL, &d, &e), e);
	assert_int_equal(d.digest.size, b.n - 6);
	close(fd);
	deb_clear(&d);
	buf_clear(&b);
}

static void
names_the_file_without_epoch(void **state)
{
	struct deb d = DEB_INIT;
	char *name;

	(void)state;
	d.package = (char *)(uintptr_t)"p0";
	d.version = (char *)(uintptr_t)"12:1.0-1";
	d.architecture = (char *)(uintptr_t)"all";
	name = deb_file_name(&d);
	assert_string_equal(name, "p0_1.0-1_all.deb");
	free(name);
	d.version = (char *)(uintptr_t)"1.0";
	name = deb_file_name(&d);
	assert_string_equal(name, "p0_1.0_all.deb");
	free(name);
}

static void
clear_accepts_what_was_never_read(void **state)
{
	struct deb d = DEB_INIT;

	(void)state;
	deb_clear(&d);
	deb_clear(&d);
}

/* deb(5): members of odd length are padded, the last one too. */
static void
needs_the_padding_at_the_end(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	/* the name in it is of one letter, or of two */
	run("gzip -dc data.tar.gz >d && cp d dd && gzip d dd && "
	    "for f in d.gz dd.gz; do "
	    "[ $(($(stat -c %s $f) % 2)) = 0 ] || mv $f odd.gz; done");
	ar_start(&ar);
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	ar_add_file(&ar, "data.tar.gz", "odd.gz");
	assert_accepted(&ar);
	ar.n--;
	assert_refused(&ar, "");
	ar.n--;
	assert_refused(&ar, "");
	buf_clear(&ar);
}

static void
members_that_begin_with_an_underline_are_passed_over(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	ar_start(&ar);
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	ar_add(&ar, "_extra", "odd", 3);
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	ar_add(&ar, "_more", "even", 4);
	ar_add_file(&ar, "data.tar.gz", "data.tar.gz");
	assert_accepted(&ar);
	assert_true(dpkg_accepts(&ar));
	buf_clear(&ar);
}

/* ------------------------------------------------- damaged and cut short */

static void
refuses_every_truncation(void **state)
{
	struct buf file = BUF_INIT;
	struct deb d = DEB_INIT;
	struct err e;
	size_t i, n, step;
	int fd;

	(void)state;
	for (i = 0; i < COUNT(packages); i++) {
		get(packages[i], &file);
		step = file.n > 4096 ? 31 : 1;
		fd = file_of(file.p, file.n);
		for (n = file.n - 1; n > 0; n -= n > step ? step : n) {
			assert_int_equal(ftruncate(fd, (off_t)n), 0);
			lseek(fd, 0, SEEK_SET);
			e = (struct err)ERR_INIT;
			if (deb_read(fd, "x", NULL, &d, &e) == 0) {
				fail_msg("%s cut at byte %zu of %zu",
				    packages[i], n, file.n);
			} else {
				check_err(&e, ERR_DATA, "x: ", __FILE__,
				    __LINE__);
			}
			deb_clear(&d);
		}
		close(fd);
		buf_clear(&file);
	}
}

static void
refuses_what_is_no_package(void **state)
{
	static const char *const texts[] = {
		"", "!", "!<arch>", "!<arch>\n", "!<arch>\n\n", "hello\n",
		"!<thin>\n", "<html><head><title>404</title></head></html>",
		("\x7f" "ELF"), "2.0\n",
	};
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		buf_clear(&b);
		buf_str(&b, texts[i]);
		assert_refused(&b, "");
	}
	buf_clear(&b);
	get("good.tar.gz", &b);
	assert_refused(&b, "");
	buf_clear(&b);
}

/* Whatever one byte is changed to: no crash, and no other digest. */
static void
survives_every_changed_byte(void **state)
{
	static const unsigned char masks[] = {0x01, 0x10, 0x80, 0xff};
	struct buf file = BUF_INIT;
	uint8_t sha256[HASH_SIZE];
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;
	size_t i, k;

	(void)state;
	get("gz.deb", &file);
	for (i = 0; i < file.n; i++)
		for (k = 0; k < COUNT(masks); k++) {
			file.p[i] = (char)(file.p[i] ^ masks[k]);
			if (read_bytes(file.p, file.n, &d, &e) == 0) {
				hash_data(file.p, file.n, sha256);
				assert_memory_equal(sha256, d.digest.sha256,
				    HASH_SIZE);
			} else {
				assert_int_equal(e.kind, ERR_DATA);
			}
			deb_clear(&d);
			file.p[i] = (char)(file.p[i] ^ masks[k]);
		}
	buf_clear(&file);
}

/* dpkg-deb refuses it: its own decompressor looks at the checksum. */
static void
refuses_a_control_archive_with_a_wrong_checksum(void **state)
{
	struct buf tar = BUF_INIT, ar = BUF_INIT;

	(void)state;
	get("good.tar.gz", &tar);
	tar.p[tar.n - 7] ^= 0x55;	/* in the CRC-32 of RFC 1952 2.3.1 */
	ar_start(&ar);
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	ar_add(&ar, "control.tar.gz", tar.p, tar.n);
	ar_add_file(&ar, "data.tar.gz", "data.tar.gz");
	assert_false(dpkg_accepts(&ar));
	assert_refused(&ar, "");
	buf_clear(&ar);
	buf_clear(&tar);
}

static void
refuses_a_control_archive_that_is_cut(void **state)
{
	struct buf tar = BUF_INIT, ar = BUF_INIT;
	size_t n;

	(void)state;
	get("good.tar.gz", &tar);
	for (n = 0; n < tar.n; n++) {
		ar_start(&ar);
		ar_add(&ar, "debian-binary", "2.0\n", 4);
		ar_add(&ar, "control.tar.gz", tar.p, n);
		ar_add_file(&ar, "data.tar.gz", "data.tar.gz");
		assert_refused(&ar, "");
	}
	buf_clear(&ar);
	buf_clear(&tar);
}

/* Replaces the size in the header of the nth member. */
static void
lie_about_size(struct buf *ar, size_t member, const char *size)
{
	char text[11];
	size_t at = 8;

	while (member-- > 0)
		at += 60 + ((size_t)atol(ar->p + at + 48) + 1) / 2 * 2;
	snprintf(text, sizeof(text), "%-10s", size);
	memcpy(ar->p + at + 48, text, 10);
}

static void
refuses_lying_sizes(void **state)
{
	static const char *const sizes[] = {
		"0", "1", "2", "-1", "-4", "8", "60", "100", "9999999999",
		"4294967295", "2147483648", "x", "", "0x10", "1e3",
	};
	struct buf ar = BUF_INIT;
	size_t i, member;

	(void)state;
	for (member = 0; member < 3; member++)
		for (i = 0; i < COUNT(sizes); i++) {
			buf_clear(&ar);
			get("gz.deb", &ar);
			lie_about_size(&ar, member, sizes[i]);
			assert_refused(&ar, "");
		}
	buf_clear(&ar);
}

static void
refuses_sizes_that_are_off_by_a_few(void **state)
{
	struct buf ar = BUF_INIT;
	char size[24];
	size_t member, at, k;
	long n;

	(void)state;
	for (member = 1; member < 3; member++)
		for (k = 0; k < 16; k++) {
			buf_clear(&ar);
			get("gz.deb", &ar);
			at = member == 1 ? 8 + 64 : 0;
			if (at == 0)
				at = 8 + 64 + 60 + ((size_t)atol(ar.p + 8 +
				    64 + 48) + 1) / 2 * 2;
			n = atol(ar.p + at + 48) + (long)k - 8;
			/* a size that rounds to the same place is no lie that
			 * shows: only the padding becomes contents */
			if ((n + 1) / 2 == (atol(ar.p + at + 48) + 1) / 2)
				continue;
			snprintf(size, sizeof(size), "%ld", n);
			lie_about_size(&ar, member, size);
			assert_refused(&ar, "");
		}
	buf_clear(&ar);
}

static void
refuses_trailing_garbage(void **state)
{
	struct buf ar = BUF_INIT, huge = BUF_INIT;
	size_t n;

	(void)state;
	for (n = 1; n < 200; n++) {
		buf_clear(&ar);
		get("gz.deb", &ar);
		memset(buf_room(&ar, n), (int)n, n);
		ar.n += n;
		assert_refused(&ar, "");
	}
	for (n = 1; n < 200; n++) {
		buf_clear(&ar);
		get("gz.deb", &ar);
		memset(buf_room(&ar, n), n & 1 ? '\n' : '\0', n);
		ar.n += n;
		assert_refused(&ar, "");
	}
	buf_clear(&ar);
	get("gz.deb", &ar);
	memset(buf_room(&huge, 1 << 20), 0, 1 << 20);
	huge.n = 1 << 20;
	buf_add(&ar, huge.p, huge.n);
	assert_refused(&ar, "");
	buf_clear(&ar);
	get("gz.deb", &ar);
	get("gz.deb", &ar);
	assert_refused(&ar, "");
	buf_clear(&ar);
	buf_clear(&huge);
}

/* ------------------------------------------------------------ its members */

static void
refuses_members_in_another_order(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	ar_start(&ar);
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	ar_add_file(&ar, "data.tar.gz", "data.tar.gz");
	assert_refused(&ar, "not a Debian package: the first member is");

	ar_start(&ar);
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	ar_add_file(&ar, "data.tar.gz", "data.tar.gz");
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	assert_refused(&ar, "the second member is 'data.tar.gz'");

	ar_start(&ar);
	ar_add(&ar, "_first", "2.0\n", 4);
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	ar_add_file(&ar, "data.tar.gz", "data.tar.gz");
	assert_refused(&ar, "the first member is '_first'");
	buf_clear(&ar);
}

static void
refuses_missing_and_repeated_members(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	ar_start(&ar);
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	assert_refused(&ar, "1 of 3 members");
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	assert_refused(&ar, "2 of 3 members");
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	assert_refused(&ar, "the third member is 'control.tar.gz'");

	wrap_as(&ar, "control.tar.gz", "good.tar.gz");
	ar_add_file(&ar, "data.tar.gz", "data.tar.gz");
	assert_refused(&ar, "unexpected member");

	wrap_as(&ar, "control.tar.gz", "good.tar.gz");
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	assert_refused(&ar, "unexpected member");

	wrap_as(&ar, "control.tar.gz", "good.tar.gz");
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	assert_refused(&ar, "unexpected member");
	buf_clear(&ar);
}

static void
refuses_other_member_names(void **state)
{
	static const char *const names[] = {
		"control.tar.bz2", "control.tar.lzma", "control.tar.gzz",
		"control.tgz", "control.tar.", "control", "Control.tar.gz",
		"./control.tar.gz", "#1/14", "//", "/", "/0", "",
	};
	struct buf ar = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		wrap_as(&ar, names[i], "good.tar.gz");
		assert_refused(&ar, "");
	}
	/* a name longer than its field, as BSD writes it: not of deb(5) */
	ar_start(&ar);
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
	ar_add(&ar, "#1/12", "data.tar.gz\0hello", 17);
	assert_refused(&ar, "");
	buf_clear(&ar);
}

/* The suffix says what it is, not the bytes: dpkg-deb sees it so too. */
static void
refuses_another_compression_than_the_name_says(void **state)
{
	static const char *const names[] = {
		"control.tar", "control.tar.xz", "control.tar.zst",
	};
	struct buf ar = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		wrap_as(&ar, names[i], "good.tar.gz");
		assert_refused(&ar, "");
		assert_false(dpkg_accepts(&ar));
	}
	/* compressed twice */
	run("gzip -nc good.tar.gz >twice.tar.gz");
	wrap_as(&ar, "control.tar.gz", "twice.tar.gz");
	assert_false(dpkg_accepts(&ar));
	assert_refused(&ar, "");
	/* not compressed at all */
	run("gzip -dc good.tar.gz >plain.tar");
	wrap_as(&ar, "control.tar.gz", "plain.tar");
	assert_refused(&ar, "");
	buf_clear(&ar);
}

/* What dpkg-deb refuses must not be published. */
static void
format_version_is_judged_as_dpkg_deb_does(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
	} versions[] = {
		{"2.0\n", true}, {"2.1\n", true}, {"2.0\nmore\n", true},
		{"3.0\n", false}, {"1.0\n", false}, {"2\n", false},
		{"", false}, {"20\n", false}, {"\n2.0\n", false},
		{"2.x\n", false}, {"2.\n", false}, {"2.0", false},
		{"2.0 \n", false},
	};
	struct buf ar = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(versions); i++) {
		ar_start(&ar);
		ar_add(&ar, "debian-binary", versions[i].text,
		    strlen(versions[i].text));
		ar_add_file(&ar, "control.tar.gz", "good.tar.gz");
		ar_add_file(&ar, "data.tar.gz", "data.tar.gz");
		if (versions[i].is_good) {
			assert_accepted(&ar);
		} else {
			if (dpkg_accepts(&ar))
				fail_msg("dpkg-deb takes '%s'",
				    versions[i].text);
			assert_refused(&ar, "");
		}
	}
	buf_clear(&ar);
}

/* ------------------------------------------------------- the control.tar */

static void
refuses_two_control_files(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	put_str("control", CONTROL);
	run("tar -cf two.tar ./control && tar -rf two.tar ./control && "
	    "gzip -nf two.tar");
	wrap_as(&ar, "control.tar.gz", "two.tar.gz");
	assert_refused(&ar, "two control files");

	run("tar -cf two.tar ./control && tar -rf two.tar control && "
	    "gzip -nf two.tar");
	wrap_as(&ar, "control.tar.gz", "two.tar.gz");
	assert_refused(&ar, "two control files");
	buf_clear(&ar);
}

static void
refuses_an_empty_control_file_before_another(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	put_str("control", "");
	run("tar -cf two.tar ./control");
	put_str("control", CONTROL);
	run("tar -rf two.tar ./control && gzip -nf two.tar");
	wrap_as(&ar, "control.tar.gz", "two.tar.gz");
	assert_refused(&ar, "two control files");
	buf_clear(&ar);
}

/*
 * Other spellings of ./control: dpkg-deb unpacks with tar, where the last
 * one wins. A second control file that only dpkg sees would make the index
 * speak of another package than the one that is installed.
 */
static void
refuses_control_under_another_spelling(void **state)
{
	struct buf ar = BUF_INIT;
	static const char *const commands[] = {
		"tar -rPf two.tar --transform='s,^.*$,.//control,' other",
		"tar -rPf two.tar --transform='s,^.*$,././control,' other",
		"tar -rPf two.tar --transform='s,^.*$,/control,' other",
		"tar -rPf two.tar --transform='s,^.*$,x/../control,' other",
		("ln -sf . link && tar -rf two.tar link && tar -rPf two.tar "
		    "--transform='s,^.*$,link/control,' other"),
	};
	size_t i;

	(void)state;
	put_str("control", CONTROL);
	put_str("other", "Package: other\nVersion: 9\nArchitecture: all\n"
	    "Maintainer: m <m@example.org>\nDescription: d\n");
	for (i = 0; i < COUNT(commands); i++) {
		run("tar -cf two.tar ./control");
		run(commands[i]);
		run("gzip -nf two.tar");
		wrap_as(&ar, "control.tar.gz", "two.tar.gz");
		if (dpkg_accepts(&ar) &&
		    run_succeeds("grep -q '^Package: other' fields"))
			print_message("dpkg-deb sees the other one of %s\n",
			    commands[i]);
		assert_refused(&ar, "");
	}
	buf_clear(&ar);
}

static void
refuses_control_that_is_no_file(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	run("rm -f control && ln -s /etc/passwd control && "
	    "tar -czf odd.tar.gz ./control && rm control");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "not a plain file");
	put_str("first", CONTROL);
	run("ln -f first control && tar -czf odd.tar.gz ./first ./control && "
	    "rm control");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "not a plain file");
	run("mkfifo control && tar -czf odd.tar.gz ./control && rm control");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "not a plain file");
	run("mkdir control && tar -czf odd.tar.gz ./control && rmdir control");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "");
	buf_clear(&ar);
}

/* dh_installdeb makes none, but tar does of scripts that are one file. */
static void
scripts_may_be_links_to_each_other(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	put_str("control", CONTROL);
	run("echo '#!/bin/sh' >preinst && ln -f preinst postinst && "
	    "ln -sf postinst prerm && ln -sf ./preinst postrm && "
	    "tar -czf odd.tar.gz ./control ./preinst ./postinst ./prerm");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "'prerm' is a link, but not to a plain file");
	run("tar -czf odd.tar.gz ./postrm ./control ./preinst ./postinst");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_accepted(&ar);
	assert_true(dpkg_accepts(&ar));
	buf_clear(&ar);
}

static void
links_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const targets[] = {
		"/etc/passwd", "../x", "control", "./control", ".", "none",
		"postrm", "preinst/", "\\",
	};
	struct buf ar = BUF_INIT;
	char command[160];
	size_t i;

	(void)state;
	put_str("control", CONTROL);
	run("echo '#!/bin/sh' >preinst");
	for (i = 0; i < COUNT(targets); i++) {
		snprintf(command, sizeof(command), "ln -snf '%s' postrm && "
		    "tar -czf odd.tar.gz ./control ./preinst ./postrm",
		    targets[i]);
		run(command);
		wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
		assert_refused(&ar, "'");
	}
	/* tar would write through the one to the other */
	run("ln -snf preinst postrm && tar -cf odd.tar control preinst "
	    "postrm && rm postrm && echo >postrm && tar -rf odd.tar postrm "
	    "&& gzip -f odd.tar");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "'postrm'");
	run("ln -f control postrm && tar -czf odd.tar.gz control postrm && "
	    "rm postrm");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "'postrm'");
	buf_clear(&ar);
}

static void
refuses_a_control_archive_without_control(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	put_str("md5sums", "x");
	run("tar -czf odd.tar.gz ./md5sums");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "no control file");
	run("tar -czf odd.tar.gz -T /dev/null");
	wrap_as(&ar, "control.tar.gz", "odd.tar.gz");
	assert_refused(&ar, "no control file");
	make(&ar, "", 0);
	assert_refused(&ar, "no control file");
	ar_start(&ar);
	ar_add(&ar, "debian-binary", "2.0\n", 4);
	ar_add(&ar, "control.tar", "", 0);
	ar_add(&ar, "data.tar", "", 0);
	assert_refused(&ar, "");
	buf_clear(&ar);
}

static void
control_after_other_files_is_found(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	put_str("control", CONTROL);
	run("mkdir -p d && cp control d && echo x >d/md5sums && tar -C d "
	    "-czf late.tar.gz --no-recursion . ./md5sums ./control");
	wrap_as(&ar, "control.tar.gz", "late.tar.gz");
	assert_accepted(&ar);
	buf_clear(&ar);
}

/* -------------------------------------------------------------- too large */

static void
one_mebibyte_of_control_is_the_limit(void **state)
{
	struct buf ar = BUF_INIT, text = BUF_INIT;

	(void)state;
	buf_str(&text, CONTROL);
	while (text.n < DEB_CONTROL_LIMIT)
		buf_str(&text, " x\n");
	text.n = DEB_CONTROL_LIMIT;
	memcpy(text.p + text.n - 3, " x\n", 3);
	make(&ar, text.p, text.n);
	assert_accepted(&ar);
	buf_str(&text, "y");
	make(&ar, text.p, text.n);
	assert_refused(&ar, "larger than 1048576 bytes");
	buf_clear(&ar);
	buf_clear(&text);
}

/* 1 GiB of zeros is some 150 kB as xz and some 40 kB as zstd. */
static void
refuses_a_gibibyte_of_zeros(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	run("rm -f control && truncate -s 1G control && "
	    "tar -cf - ./control | xz -0 -T2 >bomb.tar.xz");
	wrap_as(&ar, "control.tar.xz", "bomb.tar.xz");
	assert_refused(&ar, "control.tar.xz: unpacks to more");
	run("tar -cf - ./control | zstd -q -1 >bomb.tar.zst");
	wrap_as(&ar, "control.tar.zst", "bomb.tar.zst");
	assert_refused(&ar, "unpacks to more");
	run("mv control md5sums && tar -cf - ./md5sums | zstd -q -1 "
	    ">bomb.tar.zst && rm md5sums");
	wrap_as(&ar, "control.tar.zst", "bomb.tar.zst");
	assert_refused(&ar, "unpacks to more");
	buf_clear(&ar);
}

static void
refuses_many_members_that_are_large_together(void **state)
{
	struct buf ar = BUF_INIT;

	(void)state;
	put_str("control", CONTROL);
	run("truncate -s 9M f1 f2 f3 f4 f5 f6 f7 f8 && (tar -cf - ./control "
	    "f? | zstd -q -1) >bomb.tar.zst && rm f?");
	wrap_as(&ar, "control.tar.zst", "bomb.tar.zst");
	assert_refused(&ar, "unpacks to more");
	buf_clear(&ar);
}

/* One header of tar, for an empty file. */
static void
empty_member(char header[512], const char *name)
{
	unsigned sum = 0;
	size_t i;

	memset(header, 0, 512);
	snprintf(header, 100, "%s", name);
	strcpy(header + 100, "0000644");
	strcpy(header + 108, "0000000");
	strcpy(header + 116, "0000000");
	strcpy(header + 124, "00000000000");
	strcpy(header + 136, "00000000000");
	memset(header + 148, ' ', 8);
	header[156] = '0';
	memcpy(header + 257, "ustar\00000", 8);
	for (i = 0; i < 512; i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
}

/* 100 MiB of nothing but headers: empty files are not free either. */
static void
refuses_very_many_empty_members(void **state)
{
	struct buf ar = BUF_INIT;
	char header[512];
	size_t i;
	FILE *f;

	(void)state;
	empty_member(header, "./x");
	put_str("control", CONTROL);
	run("tar -cf many.tar ./control && truncate -s 1536 many.tar");
	f = fopen("many.tar", "ae");
	assert_non_null(f);
	for (i = 0; i < 200000; i++)
		assert_int_equal(fwrite(header, 1, 512, f), 512);
	fclose(f);
	run("truncate -s +1024 many.tar && "
	    "zstd -q -1 --rm many.tar -o many.tar.zst");
	wrap_as(&ar, "control.tar.zst", "many.tar.zst");
	assert_refused(&ar, "unpacks to more");
	buf_clear(&ar);
}

/* ------------------------------------------------------- the control file */

static int
parse(const char *text, size_t n, struct deb *d, struct err *e)
{
	/* exactly n bytes: what reads further is seen by the sanitizer */
	char *copy = malloc(n ? n : 1);
	int status;

	memcpy(copy, text, n);
	status = deb_parse_control(copy, n, d, e);
	free(copy);
	return status;
}

#define assert_bad_control(text, part) do {				\
	struct deb d_ = DEB_INIT;					\
	struct err e_;							\
	assert_fails(parse(text, sizeof(text) - 1, &d_, &e_), e_,	\
	    ERR_DATA, part);						\
	deb_clear(&d_);							\
} while (0)

#define MOST								\
	"Version: 1\nArchitecture: all\nMaintainer: m <m@example.org>\n"

static void
mandatory_fields_are_needed(void **state)
{
	static const char *const names[] = {
		"Package", "Version", "Architecture", "Maintainer",
		"Description",
	};
	static const char *const lines[] = {
		"Package: aa\n", "Version: 1\n", "Architecture: all\n",
		"Maintainer: m <m@example.org>\n", "Description: d\n",
	};
	struct deb d = DEB_INIT;
	struct buf text = BUF_INIT;
	char wanted[64];
	struct err e;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		buf_clear(&text);
		for (k = 0; k < COUNT(lines); k++)
			if (k != i)
				buf_str(&text, lines[k]);
		snprintf(wanted, sizeof(wanted), "lacks the field %s",
		    names[i]);
		assert_fails(parse(text.p, text.n, &d, &e), e, ERR_DATA,
		    wanted);
		deb_clear(&d);
	}
	buf_clear(&text);
	assert_bad_control("", "lacks the field Package");
	assert_bad_control("\n", "lacks the field Package");
	assert_bad_control("\n\n\n", "");
}

static void
fields_of_an_index_are_refused(void **state)
{
	(void)state;
	assert_bad_control("Package: aa\n" MOST
	    "Filename: pool/evil.deb\nDescription: d\n", "Filename");
	assert_bad_control("Filename: x\nPackage: aa\n" MOST
	    "Description: d\n", "Filename");
	assert_bad_control("Package: aa\nFILENAME:x\n" MOST
	    "Description: d\n", "Filename");
	assert_bad_control("Package: aa\nfilename:\n x\n" MOST
	    "Description: d\n", "Filename");
	assert_bad_control("Package: aa\nSize: 3\n" MOST
	    "Description: d\n", "Size");
	assert_bad_control("Package: aa\nMD5sum: 3\n" MOST
	    "Description: d\n", "MD5sum");
	assert_bad_control("Package: aa\nSHA1: 3\n" MOST
	    "Description: d\n", "SHA1");
	assert_bad_control("Package: aa\nsha256: 3\n" MOST
	    "Description: d\n", "SHA256");
	assert_bad_control("Package: aa\nSHA512: 3\n" MOST
	    "Description: d\n", "SHA512");
}

static void
injected_filename_is_refused_in_a_package(void **state)
{
	static const char text[] = CONTROL "Filename: pool/main/evil.deb\n";
	struct buf ar = BUF_INIT;

	(void)state;
	make(&ar, text, sizeof(text) - 1);
	assert_refused(&ar, "Filename, which belongs to an index");
	buf_clear(&ar);
}

static void
fields_stand_once(void **state)
{
	(void)state;
	assert_bad_control("Package: aa\nPackage: bb\n" MOST
	    "Description: d\n", "twice");
	assert_bad_control("Package: aa\npackage: aa\n" MOST
	    "Description: d\n", "twice");
	assert_bad_control("Package: aa\n" MOST "Description: d\n"
	    "Depends: a\nX-Y: z\nDEPENDS: b\n", "DEPENDS twice");
}

static void
one_paragraph_only(void **state)
{
	struct buf ar = BUF_INIT;
	static const char two[] = CONTROL "\n" CONTROL;

	(void)state;
	make(&ar, two, sizeof(two) - 1);
	assert_refused(&ar, "more than one paragraph");
	assert_bad_control("Package: aa\n\n" MOST "Description: d\n",
	    "more than one paragraph");
	assert_bad_control("Package: aa\n" MOST "Description: d\n\nX: y",
	    "more than one paragraph");
	assert_bad_control("Package: aa\n" MOST "Description: d\n\n\n\nX",
	    "more than one paragraph");
	/* a line of a blank is no end for dpkg, a value goes on for apt */
	assert_bad_control("Package: aa\n" MOST "Description: d\n \n\nX: y\n",
	    "more than one paragraph");
	buf_clear(&ar);
}

static void
empty_lines_around_the_paragraph_are_dropped(void **state)
{
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;
	static const char text[] = CONTROL "\n\n";
	static const char unended[] = "Package: aa\n" MOST "Description: d";

	(void)state;
	assert_ok(parse(text, sizeof(text) - 1, &d, &e), e);
	assert_string_equal(buf_cstr(&d.control), CONTROL);
	deb_clear(&d);
	/* this is where dpkg stops */
	assert_fails(parse(unended, sizeof(unended) - 1, &d, &e), e, ERR_DATA,
	    "no newline at its end");
	deb_clear(&d);
}

static void
lines_of_blanks_are_refused(void **state)
{
	(void)state;
	assert_bad_control("Package: aa\n" MOST "Description: d\n \n x\n",
	    "a line of blanks alone");
	assert_bad_control("Package: aa\n" MOST "Description: d\n x\n\t\n",
	    "a line of blanks alone");
	assert_bad_control(" \nPackage: aa\n" MOST "Description: d\n",
	    "a line of blanks alone");
}

static void
the_last_field_is_not_empty(void **state)
{
	(void)state;
	assert_bad_control("Package: aa\n" MOST "Description: \n",
	    "ends with the empty field Description");
	assert_bad_control("Package: aa\n" MOST "Description: d\nX-Y:\n",
	    "ends with the empty field X-Y");
}

static void
lines_of_windows_are_named(void **state)
{
	(void)state;
	assert_bad_control("Package: aa\r\n" MOST "Description: d\n",
	    "lines end in CR LF");
	assert_bad_control("Package: aa\n" MOST "Description: d\r",
	    "control character (byte");
}

/*
 * A small file unpacks to a mebibyte of newlines: looking at each of them
 * must not mean looking at all that follow.
 */
static int
parse_newlines(void *arg)
{
	struct rlimit bound = {10, 10};	/* seconds of the processor */
	struct buf text = BUF_INIT;
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;

	(void)arg;
	setrlimit(RLIMIT_CPU, &bound);
	buf_str(&text, CONTROL);
	memset(buf_room(&text, DEB_CONTROL_LIMIT), '\n', DEB_CONTROL_LIMIT);
	text.n = DEB_CONTROL_LIMIT;
	if (parse(text.p, text.n, &d, &e) < 0)
		return 1;
	return strcmp(buf_cstr(&d.control), CONTROL) == 0 ? 0 : 2;
}

static void
a_mebibyte_of_newlines_at_the_end_is_soon_read(void **state)
{
	(void)state;
	assert_int_equal(in_child(parse_newlines, NULL), 0);
}

static void
control_characters_are_refused(void **state)
{
	struct buf text = BUF_INIT;
	struct deb d = DEB_INIT;
	struct err e;
	int c;

	(void)state;
	for (c = 0; c < 0x20; c++) {
		if (c == '\n' || c == '\t')
			continue;
		buf_clear(&text);
		buf_str(&text, "Package: aa\n" MOST "Description: a");
		buf_add(&text, &(char){(char)c}, 1);
		buf_str(&text, "b\n");
		assert_fails(parse(text.p, text.n, &d, &e), e, ERR_DATA,
		    "control character");
		deb_clear(&d);
	}
	buf_clear(&text);
	assert_bad_control("Package: aa\n" MOST "Description: \x7f\n",
	    "control character");
	assert_bad_control("Package: aa\r\n" MOST "Description: d\n",
	    "control character");
	assert_bad_control("\0", "control character");
}

static void
text_beyond_ascii_is_taken(void **state)
{
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;
	static const char text[] = "Package: aa\nVersion: 1\n"
	    "Architecture: all\nMaintainer: J\xc3\xbcrgen <j@example.org>\n"
	    "Description: tab\there\n";

	(void)state;
	assert_ok(parse(text, sizeof(text) - 1, &d, &e), e);
	deb_clear(&d);
}

static void
malformed_lines_are_refused(void **state)
{
	(void)state;
	assert_bad_control("Package: aa\n" MOST "Description d\n",
	    "is not a field");
	assert_bad_control("# comment: x\nPackage: aa\n" MOST
	    "Description: d\n", "is not a field");
	assert_bad_control(" folded: first\nPackage: aa\n" MOST
	    "Description: d\n", "bad field name");
	assert_bad_control(": x\nPackage: aa\n" MOST "Description: d\n",
	    "is not a field");
	assert_bad_control("-----BEGIN PGP SIGNED MESSAGE-----\nA: b\n",
	    "is not a field");
	assert_bad_control("Pack age: aa\n", "bad field name");
	assert_bad_control("P\xc3\xa4: aa\n", "bad field name");
}

static void
values_are_judged(void **state)
{
	(void)state;
	assert_bad_control("Package: ../aa\n" MOST "Description: d\n",
	    "bad package name");
	assert_bad_control("Package: aa\n bb\n" MOST "Description: d\n",
	    "bad package name");
	assert_bad_control("Package:\n" MOST "Description: d\n",
	    "bad package name");
	assert_bad_control("Package: aa\nVersion: 1/../../2\n"
	    "Architecture: all\nMaintainer: m\nDescription: d\n",
	    "bad version");
	assert_bad_control("Package: aa\nVersion: \nArchitecture: all\n"
	    "Maintainer: m\nDescription: d\n", "bad version");
	assert_bad_control("Package: aa\nVersion: 1\nArchitecture: a/b\n"
	    "Maintainer: m\nDescription: d\n", "bad architecture");
	assert_bad_control("Package: aa\nVersion: 1\nArchitecture: all any\n"
	    "Maintainer: m\nDescription: d\n", "bad architecture");
}

static void
fields_are_bounded(void **state)
{
	struct buf text = BUF_INIT;
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;
	int i;

	(void)state;
	buf_str(&text, CONTROL);
	for (i = 5; i < 255; i++)
		buf_addf(&text, "X-%d: y\n", i);
	assert_ok(parse(text.p, text.n, &d, &e), e);
	deb_clear(&d);
	buf_str(&text, "One-more: z\n");
	assert_fails(parse(text.p, text.n, &d, &e), e, ERR_DATA,
	    "more than 255 fields");
	deb_clear(&d);
	for (i = 0; i < 100000; i++)
		buf_addf(&text, "Y%d: y\n", i);
	assert_fails(parse(text.p, text.n, &d, &e), e, ERR_DATA,
	    "more than 255 fields");
	deb_clear(&d);
	buf_clear(&text);
}

/* ---------------------------------------------------------- interruptions */

static void
read_errors_are_not_the_package_s_fault(void **state)
{
	struct deb d = DEB_INIT;
	struct err e;
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_fails(deb_read(fd, "x.deb", NULL, &d, &e), e, ERR_IO, "x.deb");
	close(fd);
	assert_fails(deb_read(-1, "x.deb", NULL, &d, &e), e, ERR_IO, "x.deb");
	deb_clear(&d);
}

static void
a_copy_that_fails_is_told_by_its_commit(void **state)
{
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;
	int fd = open("gz.deb", O_RDONLY);
	int full = open("/dev/full", O_WRONLY);
	struct out *o = out_fd(full, "full");

	(void)state;
	assert_ok(deb_read(fd, "x.deb", o, &d, &e), e);
	assert_fails(out_commit(o, &e), e, ERR_IO, "write 'full'");
	close(full);
	close(fd);
	deb_clear(&d);
}

static int
read_after_a_signal(void *arg)
{
	struct deb d = DEB_INIT;
	struct err e = ERR_INIT;
	int fd = open("gz.deb", O_RDONLY);

	(void)arg;
	cleanup_start();
	raise(SIGTERM);
	if (deb_read(fd, "x.deb", NULL, &d, &e) == 0)
		return 1;
	return e.kind == ERR_SIGNAL ? 0 : 2;
}

static void
a_signal_ends_the_reading(void **state)
{
	(void)state;
	assert_int_equal(in_child(read_after_a_signal, NULL), 0);
}

static int
leave(void **state)
{
	reader_stop();
	return scratch_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_dpkg_deb_makes),
		cmocka_unit_test(reads_from_the_position_of_the_descriptor),
		cmocka_unit_test(names_the_file_without_epoch),
		cmocka_unit_test(clear_accepts_what_was_never_read),
		cmocka_unit_test(needs_the_padding_at_the_end),
		cmocka_unit_test(
		    members_that_begin_with_an_underline_are_passed_over),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_what_is_no_package),
		cmocka_unit_test(survives_every_changed_byte),
		cmocka_unit_test(
		    refuses_a_control_archive_with_a_wrong_checksum),
		cmocka_unit_test(refuses_a_control_archive_that_is_cut),
		cmocka_unit_test(refuses_lying_sizes),
		cmocka_unit_test(refuses_sizes_that_are_off_by_a_few),
		cmocka_unit_test(refuses_trailing_garbage),
		cmocka_unit_test(refuses_members_in_another_order),
		cmocka_unit_test(refuses_missing_and_repeated_members),
		cmocka_unit_test(refuses_other_member_names),
		cmocka_unit_test(
		    refuses_another_compression_than_the_name_says),
		cmocka_unit_test(format_version_is_judged_as_dpkg_deb_does),
		cmocka_unit_test(refuses_two_control_files),
		cmocka_unit_test(refuses_an_empty_control_file_before_another),
		cmocka_unit_test(refuses_control_under_another_spelling),
		cmocka_unit_test(refuses_control_that_is_no_file),
		cmocka_unit_test(scripts_may_be_links_to_each_other),
		cmocka_unit_test(links_that_lead_elsewhere_are_refused),
		cmocka_unit_test(refuses_a_control_archive_without_control),
		cmocka_unit_test(control_after_other_files_is_found),
		cmocka_unit_test(one_mebibyte_of_control_is_the_limit),
		cmocka_unit_test(refuses_a_gibibyte_of_zeros),
		cmocka_unit_test(refuses_many_members_that_are_large_together),
		cmocka_unit_test(refuses_very_many_empty_members),
		cmocka_unit_test(mandatory_fields_are_needed),
		cmocka_unit_test(fields_of_an_index_are_refused),
		cmocka_unit_test(injected_filename_is_refused_in_a_package),
		cmocka_unit_test(fields_stand_once),
		cmocka_unit_test(one_paragraph_only),
		cmocka_unit_test(empty_lines_around_the_paragraph_are_dropped),
		cmocka_unit_test(lines_of_blanks_are_refused),
		cmocka_unit_test(the_last_field_is_not_empty),
		cmocka_unit_test(lines_of_windows_are_named),
		cmocka_unit_test(
		    a_mebibyte_of_newlines_at_the_end_is_soon_read),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(text_beyond_ascii_is_taken),
		cmocka_unit_test(malformed_lines_are_refused),
		cmocka_unit_test(values_are_judged),
		cmocka_unit_test(fields_are_bounded),
		cmocka_unit_test(read_errors_are_not_the_package_s_fault),
		cmocka_unit_test(a_copy_that_fails_is_told_by_its_commit),
		cmocka_unit_test(a_signal_ends_the_reading),
	};

	return cmocka_run_group_tests(tests, make_packages, leave);
}
