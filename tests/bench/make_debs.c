/*
 * Makes many small valid .debs, or a few large ones, quickly.
 *
 *	make_debs DIR FIRST COUNT [MIB]
 *
 * Package i has the number i / 2 in its name; even ones are of amd64 and lie
 * in DIR/amd64, odd ones of arm64 in DIR/arm64. The version is always 1.0-1.
 * Small: control.tar.xz and data.tar.xz as dpkg-deb packs them, with a
 * control file of the usual fields. With MIB: a data.tar of that many MiB
 * which nothing can compress. The same arguments make the same bytes.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEB_VERSION "1.0-1"
#define TIME 1700000000
#define MEMBER_LIMIT ((size_t)256 << 10)	/* of a small package */
#define CHUNK ((size_t)1 << 20)
#define AR_HEADER 60
#define SAMPLES 16	/* different data.tar.xz */

static void
die(const char *what)
{
	fprintf(stderr, "make_debs: %s: %s\n", what, strerror(errno));
	exit(74);
}

/* xorshift64*: fast, and no packer finds anything in it */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* ----------------------------------------------------------- tar archives */

static void
add_header(struct archive *a, const char *path, int is_dir, size_t size)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, is_dir ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(entry, is_dir ? 0755 : 0644);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_mtime(entry, TIME, 0);
	archive_entry_set_uname(entry, "root");
	archive_entry_set_gname(entry, "root");
	if (archive_write_header(a, entry) != ARCHIVE_OK)
		die(archive_error_string(a));
	archive_entry_free(entry);
}

static void
add_file(struct archive *a, const char *path, const void *data, size_t n)
{
	add_header(a, path, 0, n);
	if (archive_write_data(a, data, n) != (la_ssize_t)n)
		die(archive_error_string(a));
}

static struct archive *
new_tar(void)
{
	struct archive *a = archive_write_new();

	if (a == NULL || archive_write_set_format_gnutar(a) != ARCHIVE_OK)
		die("start tar");
	return a;
}

/* Packed by xz at its default level, in memory. */
static struct archive *
open_packed(void *memory, size_t *used)
{
	struct archive *a = new_tar();

	if (archive_write_add_filter_xz(a) != ARCHIVE_OK ||
	    archive_write_open_memory(a, memory, MEMBER_LIMIT, used) !=
	    ARCHIVE_OK)
		die("start xz");
	return a;
}

static void
close_tar(struct archive *a)
{
	if (archive_write_close(a) != ARCHIVE_OK)
		die(archive_error_string(a));
	archive_write_free(a);
}

/* ------------------------------------------------------------ the control */

static const char *const words[] = {
	"network", "storage", "secure", "route", "message", "record",
	"distributed", "private", "node", "client", "server", "library",
	"small", "framework", "protocol", "service",
};

static const char *
word(uint64_t *state)
{
	return words[next_random(state) % (sizeof(words) / sizeof(words[0]))];
}

/* 14 fields, about 700 bytes */
static size_t
write_control(char *text, size_t size, long i, const char *architecture,
    const char *name, long kib)
{
	uint64_t s = (uint64_t)i * 7919 + 12345;
	int n = snprintf(text, size,
	    "Package: %s\n"
	    "Source: bench-source-%ld\n"
	    "Version: " DEB_VERSION "\n"
	    "Architecture: %s\n"
	    "Maintainer: Release Engineering <releases@packages.example.org>\n"
	    "Installed-Size: %ld\n"
	    "Depends: libc6 (>= 2.34), libgcc-s1 (>= 4.2), libssl3 (>= 3.0.0), "
	    "zlib1g (>= 1:1.1.4)\n"
	    "Recommends: ca-certificates\n"
	    "Suggests: bench-%s-doc\n"
	    "Section: net\n"
	    "Priority: optional\n"
	    "Multi-Arch: foreign\n"
	    "Homepage: https://packages.example.org/bench/%s\n"
	    "Description: %s %s for the %s %s\n"
	    " This package has the %s %s of a %s %s, and the %s\n"
	    " that goes with it. Nobody installs it: it is one of many that\n"
	    " a benchmark makes, %s and %s.\n"
	    " .\n"
	    " Number %ld of them.\n",
	    name, i / 10, architecture, kib, word(&s), name, word(&s),
	    word(&s), word(&s), word(&s), word(&s), word(&s), word(&s),
	    word(&s), word(&s), word(&s), word(&s), i);

	if (n < 0 || (size_t)n >= size)
		die("control file");
	return (size_t)n;
}

static size_t
pack_control(void *memory, long i, const char *architecture,
    const char *name, long kib)
{
	static const char md5sums[] =
	    "d41d8cd98f00b204e9800998ecf8427e  usr/share/bench/data\n";
	char text[4096];
	size_t n = write_control(text, sizeof(text), i, architecture, name,
	    kib), used = 0;
	struct archive *a = open_packed(memory, &used);

	add_header(a, "./", 1, 0);
	add_file(a, "./control", text, n);
	add_file(a, "./md5sums", md5sums, sizeof(md5sums) - 1);
	close_tar(a);
	return used;
}

/* --------------------------------------------------------------- the data */

static void
fill(unsigned char *p, size_t n, uint64_t *state)
{
	size_t i;
	uint64_t v;

	for (i = 0; i + sizeof(v) <= n; i += sizeof(v)) {
		v = next_random(state);
		memcpy(p + i, &v, sizeof(v));
	}
}

struct sample {
	unsigned char *p;
	size_t n;
};

/* data.tar.xz of 1 to 2 KiB */
static void
make_sample(struct sample *sample, int number)
{
	uint64_t s = (uint64_t)number + 99;
	unsigned char data[2048] = {0};
	size_t n = 800 + (size_t)number * 64;
	struct archive *a;

	sample->p = malloc(MEMBER_LIMIT);
	if (sample->p == NULL)
		die("memory");
	fill(data, n, &s);
	a = open_packed(sample->p, &sample->n);
	add_header(a, "./", 1, 0);
	add_header(a, "./usr/", 1, 0);
	add_header(a, "./usr/share/", 1, 0);
	add_header(a, "./usr/share/bench/", 1, 0);
	add_file(a, "./usr/share/bench/data", data, n);
	close_tar(a);
}

static la_ssize_t
write_file(struct archive *a, void *arg, const void *data, size_t n)
{
	(void)a;
	return fwrite(data, 1, n, arg) == n ? (la_ssize_t)n : -1;
}

static void
write_large_data(FILE *f, long i, long mib)
{
	unsigned char *chunk = malloc(CHUNK);
	uint64_t s = (uint64_t)i + 1;
	struct archive *a = new_tar();
	long j;

	if (chunk == NULL || archive_write_open(a, f, NULL, write_file,
	    NULL) != ARCHIVE_OK)
		die("start tar");
	add_header(a, "./", 1, 0);
	add_header(a, "./blob", 0, (size_t)mib * CHUNK);
	for (j = 0; j < mib; j++) {
		fill(chunk, CHUNK, &s);
		if (archive_write_data(a, chunk, CHUNK) != (la_ssize_t)CHUNK)
			die(archive_error_string(a));
	}
	close_tar(a);
	free(chunk);
}

/* ------------------------------------------------------------ the package */

static void
add_member_header(FILE *f, const char *name, size_t size)
{
	if (fprintf(f, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, TIME, 0, 0,
	    "100644", size) != AR_HEADER)
		die("write");
}

static void
add_member(FILE *f, const char *name, const void *data, size_t n)
{
	add_member_header(f, name, n);
	if (fwrite(data, 1, n, f) != n || (n % 2 == 1 && fputc('\n', f) < 0))
		die("write");
}

static void
add_large_member(FILE *f, long i, long mib)
{
	long at = ftell(f), end;

	add_member_header(f, "data.tar", 0);
	write_large_data(f, i, mib);
	end = ftell(f);
	if (fseek(f, at, SEEK_SET) < 0)
		die("seek");
	add_member_header(f, "data.tar", (size_t)(end - at - AR_HEADER));
	if (fseek(f, 0, SEEK_END) < 0)
		die("seek");
}

static void
make_deb(const char *dir, long i, long mib, const struct sample *sample)
{
	static unsigned char control[MEMBER_LIMIT];
	const char *architecture = i % 2 == 0 ? "amd64" : "arm64";
	char path[4096], name[64];
	size_t n;
	FILE *f;

	snprintf(name, sizeof(name), "bench-%s-%05ld", words[i / 2 % 16],
	    i / 2);
	if (snprintf(path, sizeof(path), "%s/%s/%s_" DEB_VERSION "_%s.deb", dir,
	    architecture, name, architecture) >= (int)sizeof(path))
		die("name");
	n = pack_control(control, i, architecture, name,
	    mib > 0 ? mib * 1024 : 4);
	f = fopen(path, "w");
	if (f == NULL)
		die(path);
	if (fwrite("!<arch>\n", 1, 8, f) != 8)
		die(path);
	add_member(f, "debian-binary", "2.0\n", 4);
	add_member(f, "control.tar.xz", control, n);
	if (mib > 0)
		add_large_member(f, i, mib);
	else
		add_member(f, "data.tar.xz", sample->p, sample->n);
	if (fclose(f) != 0)
		die(path);
}

/* Every step-th of them, from `from`. */
static void
make_some(const char *dir, long from, long end, long step, long mib)
{
	struct sample samples[SAMPLES];
	long i;
	int j;

	for (j = 0; j < SAMPLES; j++)
		make_sample(&samples[j], j);
	for (i = from; i < end; i += step)
		make_deb(dir, i, mib, &samples[i % SAMPLES]);
}

static void
make_dir(const char *dir, const char *architecture)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, architecture);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die(path);
}

int
main(int argc, char **argv)
{
	long first, count, mib, processes, i;
	int status, failed = 0;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: make_debs DIR FIRST COUNT [MIB]\n");
		return 64;
	}
	first = atol(argv[2]);
	count = atol(argv[3]);
	mib = argc > 4 ? atol(argv[4]) : 0;
	processes = sysconf(_SC_NPROCESSORS_ONLN);
	make_dir(argv[1], "amd64");
	make_dir(argv[1], "arm64");
	if (processes < 1 || count < 16)
		processes = 1;
	for (i = 0; i < processes; i++) {
		switch (fork()) {
		case -1:
			die("fork");
			break;
		case 0:
			make_some(argv[1], first + i, first + count, processes,
			    mib);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	return failed ? 74 : 0;
}
