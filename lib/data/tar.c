#include "lib/data/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/text.h"

#define BLOCK ((size_t)512)
#define PAX_LIMIT ((size_t)64 << 10)	/* largest pax header, bytes */
#define OCTAL_LIMIT ((uint64_t)1 << 33)	/* 11 digits are less than this */

#define MAGIC_USTAR "ustar\00000"	/* POSIX.1: magic and version */
#define MAGIC_GNU "ustar  "		/* the same 8 bytes of GNU tar's */

/* POSIX.1, pax, "ustar Interchange Format" */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];	/* GNU tar has other things here */
	char unused[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* What the headers before a member's own say of it. */
struct said {
	bool is_any;
	bool is_pax;
	bool has_path;
	bool has_size;
	uint64_t size;
	char key[64];	/* of pax, and means what we do not know; or empty */
};

struct untar {
	unpack_source *source;
	void *arg;
	const char *chunk;	/* what came and was not used yet */
	size_t n;
	uint64_t at;		/* so many bytes were used */
	struct header header;
	struct said said;
	struct buf path;	/* of the member; empty: not known yet */
	uint64_t left;		/* of its bytes */
	size_t padding;		/* behind them */
	bool is_over;
};

struct untar *
untar_open(unpack_source *source, void *arg)
{
	struct untar *u = mem_zero(1, sizeof(*u));

	u->source = source;
	u->arg = arg;
	return u;
}

void
untar_close(struct untar *u)
{
	if (u == NULL)
		return;
	buf_clear(&u->path);
	free(u);
}

/* --------------------------------------------------------------- its bytes */

/* 1: there are some; 0: the source has no more. */
static int
fill(struct untar *u, struct err *e)
{
	const void *chunk;
	ssize_t n;

	if (u->n > 0)
		return 1;
	n = u->source(u->arg, &chunk, e);
	if (n <= 0)
		return (int)n;
	u->chunk = chunk;
	u->n = (size_t)n;
	return 1;
}

static int
fail_truncated(const struct untar *u, struct err *e)
{
	if (u->path.n > 0)
		return err_set(e, ERR_DATA, "truncated after %llu bytes, in "
		    "'%s'", (unsigned long long)u->at, buf_cstr(&u->path));
	return err_set(e, ERR_DATA, "truncated after %llu bytes: the two "
	    "blocks of zeros that end an archive are missing",
	    (unsigned long long)u->at);
}

/* At least one, and at most `most`; none is a failure. */
static ssize_t
take(struct untar *u, uint64_t most, const void **p, struct err *e)
{
	int status = fill(u, e);
	size_t n = u->n < most ? u->n : (size_t)most;

	if (status <= 0)
		return status < 0 ? -1 : fail_truncated(u, e);
	*p = u->chunk;
	u->chunk += n;
	u->n -= n;
	u->at += n;
	return (ssize_t)n;
}

static int
take_block(struct untar *u, void *block, struct err *e)
{
	const void *p;
	size_t done = 0;
	ssize_t n;

	while (done < BLOCK) {
		n = take(u, BLOCK - done, &p, e);
		if (n < 0)
			return -1;
		memcpy((char *)block + done, p, (size_t)n);
		done += (size_t)n;
	}
	return 0;
}

/* Nothing is kept before it came, whatever size was announced. */
static int
take_into(struct untar *u, struct buf *b, uint64_t n, struct err *e)
{
	const void *p;
	ssize_t got;

	for (; n > 0; n -= (uint64_t)got) {
		got = take(u, n, &p, e);
		if (got < 0)
			return -1;
		if (b != NULL)
			buf_add(b, p, (size_t)got);
	}
	return 0;
}

static bool
is_zero(const void *data, size_t n)
{
	const char *p = data;

	return n == 0 || (p[0] == '\0' && memcmp(p, p + 1, n - 1) == 0);
}

static size_t
padding_of(uint64_t size)
{
	return (BLOCK - (size_t)(size % BLOCK)) % BLOCK;
}

/* ------------------------------------------------------------ one header */

/* Blanks, octal digits, and NULs or blanks to the end of the field. */
static bool
octal_read(const char *field, size_t n, uint64_t *number)
{
	size_t i = 0, first;

	while (i < n && field[i] == ' ')
		i++;
	*number = 0;
	for (first = i; i < n && field[i] >= '0' && field[i] <= '7'; i++)
		*number = *number << 3 | (uint64_t)(field[i] - '0');
	if (i == first)
		return false;
	while (i < n && (field[i] == ' ' || field[i] == '\0'))
		i++;
	return i == n;
}

/* GNU tar's way to write what has no room in octal digits, big-endian. */
static bool
base256_read(const char *field, size_t n, uint64_t *number)
{
	if (field[0] != '\x80' || !is_zero(field + 1, n - 9))
		return false;
	*number = (uint64_t)be32_read(field + n - 8) << 32 |
	    be32_read(field + n - 4);
	return *number <= INT64_MAX;
}

static int
read_size(const struct untar *u, uint64_t *size, struct err *e)
{
	const char *field = u->header.size;
	size_t n = sizeof(u->header.size);

	if (octal_read(field, n, size) || base256_read(field, n, size))
		return 0;
	return err_set(e, ERR_DATA, "the header before byte %llu has no valid "
	    "size", (unsigned long long)u->at);
}

/* Of all bytes of the header, its own field taken for blanks. */
static unsigned
checksum_of(const struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned sum = sizeof(h->checksum) * ' ';
	size_t i;

	for (i = 0; i < BLOCK; i++)
		if (i < offsetof(struct header, checksum) ||
		    i >= offsetof(struct header, type))
			sum += p[i];
	return sum;
}

static bool
is_sum_right(const struct header *h)
{
	uint64_t sum;

	return octal_read(h->checksum, sizeof(h->checksum), &sum) &&
	    sum == checksum_of(h);
}

/* Where the first header is none. */
static const char *
find_packer(const struct header *h)
{
	static const struct {
		const char *name;
		const char *magic;
		size_t n;
	} packers[] = {
		{"gzip", "\x1f\x8b", 2}, {"xz", "\xfd" "7zXZ", 6},
		{"zstd", "\x28\xb5\x2f\xfd", 4}, {"bzip2", "BZh", 3},
		{"lzip", "LZIP", 4}, {"lz4", "\x04\x22\x4d\x18", 4},
		{"compress", "\x1f\x9d", 2}, {"lzma", "\x5d\0\0", 3},
	};
	size_t i;

	for (i = 0; i < COUNT(packers); i++)
		if (memcmp(h, packers[i].magic, packers[i].n) == 0)
			return packers[i].name;
	return NULL;
}

static int
fail_header(const struct untar *u, struct err *e)
{
	const char *packer = find_packer(&u->header);

	if (u->at > BLOCK)
		return err_set(e, ERR_DATA, "the header before byte %llu is "
		    "damaged: its checksum is wrong",
		    (unsigned long long)u->at);
	if (packer != NULL)
		return err_set(e, ERR_DATA, "compressed by %s: send it "
		    "uncompressed", packer);
	return err_set(e, ERR_DATA, "not a tar archive: the first header's "
	    "checksum is wrong");
}

/* 1: a header; 0: a block of zeros. */
static int
read_header(struct untar *u, struct err *e)
{
	struct header *h = &u->header;

	if (take_block(u, h, e) < 0)
		return e->kind == ERR_DATA && u->at < BLOCK &&
		    find_packer(h) != NULL ? fail_header(u, e) : -1;
	if (is_zero(h, BLOCK))
		return 0;
	if (!is_sum_right(h))
		return fail_header(u, e);
	if (memcmp(h->magic, MAGIC_USTAR, sizeof(h->magic)) != 0 &&
	    memcmp(h->magic, MAGIC_GNU, sizeof(h->magic)) != 0)
		return err_set(e, ERR_DATA, "'%.100s' has a header of an "
		    "older format: make the archive with tar --format=pax",
		    h->name);
	return 1;
}

/* --------------------------------------------- headers before a member's */

static int
set_path(struct untar *u, const char *p, size_t n, struct err *e)
{
	if (u->path.n > 0)
		return err_set(e, ERR_DATA, "'%s' has a second name",
		    buf_cstr(&u->path));
	if (n == 0 || memchr(p, '\0', n) != NULL)
		return err_set(e, ERR_DATA, "the member before byte %llu has "
		    "no valid name", (unsigned long long)u->at);
	if (n > PATH_LIMIT)
		return err_set(e, ERR_DATA, "the name '%.60s...' is longer "
		    "than %d bytes", p, PATH_LIMIT);
	buf_add(&u->path, p, n);
	return 0;
}

/* What stands in a header's place: names, and records of pax. */
static int
read_extra(struct untar *u, size_t max, struct buf *b, struct err *e)
{
	uint64_t size;

	if (read_size(u, &size, e) < 0)
		return -1;
	if (size > max)
		return err_set(e, ERR_DATA, "'%.100s' is a header of %llu "
		    "bytes: at most %zu are accepted", u->header.name,
		    (unsigned long long)size, max);
	return take_into(u, b, size, e) < 0 ? -1 :
	    take_into(u, NULL, padding_of(size), e);
}

static int
read_long_name(struct untar *u, struct err *e)
{
	struct buf b = BUF_INIT;
	int status = read_extra(u, PAX_LIMIT, &b, e);

	if (status == 0 && b.n > 0 && b.p[b.n - 1] == '\0')
		b.n--;
	if (status == 0)
		status = set_path(u, buf_cstr(&b), b.n, e);
	buf_clear(&b);
	u->said.has_path = true;
	return status;
}

/*
 * What says nothing of the contents; those with a dot at their end begin
 * others. Of POSIX.1, star, libarchive and GNU tar.
 */
static bool
is_harmless(const struct span *key)
{
	static const char *const keys[] = {
		"atime", "charset", "comment", "ctime", "gid", "gname",
		"hdrcharset", "linkpath", "mtime", "uid", "uname",
		"LIBARCHIVE.creationtime", "LIBARCHIVE.xattr.",
		"RHT.security.selinux", "SCHILY.acl.", "SCHILY.dev",
		"SCHILY.fflags", "SCHILY.ino", "SCHILY.nlink",
		"SCHILY.xattr.",
	};
	size_t i, n;

	for (i = 0; i < COUNT(keys); i++) {
		n = strlen(keys[i]);
		if (span_is(key, keys[i]) || (keys[i][n - 1] == '.' &&
		    key->n > n && memcmp(key->p, keys[i], n) == 0))
			return true;
	}
	return false;
}

static int
set_size(struct untar *u, const struct span *value, struct err *e)
{
	if (u->said.has_size || !decimal_read(value->p, value->n,
	    &u->said.size))
		return err_set(e, ERR_DATA, "the pax header before byte %llu "
		    "has no valid size, or two", (unsigned long long)u->at);
	u->said.has_size = true;
	return 0;
}

/* The member that it is said of, and is refused for it, has yet to come. */
static int
take_record(struct untar *u, const struct span *key, const struct span *value,
    struct err *e)
{
	if (is_harmless(key))
		return 0;
	if (u->header.type == 'g')
		return err_set(e, ERR_DATA, "a pax header sets '%.*s' for all "
		    "members", (int)key->n, key->p);
	if (span_is(key, "size"))
		return set_size(u, value, e);
	if (span_is(key, "path")) {
		u->said.has_path = true;
		return set_path(u, value->p, value->n, e);
	}
	snprintf(u->said.key, sizeof(u->said.key), "%.*s", (int)key->n,
	    key->p);
	return 0;
}

/* "LENGTH KEY=VALUE\n", the length that of all of it; returns that, or 0. */
static size_t
split_record(const char *p, size_t n, struct span *key, struct span *value)
{
	const char *blank = memchr(p, ' ', n), *equals;
	uint64_t length;

	if (blank == NULL || !decimal_read(p, (size_t)(blank - p), &length) ||
	    length > n || length < (size_t)(blank - p) + 2 ||
	    p[length - 1] != '\n')
		return 0;
	key->p = blank + 1;
	equals = memchr(key->p, '=', (size_t)(p + length - 1 - key->p));
	if (equals == NULL || equals == key->p)
		return 0;
	key->n = (size_t)(equals - key->p);
	value->p = equals + 1;
	value->n = (size_t)(p + length - 1 - value->p);
	return memchr(key->p, '\0', key->n) == NULL ? (size_t)length : 0;
}

static int
take_records(struct untar *u, const struct buf *b, struct err *e)
{
	struct span key, value;
	size_t at, n;

	for (at = 0; at < b->n; at += n) {
		n = split_record(b->p + at, b->n - at, &key, &value);
		if (n == 0)
			return err_set(e, ERR_DATA, "the pax header before "
			    "byte %llu is damaged", (unsigned long long)u->at);
		if (take_record(u, &key, &value, e) < 0)
			return -1;
	}
	return 0;
}

static int
read_pax(struct untar *u, struct err *e)
{
	struct buf b = BUF_INIT;
	int status;

	if (u->header.type == 'x' && u->said.is_pax)
		return err_set(e, ERR_DATA, "'%.100s' is a second pax header "
		    "for one member", u->header.name);
	if (u->header.type == 'x')
		u->said.is_pax = true;
	status = read_extra(u, PAX_LIMIT, &b, e);
	if (status == 0)
		status = take_records(u, &b, e);
	buf_clear(&b);
	return status;
}

/* ---------------------------------------------------------------- members */

static int
find_path(struct untar *u, struct err *e)
{
	const struct header *h = &u->header;
	struct buf path = BUF_INIT;
	int status;

	if (u->said.has_path)
		return 0;
	if (memcmp(h->magic, MAGIC_USTAR, sizeof(h->magic)) == 0 &&
	    h->prefix[0] != '\0') {
		buf_add(&path, h->prefix, strnlen(h->prefix,
		    sizeof(h->prefix)));
		buf_str(&path, "/");
	}
	buf_add(&path, h->name, strnlen(h->name, sizeof(h->name)));
	status = set_path(u, buf_cstr(&path), path.n, e);
	buf_clear(&path);
	return status;
}

static const char *
name_type(char type)
{
	switch (type) {
	case '1':
		return "a hard link";
	case '2':
		return "a symbolic link";
	case '3':
	case '4':
		return "a device";
	case '6':
		return "a fifo";
	case '7':
		return "a contiguous file";
	case 'S':
		return "a sparse file";
	case 'M':
		return "continued from another volume";
	case 'V':
		return "a volume's label";
	default:
		return "of an unknown type";
	}
}

static int
check_type(const struct untar *u, struct err *e)
{
	const char *path = buf_cstr(&u->path), *key = u->said.key;
	char type = u->header.type;

	if (path_starts_with(key, "GNU.sparse."))
		type = 'S';
	else if (key[0] != '\0')
		return err_set(e, ERR_DATA, "'%s' has a pax header with '%s', "
		    "which is not known", path, key);
	if (type != '0' && type != '\0' && type != '5')
		return err_set(e, ERR_DATA, "'%s' is %s: only regular files "
		    "and directories are accepted", path, name_type(type));
	/* The oldest archives have no other sign of a directory. */
	if (type != '5' && path_ends_with(path, "/"))
		return err_set(e, ERR_DATA, "'%s' is a file with the name of "
		    "a directory", path);
	return 0;
}

static int
read_member(struct untar *u, struct tar_member *m, struct err *e)
{
	if (find_path(u, e) < 0 || check_type(u, e) < 0)
		return -1;
	m->path = buf_cstr(&u->path);
	m->is_dir = u->header.type == '5';
	m->size = u->said.size;
	if (!u->said.has_size && read_size(u, &m->size, e) < 0)
		return -1;
	if (m->is_dir && m->size > 0)
		return err_set(e, ERR_DATA, "the directory '%s' has contents",
		    m->path);
	u->left = m->size;
	u->padding = padding_of(m->size);
	return 1;
}

/* A block of zeros was read. */
static int
read_end(struct untar *u, struct err *e)
{
	int status;

	if (u->said.is_any)
		return err_set(e, ERR_DATA, "the archive ends where a member "
		    "was announced");
	if (take_block(u, &u->header, e) < 0)
		return -1;
	if (!is_zero(&u->header, BLOCK))
		return err_set(e, ERR_DATA, "damaged: a single block of zeros "
		    "before byte %llu", (unsigned long long)u->at - BLOCK);
	while ((status = fill(u, e)) > 0) {
		if (!is_zero(u->chunk, u->n))
			return err_set(e, ERR_DATA, "something follows the end "
			    "of the archive");
		u->n = 0;
	}
	u->is_over = status == 0;
	return status;
}

static int
finish_member(struct untar *u, struct err *e)
{
	if (take_into(u, NULL, u->left, e) < 0 ||
	    take_into(u, NULL, u->padding, e) < 0)
		return -1;
	u->left = 0;
	u->padding = 0;
	u->path.n = 0;
	u->said = (struct said){.is_any = false};
	return 0;
}

int
untar_next(struct untar *u, struct tar_member *m, struct err *e)
{
	int status;

	if (u->is_over)
		return 0;
	if (finish_member(u, e) < 0)
		return -1;
	while ((status = read_header(u, e)) > 0) {
		if (u->header.type == 'L')
			status = read_long_name(u, e);
		else if (u->header.type == 'K')	/* a link's: it comes next */
			status = read_extra(u, PAX_LIMIT, NULL, e);
		else if (u->header.type == 'x' || u->header.type == 'g')
			status = read_pax(u, e);
		else
			return read_member(u, m, e);
		if (status < 0)
			return -1;
		u->said.is_any |= u->header.type != 'g';
	}
	return status < 0 ? -1 : read_end(u, e);
}

ssize_t
untar_read(struct untar *u, const void **chunk, struct err *e)
{
	ssize_t n = u->left == 0 ? 0 : take(u, u->left, chunk, e);

	if (n > 0)
		u->left -= (uint64_t)n;
	return n;
}

/* ---------------------------------------------------------------- writing */

struct tar {
	struct out *next;
	int64_t date;
	uint64_t left;		/* of the member, to be added */
	size_t padding;
	bool is_wrong;		/* more or less was added */
};

struct tar *
tar_open(struct out *next, int64_t date)
{
	struct tar *t = mem_zero(1, sizeof(*t));

	t->next = next;
	t->date = date;
	return t;
}

static void
add_zeros(struct tar *t, size_t n)
{
	static const char zeros[2 * BLOCK];

	out_add(t->next, zeros, n);
}

/* Digits, and the NUL; what has no room for them is in a pax header. */
static void
octal_write(char *field, size_t n, uint64_t number)
{
	field[--n] = '\0';
	while (n > 0) {
		field[--n] = (char)('0' + (number & 7));
		number >>= 3;
	}
}

static void
add_header_block(struct tar *t, struct header *h, uint64_t size, char type)
{
	octal_write(h->mode, sizeof(h->mode), 0644);
	octal_write(h->uid, sizeof(h->uid), 0);
	octal_write(h->gid, sizeof(h->gid), 0);
	octal_write(h->size, sizeof(h->size), size < OCTAL_LIMIT ? size : 0);
	octal_write(h->mtime, sizeof(h->mtime), (uint64_t)t->date);
	octal_write(h->major, sizeof(h->major), 0);
	octal_write(h->minor, sizeof(h->minor), 0);
	h->type = type;
	memcpy(h->magic, MAGIC_USTAR, sizeof(h->magic));
	octal_write(h->checksum, sizeof(h->checksum) - 1, checksum_of(h));
	h->checksum[sizeof(h->checksum) - 1] = ' ';
	out_add(t->next, h, BLOCK);
}

/* Splits it at a slash if need be; false where ustar has no room for it. */
static bool
place_path(struct header *h, const char *path)
{
	size_t n = strlen(path), i;

	if (n <= sizeof(h->name)) {
		memcpy(h->name, path, n);
		return true;
	}
	for (i = n - sizeof(h->name) - 1; i < n - 1; i++)
		if (path[i] == '/' && i > 0 && i <= sizeof(h->prefix)) {
			memcpy(h->prefix, path, i);
			memcpy(h->name, path + i + 1, n - i - 1);
			return true;
		}
	memcpy(h->name, path, sizeof(h->name));
	return false;
}

/* The length that a record begins with is that of its digits, too. */
static void
add_record(struct buf *b, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, n = rest + 1, power;

	for (power = 10; n >= power; power *= 10)
		n++;
	buf_addf(b, "%zu %s=%s\n", n, key, value);
}

static void
add_pax(struct tar *t, const char *path, bool is_placed, uint64_t size)
{
	struct header h = {.name = "PaxHeaders/member"};
	struct buf records = BUF_INIT;
	char number[24];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)size);
	if (!is_placed)
		add_record(&records, "path", path);
	if (size >= OCTAL_LIMIT)
		add_record(&records, "size", number);
	add_header_block(t, &h, records.n, 'x');
	out_add(t->next, records.p, records.n);
	add_zeros(t, padding_of(records.n));
	buf_clear(&records);
}

static void
end_member(struct tar *t)
{
	t->is_wrong |= t->left > 0;
	add_zeros(t, t->padding);
	t->left = 0;
	t->padding = 0;
}

void
tar_add_header(struct tar *t, const char *path, uint64_t size)
{
	struct header h = {.type = '0'};
	bool is_placed = place_path(&h, path);

	end_member(t);
	if (!is_placed || size >= OCTAL_LIMIT)
		add_pax(t, path, is_placed, size);
	add_header_block(t, &h, size, '0');
	t->left = size;
	t->padding = padding_of(size);
}

void
tar_add_data(struct tar *t, const void *data, size_t n)
{
	if (n > t->left) {
		t->is_wrong = true;
		return;
	}
	t->left -= n;
	out_add(t->next, data, n);
}

void
tar_discard(struct tar *t)
{
	if (t == NULL)
		return;
	out_discard(t->next);
	free(t);
}

int
tar_commit(struct tar *t, struct err *e)
{
	int status;

	end_member(t);
	if (t->is_wrong) {
		tar_discard(t);
		return err_set(e, ERR_IO, "write tar: a member is not as long "
		    "as its header says");
	}
	add_zeros(t, 2 * BLOCK);
	status = out_commit(t->next, e);
	free(t);
	return status;
}
