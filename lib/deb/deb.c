#include "lib/deb/deb.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/data/archive.h"
#include "lib/data/contents.h"
#include "lib/data/inflate.h"
#include "lib/deb/control.h"
#include "lib/deb/relation.h"
#include "lib/sys/fs.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/reader.h"

#define CHUNK ((size_t)128 << 10)
#define AR_MAGIC 8	/* "!<arch>\n" */
#define AR_HEADER 60
#define FIELDS_LIMIT 256	/* of a control file */
#define LINKS_LIMIT 32	/* among its scripts, of which dpkg knows five */

/* ------------------------------------------- the text of a control file */

static bool
is_crlf(const char *p, const char *end)
{
	return end - p > 1 && p[0] == '\r' && p[1] == '\n';
}

/* dpkg reads neither what has no end nor a line that only looks empty. */
static int
check_lines(const char *text, size_t n, struct err *e)
{
	bool is_blank = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (text[i] == '\n' && is_blank)
			return err_set(e, ERR_DATA, "control file has a line "
			    "of blanks alone: write ' .'");
		is_blank = (text[i] == ' ' || text[i] == '\t') &&
		    (is_blank || i == 0 || text[i - 1] == '\n');
	}
	if (n > 0 && text[n - 1] != '\n')
		return err_set(e, ERR_DATA, "control file has no newline at "
		    "its end");
	return 0;
}

static int
check_text(const char *text, size_t n, struct err *e)
{
	const char *end = text + n;
	size_t i;

	while (n > 0 && text[n - 1] == '\n')
		n--;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return err_set(e, ERR_DATA, "control file has a "
			    "control character (byte %zu is 0x%02x)%s", i, c,
			    is_crlf(text + i, end) ?
			    ": lines end in CR LF, as on Windows" : "");
		/* apt ends a stanza at an empty line, also in a value */
		if (c == '\n' && i + 1 < n && text[i + 1] == '\n')
			return err_set(e, ERR_DATA,
			    "control file has more than one paragraph");
	}
	return 0;
}

static int
check_field(const struct field *seen, size_t n, const struct field *f,
    struct err *e)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (seen[i].name_n == f->name_n &&
		    strncasecmp(seen[i].name, f->name, f->name_n) == 0)
			return err_set(e, ERR_DATA, "control file has the "
			    "field %.*s twice", (int)f->name_n, f->name);
	return field_judge(f, e);
}

/* Those that dpkg or apt will not let anybody remove. */
static void
keep_essential(const struct field *f, struct deb *d)
{
	static const char *const names[] = {
		"Essential", "Protected", "Important",
	};
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		if (field_is(f, names[i]) && field_says_yes(f))
			d->essential = names[i];
}

static void
keep_value(const struct field *f, const char *name, char **value)
{
	if (field_is(f, name))
		*value = mem_dupn(f->value, f->value_n);
}

static int
check_values(const struct deb *d, bool has_maintainer, bool has_description,
    struct err *e)
{
	const char *missing = !d->package ? "Package" :
	    !d->version ? "Version" : !d->architecture ? "Architecture" :
	    !has_maintainer ? "Maintainer" :
	    !has_description ? "Description" : NULL;

	if (missing != NULL)
		return err_set(e, ERR_DATA, "control file lacks the field %s",
		    missing);
	if (!control_is_package(d->package))
		return err_set(e, ERR_DATA, "bad package name '%s'",
		    d->package);
	if (!control_is_version(d->version))
		return err_set(e, ERR_DATA, "bad version '%s'", d->version);
	if (!control_is_architecture(d->architecture))
		return err_set(e, ERR_DATA, "bad architecture '%s'",
		    d->architecture);
	return 0;
}

int
deb_parse_control(const char *text, size_t n, struct deb *d, struct err *e)
{
	struct field seen[FIELDS_LIMIT], *f;
	bool has_maintainer = false, has_description = false;
	const char *p = text, *end = text + n;
	size_t count = 0;
	int status;

	while (p < end && *p == '\n')
		p++;
	text = p;
	n = (size_t)(end - p);
	if (check_text(text, n, e) < 0 || check_lines(text, n, e) < 0)
		return -1;
	for (;;) {
		f = &seen[count];
		status = control_next(&p, end, f, e);
		if (status <= 0)
			break;
		if (check_field(seen, count, f, e) < 0)
			return -1;
		if (++count == FIELDS_LIMIT)
			return err_set(e, ERR_DATA, "control file has more "
			    "than %d fields", FIELDS_LIMIT - 1);
		keep_value(f, "Package", &d->package);
		keep_value(f, "Version", &d->version);
		keep_value(f, "Architecture", &d->architecture);
		keep_essential(f, d);
		has_maintainer |= field_is(f, "Maintainer");
		has_description |= field_is(f, "Description");
	}
	if (status < 0)
		return err_wrap(e, "control file");
	/* dpkg looks for its value in what follows */
	if (count > 0 && p == end && seen[count - 1].value_n == 0)
		return err_set(e, ERR_DATA, "control file ends with the empty "
		    "field %.*s", (int)seen[count - 1].name_n,
		    seen[count - 1].name);
	if (check_values(d, has_maintainer, has_description, e) < 0)
		return -1;
	buf_add(&d->control, text, (size_t)(p - text));
	return 0;
}

/* -------------------------------------------------- the control member */

/* The file; every byte that libarchive asks for passes here. */
struct file {
	unpack_source *source;
	void *arg;
	uint64_t size;
};

static ssize_t
read_file(void *arg, const void **chunk, struct err *e)
{
	struct file *f = arg;
	ssize_t n = f->source(f->arg, chunk, e);

	f->size += n > 0 ? (uint64_t)n : 0;
	return n;
}

static int
read_whole(struct unpack *u, struct buf *b, struct err *e)
{
	ssize_t n;

	while ((n = unpack_read(u, buf_room(b, CHUNK), CHUNK, e)) > 0) {
		b->n += (size_t)n;
		if (b->n > DEB_MEMBERS_LIMIT)
			return err_set(e, ERR_DATA, "unpacks to more than %zu "
			    "bytes", DEB_MEMBERS_LIMIT);
	}
	return (int)n;
}

static ssize_t
read_memory(void *arg, const void **chunk, struct err *e)
{
	struct buf *b = arg;
	size_t n = b->n;

	(void)e;
	*chunk = b->p;
	b->n = 0;	/* all at once, and then the end */
	return (ssize_t)n;
}

static int
add_to_buf(const void *data, size_t n, void *arg)
{
	buf_add(arg, data, n);
	return 0;
}

/*
 * The whole of control.tar, into memory: a small file may unpack to a huge
 * one, and only at its end does a stream prove its checksum. (libarchive
 * does not compare that of gzip, so zlib unpacks it.)
 */
static int
unpack_whole(struct buf *packed, const char *name, struct buf *tar,
    struct err *e)
{
	enum unpack_filter filter = UNPACK_PLAIN;
	struct member m;
	struct unpack *u;
	int status;

	if (path_ends_with(name, ".gz"))
		return gunzip_whole(buf_cstr(packed), packed->n,
		    DEB_MEMBERS_LIMIT, add_to_buf, tar, e);
	if (path_ends_with(name, ".xz"))
		filter = UNPACK_XZ;
	else if (path_ends_with(name, ".zst"))
		filter = UNPACK_ZSTD;
	u = unpack_open(UNPACK_STREAM, filter, read_memory, packed);
	status = unpack_next(u, &m, e);
	if (status == 0)
		status = err_set(e, ERR_DATA, "is empty");
	if (status > 0)
		status = read_whole(u, tar, e);
	unpack_close(u);
	return status;
}

static int
read_control(struct unpack *tar, const struct member *m, struct buf *text,
    struct err *e)
{
	ssize_t n;

	if (m->size > DEB_CONTROL_LIMIT)
		return err_set(e, ERR_DATA, "control file is larger than "
		    "%zu bytes", DEB_CONTROL_LIMIT);
	while ((n = unpack_read(tar, buf_room(text, 4096), 4096, e)) > 0) {
		text->n += (size_t)n;
		text->p[text->n] = '\0';
	}
	return (int)n;
}

static const char *
plain_name(const char *path)
{
	return strncmp(path, "./", 2) == 0 ? path + 2 : path;
}

/* What control.tar has beside "control", by plain names. */
struct scripts {
	struct strv files;
	struct strv links;
	struct strv targets;	/* of the links, in the same order */
};

static int
add_script(struct scripts *s, const struct member *m, struct err *e)
{
	const char *name = plain_name(m->path);
	const char *target = m->hard_link ? m->hard_link : m->symbolic_link;

	if (m->type == MEMBER_FILE && path_is_name(name)) {
		strv_add(&s->files, name);
		return 0;
	}
	if (target == NULL || !path_is_name(name) ||
	    strcmp(name, "control") == 0)
		return err_set(e, ERR_DATA, "'%s' is not a plain file",
		    m->path);
	if (s->links.n == LINKS_LIMIT)
		return err_set(e, ERR_DATA, "more than %d links", LINKS_LIMIT);
	target = plain_name(target);
	/* tar makes hard links as it goes */
	if (m->hard_link != NULL && !strv_has(&s->files, target))
		return err_set(e, ERR_DATA, "'%s' is a hard link, but not to a "
		    "file before it", m->path);
	strv_add(&s->links, name);
	strv_add(&s->targets, target);
	return 0;
}

/* Each leads to a script that is a file, and has its name alone. */
static int
check_links(const struct scripts *s, struct err *e)
{
	const char *name, *target;
	size_t i, k;

	for (i = 0; i < s->links.n; i++) {
		name = s->links.v[i];
		target = s->targets.v[i];
		if (strcmp(target, "control") == 0 ||
		    !strv_has(&s->files, target))
			return err_set(e, ERR_DATA, "'%s' is a link, but not "
			    "to a plain file beside it", name);
		for (k = 0; k < i; k++)
			if (strcmp(name, s->links.v[k]) == 0)
				break;
		if (k < i || strv_has(&s->files, name))
			return err_set(e, ERR_DATA, "'%s' is there twice, once "
			    "as a link", name);
	}
	return 0;
}

/*
 * dpkg extracts all members into one directory and then opens "control": a
 * name or a link that leads there by another way would show it another file
 * than us. So there are plain files by plain names, and links from one script
 * to another, which dpkg takes as well.
 */
static int
read_scripts(struct unpack *tar, struct scripts *s, struct buf *text,
    struct err *e)
{
	bool found = false;
	struct member m;
	const char *name;
	int status;

	while ((status = unpack_next(tar, &m, e)) > 0) {
		name = plain_name(m.path);
		if (m.type == MEMBER_DIR &&
		    (name[0] == '\0' || strcmp(name, ".") == 0))
			continue;
		if (add_script(s, &m, e) < 0)
			return -1;
		if (strcmp(name, "control") != 0)
			continue;
		if (found)
			return err_set(e, ERR_DATA, "two control files");
		found = true;
		if (read_control(tar, &m, text, e) < 0)
			return -1;
	}
	if (status == 0 && text->n == 0)
		return err_set(e, ERR_DATA, "no control file");
	return status;
}

static int
find_control(struct unpack *tar, struct buf *text, struct err *e)
{
	struct scripts s = {STRV_INIT, STRV_INIT, STRV_INIT};
	int status = read_scripts(tar, &s, text, e);

	if (status == 0)
		status = check_links(&s, e);
	strv_clear(&s.files);
	strv_clear(&s.links);
	strv_clear(&s.targets);
	return status;
}

static bool
is_control_member(const char *name)
{
	return strcmp(name, "control.tar") == 0 ||
	    strcmp(name, "control.tar.gz") == 0 ||
	    strcmp(name, "control.tar.xz") == 0 ||
	    strcmp(name, "control.tar.zst") == 0;
}

static int
read_format_version(struct unpack *ar, const struct member *m, struct err *e)
{
	char text[16] = "";
	size_t digits;

	if (strcmp(m->path, "debian-binary") != 0)
		return err_set(e, ERR_DATA, "not a Debian package: the first "
		    "member is '%s'", m->path);
	if (unpack_read(ar, text, sizeof(text) - 1, e) < 0)
		return -1;
	digits = strncmp(text, "2.", 2) == 0 ?
	    strspn(text + 2, "0123456789") : 0;
	if (digits == 0 || text[2 + digits] != '\n')
		return err_set(e, ERR_DATA, "package format is not 2.x");
	return 0;
}

static int
read_control_member(struct unpack *ar, const struct member *m,
    struct buf *text, struct err *e)
{
	struct buf packed = BUF_INIT, tar = BUF_INIT;
	char name[sizeof("control.tar.zst")];
	struct unpack *u;
	int status;

	if (!is_control_member(m->path))
		return err_set(e, ERR_DATA, "the second member is '%s', not "
		    "control.tar, .gz, .xz or .zst", m->path);
	strcpy(name, m->path);
	status = read_whole(ar, &packed, e);
	if (status == 0)
		status = unpack_whole(&packed, name, &tar, e);
	if (status == 0) {
		u = unpack_open(UNPACK_TAR, UNPACK_PLAIN, read_memory, &tar);
		status = find_control(u, text, e);
		unpack_close(u);
	}
	buf_clear(&packed);
	buf_clear(&tar);
	return status < 0 ? err_wrap(e, "%s", name) : 0;
}

/* ---------------------------------------------------- the data member */

/* All that dpkg unpacks. */
static bool
is_data_member(const char *name, enum stream_kind *packing)
{
	static const struct {
		const char *name;
		enum stream_kind packing;
	} known[] = {
		{"data.tar", STREAM_PLAIN}, {"data.tar.gz", STREAM_GZIP},
		{"data.tar.xz", STREAM_XZ}, {"data.tar.zst", STREAM_ZSTD},
		{"data.tar.bz2", STREAM_BZIP2}, {"data.tar.lzma", STREAM_LZMA},
	};
	size_t i;

	for (i = 0; i < COUNT(known); i++)
		if (strcmp(name, known[i].name) == 0) {
			*packing = known[i].packing;
			return true;
		}
	return false;
}

struct data_reader {
	struct unpack *ar;	/* at the member */
	char *chunk;
};

static ssize_t
read_data(void *arg, const void **chunk, struct err *e)
{
	struct data_reader *d = arg;

	*chunk = d->chunk;
	return unpack_read(d->ar, d->chunk, CHUNK, e);
}

/*
 * ERR_DATA where m, the member that ar is at, has no name that dpkg knows; with
 * is_whole also for what is wrong within.
 */
static int
read_data_member(struct unpack *ar, const struct member *m, bool is_whole,
    struct err *e)
{
	struct data_reader d = {.ar = ar};
	struct contents c = {.format = UNPACK_TAR, .source = read_data,
	    .arg = &d};
	char name[sizeof("data.tar.lzma")];
	int status;

	if (!is_data_member(m->path, &c.packing))
		return err_set(e, ERR_DATA, "the third member is '%s', not "
		    "data.tar, or that with .gz, .xz, .zst, .bz2 or .lzma",
		    m->path);
	if (!is_whole)
		return 0;
	strcpy(name, m->path);
	d.chunk = mem_alloc(CHUNK);
	status = contents_check(&c, e);
	free(d.chunk);
	return status < 0 ? err_wrap(e, "%s", name) : 0;
}

/* --------------------------------------------------------- the package */

/*
 * deb(5): debian-binary, control.tar*, data.tar*, in this order; names that
 * begin with "_" are extensions. *end is where the last member ends.
 */
static int
read_members(struct unpack *ar, bool is_whole, struct buf *text,
    uint64_t *end, struct err *e)
{
	struct member m;
	int status, stage = 0;

	*end = AR_MAGIC;
	while ((status = unpack_next(ar, &m, e)) > 0) {
		*end += AR_HEADER + m.size + (m.size & 1);
		if (stage > 0 && m.path[0] == '_')
			continue;
		switch (stage++) {
		case 0:
			status = read_format_version(ar, &m, e);
			break;
		case 1:
			status = read_control_member(ar, &m, text, e);
			break;
		case 2:
			status = read_data_member(ar, &m, is_whole, e);
			break;
		default:
			status = err_set(e, ERR_DATA, "unexpected member '%s'",
			    m.path);
		}
		if (status < 0)
			return -1;
	}
	if (status == 0 && stage < 3)
		return err_set(e, ERR_DATA, "truncated: %d of 3 members",
		    stage);
	return status;
}

int
deb_unpack(unpack_source *source, void *arg, bool is_whole, struct buf *text,
    struct err *e)
{
	struct file f = {.source = source, .arg = arg};
	struct unpack *ar = unpack_open(UNPACK_AR, UNPACK_PLAIN, read_file,
	    &f);
	const void *rest;
	uint64_t end;
	ssize_t n;
	int status = read_members(ar, is_whole, text, &end, e);

	unpack_close(ar);
	if (status < 0)
		return -1;
	while ((n = read_file(&f, &rest, e)) > 0)
		;
	if (n == 0 && f.size != end)
		return err_set(e, ERR_DATA, "the members end at byte %llu, "
		    "the file at %llu", (unsigned long long)end,
		    (unsigned long long)f.size);
	return (int)n;
}

/* ----------------------------------------------------------- its reader */

static int
unpack_in_reader(uint32_t is_whole, struct err *e)
{
	struct buf text = BUF_INIT;
	int status = deb_unpack(reader_source, NULL, is_whole != 0, &text, e);

	reader_say(text.p, text.n);
	buf_clear(&text);
	return status;
}

/* All bytes of the file, once. */
static int
feed_file(int fd, struct out *copy, struct reader *r, struct digest *d,
    struct err *e)
{
	char *chunk = mem_alloc(CHUNK);
	struct hash *h = hash_open();
	uint64_t left;
	int status = fs_bytes_left(fd, &left, e);
	ssize_t n = 0;

	d->size = 0;
	while (status == 0 && (n = io_read(fd, chunk, CHUNK, NULL, e)) > 0) {
		if ((uint64_t)n > left - d->size) {
			status = err_set(e, ERR_DATA, "it has grown while it "
			    "was read");
			break;
		}
		hash_add(h, chunk, (size_t)n);
		if (copy != NULL)
			out_add(copy, chunk, (size_t)n);
		d->size += (uint64_t)n;
		log_progress_add((uint64_t)n);
		status = reader_feed(r, chunk, (size_t)n, e);
	}
	hash_close(h, d->sha256);
	free(chunk);
	return n < 0 ? -1 : status;
}

static int
read_package(int fd, const char *name, bool is_whole, struct out *copy,
    struct deb *d, struct err *e)
{
	struct reader *r = reader_open(unpack_in_reader, is_whole, e);
	struct buf text = BUF_INIT;
	int status = -1;

	if (r != NULL && feed_file(fd, copy, r, &d->digest, e) == 0)
		status = reader_answer(r, name, DEB_CONTROL_LIMIT, &text, e);
	reader_close(r);
	if (status == 0)
		status = deb_parse_control(buf_cstr(&text), text.n, d, e);
	buf_clear(&text);
	return status < 0 ? err_wrap(e, "%s", name) : 0;
}

int
deb_read(int fd, const char *name, struct out *copy, struct deb *d,
    struct err *e)
{
	return read_package(fd, name, true, copy, d, e);
}

int
deb_read_known(int fd, const char *name, struct out *copy, struct deb *d,
    struct err *e)
{
	return read_package(fd, name, false, copy, d, e);
}

char *
deb_file_name(const struct deb *d)
{
	const char *colon = strchr(d->version, ':');

	return mem_format("%s_%s_%s.deb", d->package,
	    colon ? colon + 1 : d->version, d->architecture);
}

void
deb_clear(struct deb *d)
{
	free(d->package);
	free(d->version);
	free(d->architecture);
	buf_clear(&d->control);
	*d = (struct deb)DEB_INIT;
}
