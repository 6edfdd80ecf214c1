/*
 * lib/data/tar.h: hostile archives, archives of other programs, and those that
 * other programs read.
 */
#include "tests/unit/support.h"

#include <inttypes.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/data/tar.h"

#define BLOCK 512

/* A source that gives step bytes at a time, and fails at the end if told so. */
struct bytes {
	const char *p;
	size_t n;
	size_t step;
	bool fails;
};

static ssize_t
next_bytes(void *arg, const void **chunk, struct err *e)
{
	struct bytes *b = arg;
	size_t n = b->n < b->step ? b->n : b->step;

	if (n == 0 && b->fails)
		return err_set(e, ERR_IO, "the disk is gone");
	*chunk = b->p;
	b->p += n;
	b->n -= n;
	return (ssize_t)n;
}

/* All of it: a line for each name, and the contents one after the other. */
static int
read_all(const struct buf *text, size_t step, struct buf *names,
    struct buf *data, struct err *e)
{
	struct bytes b = {.p = text->p, .n = text->n, .step = step};
	struct untar *u = untar_open(next_bytes, &b);
	struct tar_member m;
	const void *chunk;
	ssize_t n = 0;
	int status;

	*e = (struct err)ERR_INIT;
	names->n = data->n = 0;
	while ((status = untar_next(u, &m, e)) > 0) {
		assert_in_range(strlen(m.path), 1, PATH_LIMIT);
		buf_addf(names, "%s\n", m.path);
		while ((n = untar_read(u, &chunk, e)) > 0)
			buf_add(data, chunk, (size_t)n);
		if (n < 0)
			break;
	}
	if (status == 0) {
		assert_int_equal(b.n, 0);
		assert_int_equal(untar_next(u, &m, e), 0);
	}
	untar_close(u);
	return n < 0 ? -1 : status;
}

/* ------------------------------------------------------------ made by hand */

/* POSIX.1: where a header's fields are. */
enum {
	AT_SIZE = 124, AT_SUM = 148, AT_TYPE = 156, AT_MAGIC = 257,
	AT_PREFIX = 345
};

static void
set_sum(char *block)
{
	unsigned sum = 8 * ' ';
	char digits[16];
	size_t i;

	for (i = 0; i < BLOCK; i++)
		if (i < AT_SUM || i >= AT_TYPE)
			sum += (unsigned char)block[i];
	snprintf(digits, sizeof(digits), "%06o", sum);
	memcpy(block + AT_SUM, digits, 7);
	block[AT_SUM + 7] = ' ';
}

/* size is the field's text, 12 bytes or up to a NUL. */
static char *
add_header(struct buf *b, const char *name, const char *size, char type)
{
	char *block = buf_room(b, BLOCK);

	memset(block, 0, BLOCK);
	memcpy(block, name, strnlen(name, 100));
	memcpy(block + AT_SIZE, size, strnlen(size, 12));
	block[AT_TYPE] = type;
	memcpy(block + AT_MAGIC, "ustar\00000", 8);
	set_sum(block);
	b->n += BLOCK;
	return block;
}

static void
add_data(struct buf *b, const void *data, size_t n)
{
	static const char zeros[BLOCK];

	buf_add(b, data, n);
	buf_add(b, zeros, (BLOCK - n % BLOCK) % BLOCK);
}

static void
add_extra(struct buf *b, char type, const void *data, size_t n)
{
	char size[16];

	snprintf(size, sizeof(size), "%011zo", n);
	add_header(b, "extra", size, type);
	add_data(b, data, n);
}

/* A pax header of records, one a line: their lengths are put before them. */
static void
add_pax(struct buf *b, char type, const char *lines)
{
	struct buf records = BUF_INIT;
	size_t n, rest;

	for (; *lines != '\0'; lines += n) {
		n = strcspn(lines, "\n") + 1;
		rest = n + 1;
		rest += rest + 1 < 10 ? 1 : rest + 2 < 100 ? 2 :
		    rest + 3 < 1000 ? 3 : 4;
		buf_addf(&records, "%zu %.*s", rest, (int)n, lines);
	}
	add_extra(b, type, buf_cstr(&records), records.n);
	buf_clear(&records);
}

static void
add_file(struct buf *b, const char *name)
{
	add_header(b, name, "00000000003", '0');
	add_data(b, "abc", 3);
}

static void
add_end(struct buf *b)
{
	static const char zeros[2 * BLOCK];

	buf_add(b, zeros, sizeof(zeros));
}

static void
check_refused(struct buf *b, const char *reason)
{
	static const size_t steps[] = {1, 100, 512, 1 << 20};
	struct buf names = BUF_INIT, data = BUF_INIT;
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(steps); i++)
		assert_fails(read_all(b, steps[i], &names, &data, &e), e,
		    ERR_DATA, reason);
	buf_clear(&names);
	buf_clear(&data);
	buf_clear(b);
}

static void
check_read(struct buf *b, const char *want_names, const char *want_data)
{
	static const size_t steps[] = {1, 100, 512, 1 << 20};
	struct buf names = BUF_INIT, data = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < COUNT(steps); i++) {
		assert_ok(read_all(b, steps[i], &names, &data, &e), e);
		assert_string_equal(buf_cstr(&names), want_names);
		buf_add(&data, "", 1);
		assert_string_equal(data.p, want_data);
	}
	buf_clear(&names);
	buf_clear(&data);
	buf_clear(b);
}

static void
reads_the_usual(void **state)
{
	struct buf b = BUF_INIT;
	char *block;

	(void)state;
	add_end(&b);
	check_read(&b, "", "");
	add_header(&b, "d/", "00000000000", '5');
	add_file(&b, "d/a");
	block = add_header(&b, "old", "00000000003", '\0');
	memcpy(block + AT_MAGIC, "ustar  ", 8);
	memset(block + AT_PREFIX, '1', 100);	/* times, for GNU tar */
	set_sum(block);
	add_data(&b, "def", 3);
	block = add_header(&b, "name", "0000000000 ", '0');
	memcpy(block + AT_PREFIX, "prefix", 6);
	set_sum(block);
	add_header(&b, "e", "       0   ", '0');
	add_header(&b, "f", "000000000000", '0');
	add_end(&b);
	add_end(&b);
	check_read(&b, "d/\nd/a\nold\nprefix/name\ne\nf\n", "abcdef");
}

static void
reads_what_other_headers_say(void **state)
{
	static const char binary[] = "25 SCHILY.xattr.user.x=\0\n";
	struct buf b = BUF_INIT;

	(void)state;
	add_pax(&b, 'g', "comment=a\n");
	add_pax(&b, 'x', "path=some/where\nsize=2\nmtime=1.123456789\n");
	add_file(&b, "not/this");
	add_extra(&b, 'x', binary, sizeof(binary) - 1);
	add_file(&b, "this");
	add_extra(&b, 'L', "a/long/name", 12);
	add_file(&b, "a/lo");
	add_extra(&b, 'L', "without NUL", 11);
	add_pax(&b, 'g', "comment=b\nmtime=0\n");
	add_file(&b, "a/lo");
	add_extra(&b, 'K', "unused", 7);
	add_extra(&b, 'x', "", 0);
	add_file(&b, "kept");
	add_end(&b);
	check_read(&b, "some/where\nthis\na/long/name\nwithout NUL\n"
	    "kept\n", "ababcabcabcabc");
}

static void
names_have_a_limit(void **state)
{
	struct buf b = BUF_INIT, want = BUF_INIT;
	char name[PATH_LIMIT + 2], text[PATH_LIMIT + 32];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[PATH_LIMIT] = '\0';
	buf_addf(&want, "%s\n%s\n", name, name);
	add_extra(&b, 'L', name, PATH_LIMIT + 1);
	add_file(&b, "n");
	snprintf(text, sizeof(text), "path=%s\n", name);
	add_pax(&b, 'x', text);
	add_file(&b, "n");
	add_end(&b);
	check_read(&b, buf_cstr(&want), "abcabc");
	name[PATH_LIMIT] = 'n';
	name[PATH_LIMIT + 1] = '\0';
	add_extra(&b, 'L', name, PATH_LIMIT + 2);
	check_refused(&b, "is longer than 1024 bytes");
	snprintf(text, sizeof(text), "path=%s\n", name);
	add_pax(&b, 'x', text);
	check_refused(&b, "is longer than 1024 bytes");
	buf_clear(&want);
}

/* ----------------------------------------------------------------- refused */

static void
refuses_all_but_files_and_directories(void **state)
{
	static const struct {
		char type;
		const char *reason;
	} types[] = {
		{'1', "'m' is a hard link"}, {'2', "'m' is a symbolic link"},
		{'3', "'m' is a device"}, {'4', "'m' is a device"},
		{'6', "'m' is a fifo"}, {'7', "'m' is a contiguous file"},
		{'S', "'m' is a sparse file"}, {'M', "'m' is continued from"},
		{'V', "'m' is a volume's label"}, {'D', "'m' is of an unknown"},
		{'N', "'m' is of an unknown"}, {'X', "'m' is of an unknown"},
		{' ', "'m' is of an unknown"}, {'\x80', "'m' is of an unknown"},
	};
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(types); i++) {
		add_file(&b, "a");
		add_header(&b, "m", "00000000000", types[i].type);
		add_end(&b);
		check_refused(&b, types[i].reason);
	}
	add_header(&b, "m/", "00000000000", '0');
	check_refused(&b, "'m/' is a file with the name of a directory");
	add_header(&b, "m/", "00000000001", '5');
	check_refused(&b, "the directory 'm/' has contents");
	add_header(&b, "", "00000000000", '0');
	check_refused(&b, "no valid name");
}

static void
refuses_sizes_that_are_none(void **state)
{
	static const char *const sizes[] = {
		"", "            ", "-0000000001", "00000000008", "0x000000001",
		"0000 0000000", "1 1", "+1",
		"\x80\1\0\0\0\0\0\0\0\0\0\0", "\x80\0\0\0\x80\0\0\0\0\0\0\0",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x81\0\0\0\0\0\0\0\0\0\0\0",
	};
	struct buf b = BUF_INIT;
	char *block;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(sizes); i++) {
		block = add_header(&b, "a", "", '0');
		memcpy(block + AT_SIZE, sizes[i], (sizes[i][0] & 0x80) != 0 ?
		    12 : strlen(sizes[i]));
		set_sum(block);
		check_refused(&b, "no valid size");
	}
}

/* The largest there can be is taken as announced, and nothing for it. */
static void
reads_the_largest_sizes(void **state)
{
	static const char largest[] = "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff"
	    "\xff";
	struct buf b = BUF_INIT;
	struct bytes source;
	struct tar_member m;
	struct err e = ERR_INIT;
	struct untar *u;

	(void)state;
	memcpy(add_header(&b, "a", "", '0') + AT_SIZE, largest, 12);
	set_sum(b.p);
	source = (struct bytes){.p = b.p, .n = b.n, .step = 99};
	u = untar_open(next_bytes, &source);
	assert_int_equal(untar_next(u, &m, &e), 1);
	assert_true(m.size == INT64_MAX);
	assert_fails(untar_next(u, &m, &e), e, ERR_DATA, "truncated after 512 "
	    "bytes, in 'a'");
	untar_close(u);
	b.n = 0;
	add_header(&b, "a", "77777777777", 'x');
	check_refused(&b, "is a header of 8589934591 bytes: at most 65536");
	add_header(&b, "a", "77777777777", 'L');
	check_refused(&b, "is a header of 8589934591 bytes: at most 65536");
	add_header(&b, "a", "00000177777", 'x');
	add_data(&b, "20 ", 3);
	check_refused(&b, "truncated after 1024 bytes");
}

static void
refuses_damaged_pax_headers(void **state)
{
	static const char *const records[] = {
		"x", "9 size=2", "11 size=2\n", "8 size=2\n", "09 size=2\n",
		" 9 size=2\n", "-9 size=2\n", "0 size=2\n", "1 size=2\n",
		"2 size=2\n", "3 \n", "7 size\n", "6 =ab\n", "4 =\n",
		"9 mtime=2\n", "9size=02\n", "9\tsize=2\n",
		"8 gid=1\n9 size=2\nx",
		"999999999999999999999 gid=b\n",
		"18446744073709551616 gid=b\n",
		"18446744073709551615 gid=b\n",
		"999999999999999999 gid=b\n",
	};
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(records); i++) {
		add_extra(&b, 'x', records[i], strlen(records[i]));
		add_file(&b, "m");
		add_end(&b);
		check_refused(&b, "pax header before byte 1024 is damaged");
	}
	add_extra(&b, 'x', "11 path=a\0b\n", 12);
	check_refused(&b, "is damaged");
	add_extra(&b, 'x', "8 a\0b=c\n", 8);
	check_refused(&b, "is damaged");
	add_extra(&b, 'x', "11 path=a\0\n", 11);
	check_refused(&b, "no valid name");
}

static void
refuses_what_pax_headers_must_not_say(void **state)
{
	static const struct {
		const char *lines;
		const char *reason;
	} headers[] = {
		{"path=\n", "no valid name"}, {"size=\n", "no valid size"},
		{"size=-1\n", "no valid size"}, {"size=+1\n", "valid size"},
		{"size=01\n", "no valid size"}, {"size=0x1\n", "valid size"},
		{"size= 1\n", "no valid size"}, {"size=1 \n", "valid size"},
		{"size=9223372036854775808\n", "no valid size"},
		{"size=2\nsize=2\n", "no valid size, or two"},
		{"path=a\npath=b\n", "'a' has a second name"},
		{"GNU.sparse.major=1\n", "'m' is a sparse file"},
		{"GNU.sparse.realsize=9\n", "'m' is a sparse file"},
		{"path=long\nGNU.sparse.map=9\n", "'long' is a sparse file"},
		{"SCHILY.realsize=9\n", "'m' has a pax header with "
		    "'SCHILY.realsize', which is not known"},
		{"SCHILY.xattr=\n", "with 'SCHILY.xattr', which is not"},
		{"SCHILY.xattr.=\n", NULL}, {"Size=3\n", "with 'Size'"},
		{"path =m\n", "with 'path '"}, {"PATH=m\n", "with 'PATH'"},
	};
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(headers); i++) {
		add_pax(&b, 'x', headers[i].lines);
		add_file(&b, "m");
		add_end(&b);
		if (headers[i].reason == NULL)
			check_read(&b, "m\n", "abc");
		else
			check_refused(&b, headers[i].reason);
	}
}

static void
refuses_what_can_be_understood_in_two_ways(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	add_extra(&b, 'L', "a", 2);
	add_extra(&b, 'L', "b", 2);
	check_refused(&b, "'a' has a second name");
	add_extra(&b, 'L', "a", 2);
	add_pax(&b, 'x', "path=b\n");
	check_refused(&b, "'a' has a second name");
	add_pax(&b, 'x', "path=b\n");
	add_extra(&b, 'L', "a", 2);
	check_refused(&b, "'b' has a second name");
	add_pax(&b, 'x', "");
	add_pax(&b, 'x', "");
	check_refused(&b, "'extra' is a second pax header");
	add_pax(&b, 'g', "path=a\n");
	check_refused(&b, "sets 'path' for all members");
	add_pax(&b, 'g', "size=2\n");
	check_refused(&b, "sets 'size' for all members");
	add_pax(&b, 'g', "GNU.sparse.major=1\n");
	check_refused(&b, "sets 'GNU.sparse.major' for all members");
	add_extra(&b, 'L', "a\0b", 4);
	check_refused(&b, "no valid name");
	add_extra(&b, 'L', "", 0);
	check_refused(&b, "no valid name");
	add_extra(&b, 'L', "a", 2);
	add_end(&b);
	check_refused(&b, "ends where a member was announced");
	add_pax(&b, 'x', "");
	add_end(&b);
	check_refused(&b, "ends where a member was announced");
}

static void
refuses_what_is_no_end(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	add_file(&b, "a");
	add_end(&b);
	b.n -= BLOCK;
	add_file(&b, "b");
	check_refused(&b, "a single block of zeros before byte 1536");
	add_end(&b);
	add_file(&b, "b");
	check_refused(&b, "something follows the end");
	add_end(&b);
	buf_add(&b, "\0\0\0x", 4);
	check_refused(&b, "something follows the end");
	add_end(&b);
	buf_add(&b, "\0\0\0", 3);
	check_read(&b, "", "");
}

static void
refuses_what_is_no_tar(void **state)
{
	static const struct {
		const char *command;
		const char *reason;
	} files[] = {
		{"tar -cf - a | gzip", "compressed by gzip: send it uncompr"},
		{"tar -cf - a | xz", "compressed by xz: send it uncompressed"},
		{"tar -cf - a | zstd -q", "compressed by zstd: send it"},
		{"tar -cf - a | bzip2", "compressed by bzip2: send it"},
		{"tar -cf - a | xz --format=lzma", "compressed by lzma: send"},
		{"head -c 2000 /dev/zero | tr '\\0' x", "not a tar archive"},
		{"printf x", "truncated after 1 bytes: the two blocks"},
		{":", "truncated after 0 bytes: the two blocks of zeros"},
		{"head -c 1023 /dev/zero", "truncated after 1023 bytes"},
		{"tar --format=v7 -cf - a", "'a' has a header of an older"},
		{"echo a | cpio --quiet -o -H newc", "not a tar archive"},
	};
	struct buf b = BUF_INIT;
	char command[128];
	size_t i;

	(void)state;
	run("head -c 3000 /dev/urandom >a");
	for (i = 0; i < COUNT(files); i++) {
		snprintf(command, sizeof(command), "(%s) >x",
		    files[i].command);
		run(command);
		get("x", &b);
		check_refused(&b, files[i].reason);
	}
}

/* No byte of a header can change unseen. */
static void
refuses_every_changed_header(void **state)
{
	struct buf b = BUF_INIT, names = BUF_INIT, data = BUF_INIT;
	struct err e;
	size_t i;

	(void)state;
	add_file(&b, "a");
	add_end(&b);
	for (i = 0; i < BLOCK; i++) {
		b.p[i] ^= 8;
		assert_fails(read_all(&b, 512, &names, &data, &e), e, ERR_DATA,
		    "checksum is wrong");
		b.p[i] ^= 8;
	}
	buf_clear(&b);
	buf_clear(&names);
	buf_clear(&data);
}

/* ----------------------------------------------------------------- cut off */

static void
every_cut_is_told(void **state)
{
	static const size_t steps[] = {1, 512, 1 << 20};
	struct buf b = BUF_INIT, names = BUF_INIT, data = BUF_INIT, cut;
	struct err e;
	size_t n, i;

	(void)state;
	add_header(&b, "d/", "00000000000", '5');
	add_file(&b, "d/a");
	add_extra(&b, 'L', "a/long/name", 12);
	add_file(&b, "a/lo");
	add_pax(&b, 'x', "size=2\n");
	add_file(&b, "c");
	add_end(&b);
	cut = b;
	for (n = 0; n < b.n; n++)
		for (i = 0; i < COUNT(steps); i++) {
			cut.n = n;
			assert_fails(read_all(&cut, steps[i], &names, &data,
			    &e), e, ERR_DATA, "truncated after ");
		}
	check_read(&b, "d/\nd/a\na/long/name\nc\n", "abcabcab");
	buf_clear(&names);
	buf_clear(&data);
}

static void
the_source_s_failure_is_the_one_told(void **state)
{
	struct buf b = BUF_INIT;
	struct bytes source;
	struct tar_member m;
	struct untar *u;
	struct err e;
	size_t n;

	(void)state;
	add_file(&b, "a");
	add_end(&b);
	for (n = 0; n <= b.n; n += 256) {
		source = (struct bytes){.p = b.p, .n = n, .step = 512,
		    .fails = true};
		u = untar_open(next_bytes, &source);
		e = (struct err)ERR_INIT;
		while (untar_next(u, &m, &e) > 0)
			continue;
		check_err(&e, ERR_IO, "the disk is gone", __FILE__, __LINE__);
		untar_close(u);
	}
	untar_close(NULL);
	buf_clear(&b);
}

/* ---------------------------------------------------------- other programs */

/*
 * Archives with names of 1 to 4000 bytes and files of 0 to 513, by whatever
 * program there is: as GNU tar lists and extracts them, or refused.
 */
static void
make_archives(void)
{
	run("mkdir -p in/d made && for n in 0 1 511 512 513; do "
	    "head -c $n /dev/urandom >in/f$n || exit; done");
	run("cat >make.py <<'END'\n"
	    "import io, os, shutil, subprocess, tarfile\n"
	    "lengths = [1, 2, 50, 90, 96, 97, 98, 99, 100, 101, 150, 154,\n"
	    "    155, 156, 157, 200, 254, 255, 256, 257, 258, 300, 511, 512,\n"
	    "    1000, 1020, 1021, 1022, 1023, 1024, 1025, 2000, 4000]\n"
	    "def prefixes():\n"
	    "    for n in lengths:\n"
	    "        for unit in 'a' * 99 + '/', 'b' * 7 + '/', '\\u00e4/':\n"
	    "            yield (unit * n).encode()[:n - 1].decode('utf-8',\n"
	    "                'ignore').rstrip('/') + '_'\n"
	    "        yield 'c' * min(n, 255)\n"
	    "names = sorted(set(prefixes()))\n"
	    "files = ['f0', 'f1', 'f511', 'f512', 'f513', 'd']\n"
	    "def save(name, data):\n"
	    "    open('made/' + name + '.tar', 'wb').write(data)\n"
	    "def call(argv):\n"
	    "    r = subprocess.run(argv, capture_output=True)\n"
	    "    return r.stdout if r.returncode == 0 else None\n"
	    "for i, name in enumerate(names):\n"
	    "    for f in 'v7', 'oldgnu', 'gnu', 'ustar', 'posix':\n"
	    "        data = call(['tar', '-P', '--format=' + f, '-C', 'in',\n"
	    "            '--transform', 's,^,' + name + ',', '-cf', '-'] +\n"
	    "            files)\n"
	    "        if data: save('gnu-%s-%d' % (f, i), data)\n"
	    "    for f in tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, \\\n"
	    "        tarfile.PAX_FORMAT:\n"
	    "        out = io.BytesIO()\n"
	    "        try:\n"
	    "            with tarfile.open('', 'w', out, format=f) as t:\n"
	    "                for file in files:\n"
	    "                    t.add('in/' + file, name + file)\n"
	    "        except ValueError:\n"
	    "            continue\n"
	    "        save('python-%d-%d' % (f, i), out.getvalue())\n"
	    "    for f in 'ustar', 'gnutar', 'pax':\n"
	    "        if not shutil.which('bsdtar'): break\n"
	    "        data = call(['bsdtar', '-P', '--format=' + f, '-C',\n"
	    "            'in', '-s', ',^,' + name + ',', '-cf', '-'] + files)\n"
	    "        if data: save('bsd-%s-%d' % (f, i), data)\n"
	    "END\n"
	    "LC_ALL=C.UTF-8 python3 make.py");
	run("cd made && for t in *.tar; do "
	    "tar -P --quoting-style=literal -tf $t >$t.names && "
	    "tar -P -xOf $t >$t.data || exit; done");
}

struct seen {
	size_t read;
	size_t refused;
};

static void
compare_archive(const char *name, struct seen *seen)
{
	struct buf text = BUF_INIT, names = BUF_INIT, data = BUF_INIT;
	struct buf want_names = BUF_INIT, want_data = BUF_INIT;
	char path[300];
	struct err e;

	snprintf(path, sizeof(path), "made/%s", name);
	get(path, &text);
	snprintf(path, sizeof(path), "made/%s.names", name);
	get(path, &want_names);
	snprintf(path, sizeof(path), "made/%s.data", name);
	get(path, &want_data);
	if (read_all(&text, 1000, &names, &data, &e) < 0) {
		if (strstr(e.text, strncmp(name, "gnu-v7", 6) == 0 ?
		    "of an older format" : "is longer than 1024") == NULL)
			fail_msg("%s: %s", name, e.text);
		seen->refused++;
	} else if (names.n != want_names.n || data.n != want_data.n ||
	    memcmp(buf_cstr(&names), buf_cstr(&want_names), names.n) != 0 ||
	    memcmp(buf_cstr(&data), buf_cstr(&want_data), data.n) != 0)
		fail_msg("%s: names or contents differ: %s", name,
		    buf_cstr(&names));
	else	/* bsdtar succeeds with none if the name is too long */
		seen->read += names.n > 0;
	buf_clear(&text);
	buf_clear(&names);
	buf_clear(&data);
	buf_clear(&want_names);
	buf_clear(&want_data);
}

static void
reads_what_other_programs_write(void **state)
{
	struct seen seen = {0, 0};
	struct dirent *entry;
	DIR *d;

	(void)state;
	make_archives();
	d = opendir("made");
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		if (path_ends_with(entry->d_name, ".tar"))
			compare_archive(entry->d_name, &seen);
	closedir(d);
	print_message("# %zu read, %zu refused\n", seen.read, seen.refused);
	assert_true(seen.read > 500);
	assert_true(seen.refused > 50);
}

/* The begin of a member of 9 GiB: in octal digits there is no room for it. */
static void
reads_sizes_as_other_programs_write_them(void **state)
{
	static const char *const commands[] = {
		"tar --format=gnu -cf - huge | head -c 2048 >x",
		"tar --format=oldgnu -cf - huge | head -c 2048 >x",
		"tar --format=posix -cf - huge | head -c 2048 >x",
		"! command -v bsdtar >/dev/null || "
		    "bsdtar --no-read-sparse --format=gnutar -cf - huge "
		    "2>/dev/null | head -c 2048 >x",
		"! command -v bsdtar >/dev/null || "
		    "bsdtar --no-read-sparse --format=pax -cf - huge "
		    "2>/dev/null | head -c 2048 >x",
		"python3 -c \"import sys, tarfile; "
		    "t = tarfile.TarInfo('huge'); t.size = 9 << 30; "
		    "sys.stdout.buffer.write(t.tobuf("
		    "tarfile.PAX_FORMAT))\" >x",
		"python3 -c \"import sys, tarfile; "
		    "t = tarfile.TarInfo('huge'); t.size = 9 << 30; "
		    "sys.stdout.buffer.write(t.tobuf("
		    "tarfile.GNU_FORMAT))\" >x",
	};
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct bytes source;
	struct tar_member m;
	struct untar *u;
	size_t i;

	(void)state;
	run("truncate -s 9G huge");
	for (i = 0; i < COUNT(commands); i++) {
		run(commands[i]);
		b.n = 0;
		get("x", &b);
		source = (struct bytes){.p = b.p, .n = b.n, .step = 100};
		u = untar_open(next_bytes, &source);
		assert_ok(untar_next(u, &m, &e), e);
		assert_string_equal(m.path, "huge");
		assert_true(m.size == (uint64_t)9 << 30);
		assert_fails(untar_next(u, &m, &e), e, ERR_DATA, "truncated");
		untar_close(u);
	}
	run("rm huge");
	buf_clear(&b);
}

/* A sparse file, links: what GNU tar makes of them, whatever the format. */
static void
refuses_other_kinds_of_other_programs(void **state)
{
	static const struct {
		const char *command;
		const char *reason;
	} files[] = {
		{"tar --format=gnu -cSf - hole", "'hole' is a sparse file"},
		{"tar --format=oldgnu -cSf - hole", "'hole' is a sparse file"},
		{"tar --format=posix --sparse-version=0.0 -cSf - hole",
		    "is a sparse file"},
		{"tar --format=posix --sparse-version=0.1 -cSf - hole",
		    "is a sparse file"},
		{"tar --format=posix --sparse-version=1.0 -cSf - hole",
		    "hole' is a sparse file"},
		{"tar --format=gnu -cf - one two", "'two' is a hard link"},
		{"tar --format=posix -cf - one two", "'two' is a hard link"},
		{"tar --format=gnu -cf - sym", "'sym' is a symbolic link"},
		{"tar --format=posix -cf - sym", "'sym' is a symbolic link"},
		{"tar --format=gnu -V label -cf - one", "'label' has a header "
		    "of an older format"},
		{"tar --format=gnu -g snapshot -cf - dir", "'dir/' is of an "
		    "unknown type"},
		{"tar --format=ustar -cf - fifo", "'fifo' is a fifo"},
	};
	struct buf b = BUF_INIT;
	char command[128];
	size_t i;

	(void)state;
	run("truncate -s 1M hole && echo x >>hole && echo 1 >one && "
	    "ln one two && mkfifo fifo && mkdir dir && "
	    "ln -s $(head -c 300 /dev/zero | tr '\\0' l) sym");
	for (i = 0; i < COUNT(files); i++) {
		snprintf(command, sizeof(command), "%s >x", files[i].command);
		run(command);
		get("x", &b);
		check_refused(&b, files[i].reason);
	}
}

/* ----------------------------------------------------------------- writing */

static void
writes_what_tar_reads(void **state)
{
	char long_path[300];
	struct err e = ERR_INIT;
	struct tar *t = tar_open(out_file(scratch, "w.tar", 0644, OUT_LATER,
	    NULL), 1795359845);
	struct buf big = BUF_INIT;
	size_t i;

	(void)state;
	memset(long_path, 'd', sizeof(long_path));
	for (i = 99; i < 299; i += 100)
		long_path[i] = '/';
	long_path[299] = '\0';
	get("big", &big);
	tar_add_header(t, "w/a", 5);
	tar_add_data(t, "he", 2);
	tar_add_data(t, "llo", 3);
	tar_add_header(t, "w/empty", 0);
	tar_add_header(t, "w/big", big.n);
	tar_add_data(t, big.p, big.n);
	tar_add_header(t, long_path, 1);
	tar_add_data(t, "x", 1);
	assert_ok(tar_commit(t, &e), e);
	run("mkdir u && tar -xpf w.tar -C u --no-same-owner && "
	    "test $(cat u/w/a) = hello && test -f u/w/empty && "
	    "! test -s u/w/empty && cmp big u/w/big");
	put_str("long", long_path);
	run("test -f u/$(cat long)");
	run("test $(stat -c %a u/w/a) = 644 && "
	    "test $(stat -c %Y u/w/a) = 1795359845");
	run("test \"$(tar --numeric-owner -tvf w.tar | "
	    "awk '{print $2}' | sort -u)\" = 0/0");
	buf_clear(&big);
}

static void
writes_the_same_bytes_for_the_same_input(void **state)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct err e = ERR_INIT;
	struct tar *t;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		t = tar_open(out_buf(i ? &second : &first), 7);
		tar_add_header(t, "a", 3);
		tar_add_data(t, "abc", 3);
		assert_ok(tar_commit(t, &e), e);
	}
	assert_int_equal(first.n, second.n);
	assert_memory_equal(first.p, second.p, first.n);
	buf_clear(&first);
	buf_clear(&second);
}

static void
writes_an_empty_archive(void **state)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	(void)state;
	assert_ok(tar_commit(tar_open(out_buf(&b), 0), &e), e);
	assert_int_equal(b.n, 2 * BLOCK);
	put("e.tar", b.p, b.n);
	run("test -z \"$(tar -tf e.tar)\"");
	check_read(&b, "", "");
}

/* Every length, with slashes here and there. */
static void
writes_names_of_every_length(void **state)
{
	static const size_t parts[] = {7, 50, 99, 100, 101, 155, 156, 255};
	char name[PATH_LIMIT + 1];
	struct buf names = BUF_INIT, text = BUF_INIT;
	struct tar *t = tar_open(out_buf(&text), 0);
	struct err e = ERR_INIT;
	size_t i, n, k;

	(void)state;
	for (i = 0; i < COUNT(parts); i++)
		for (n = 1; n <= PATH_LIMIT; n += n < 300 ? 1 : 7) {
			for (k = 0; k < n; k++)
				name[k] = k % (parts[i] + 1) == parts[i] &&
				    k < n - 1 ? '/' : 'n';
			name[n] = '\0';
			buf_addf(&names, "%s\n", name);
			tar_add_header(t, name, 1);
			tar_add_data(t, "x", 1);
		}
	assert_ok(tar_commit(t, &e), e);
	put("names", names.p, names.n);
	put("n.tar", text.p, text.n);
	run("tar -tf n.tar | cmp - names");
	run("! command -v bsdtar >/dev/null || bsdtar -tf n.tar | cmp - names");
	run("python3 -c \"import tarfile; "
	    "[print(n) for n in tarfile.open('n.tar').getnames()]\" | "
	    "cmp - names");
	buf_clear(&text);
	buf_clear(&names);
}

/* The last size that octal digits hold, and those beyond. */
static void
writes_sizes_beyond_8_gib(void **state)
{
	struct buf text = BUF_INIT;
	uint64_t size = ((uint64_t)1 << 33) - 2;
	char name[16];
	struct tar *t;
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		t = tar_open(out_buf(&text), 0);
		snprintf(name, sizeof(name), "s%d", i);
		tar_add_header(t, name, size + (uint64_t)i);
		tar_discard(t);
		put("s.tar", text.p, text.n);
		text.n = 0;
		snprintf(name, sizeof(name), "%" PRIu64, size + (uint64_t)i);
		put_str("size", name);
		run("tar -tvf s.tar 2>/dev/null | grep -q \" $(cat size) \"");
		run("! command -v bsdtar >/dev/null || "
		    "bsdtar -tvf s.tar 2>/dev/null | "
		    "grep -q \" $(cat size) \"");
	}
	buf_clear(&text);
}

static void
failures_of_the_output_are_told(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct tar *t = tar_open(out_fd(full, "full"), 0);
	struct err e;

	(void)state;
	tar_add_header(t, "a", 3);
	tar_add_data(t, "abc", 3);
	assert_fails(tar_commit(t, &e), e, ERR_IO, "write 'full'");
	close(full);
}

/* What was not said must not become the next header, or part of it. */
static void
other_data_than_was_said_is_an_error(void **state)
{
	static const size_t sizes[] = {0, 2, 4, 6};
	struct buf text = BUF_INIT;
	struct tar *t;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(sizes); i++) {
		t = tar_open(out_buf(&text), 0);
		tar_add_header(t, "a", 3);
		tar_add_data(t, "abcdef", sizes[i]);
		if (i % 2 == 0)
			tar_add_header(t, "b", 0);
		assert_fails(tar_commit(t, &e), e, ERR_IO, "write tar: ");
	}
	buf_clear(&text);
}

static void
discard_leaves_nothing(void **state)
{
	size_t before = count_names(".");
	struct tar *t = tar_open(out_file(scratch, "d.tar", 0644, OUT_NOW,
	    NULL), 0);

	(void)state;
	tar_add_header(t, "a", 300);
	tar_add_data(t, "abc", 3);
	tar_discard(t);
	tar_discard(NULL);
	tar_discard(tar_open(out_file(scratch, "d.tar", 0644, OUT_NOW, NULL),
	    0));
	assert_int_equal(count_names("."), before);
}

static int
enter(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	run("head -c 100000 /dev/urandom >big");
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_usual),
		cmocka_unit_test(reads_what_other_headers_say),
		cmocka_unit_test(names_have_a_limit),
		cmocka_unit_test(refuses_all_but_files_and_directories),
		cmocka_unit_test(refuses_sizes_that_are_none),
		cmocka_unit_test(reads_the_largest_sizes),
		cmocka_unit_test(refuses_damaged_pax_headers),
		cmocka_unit_test(refuses_what_pax_headers_must_not_say),
		cmocka_unit_test(refuses_what_can_be_understood_in_two_ways),
		cmocka_unit_test(refuses_what_is_no_end),
		cmocka_unit_test(refuses_what_is_no_tar),
		cmocka_unit_test(refuses_every_changed_header),
		cmocka_unit_test(every_cut_is_told),
		cmocka_unit_test(the_source_s_failure_is_the_one_told),
		cmocka_unit_test(reads_what_other_programs_write),
		cmocka_unit_test(reads_sizes_as_other_programs_write_them),
		cmocka_unit_test(refuses_other_kinds_of_other_programs),
		cmocka_unit_test(writes_what_tar_reads),
		cmocka_unit_test(writes_the_same_bytes_for_the_same_input),
		cmocka_unit_test(writes_an_empty_archive),
		cmocka_unit_test(writes_names_of_every_length),
		cmocka_unit_test(writes_sizes_beyond_8_gib),
		cmocka_unit_test(failures_of_the_output_are_told),
		cmocka_unit_test(other_data_than_was_said_is_an_error),
		cmocka_unit_test(discard_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, enter, scratch_leave);
}
