#include "distribute-packages/rpm/rpm_xml_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "distribute-packages/rpm/rpm_xml_text.h"

enum {
	TAG_FILEMODES = 1030, TAG_FILEFLAGS = 1037, TAG_DIRINDEXES = 1116,
	TAG_BASENAMES = 1117, TAG_DIRNAMES = 1118
};

#define FLAG_GHOST (1U << 6)	/* RPMFILE_GHOST */

struct files {
	const struct rpm_header *header;
	const char **bases;
	const char **directories;
	size_t n;
	size_t n_directories;
	size_t i;		/* the next one */
	struct buf path;	/* of the last one */
};

static void
files_open(struct files *f, const struct rpm *r)
{
	*f = (struct files){.header = &r->header, .path = BUF_INIT};
	f->bases = rpm_header_strings(&r->header, TAG_BASENAMES, &f->n);
	f->directories = rpm_header_strings(&r->header, TAG_DIRNAMES,
	    &f->n_directories);
}

static void
files_close(struct files *f)
{
	buf_clear(&f->path);
	free(f->bases);
	free(f->directories);
}

/* false: there are no more. A file of no directory is passed over. */
static bool
files_next(struct files *f)
{
	uint64_t directory;

	for (; f->i < f->n; f->i++) {
		directory = rpm_header_number(f->header, TAG_DIRINDEXES, f->i,
		    UINT64_MAX);
		if (directory >= f->n_directories)
			continue;
		f->path.n = 0;
		buf_str(&f->path, f->directories[directory]);
		buf_str(&f->path, f->bases[f->i++]);
		return true;
	}
	return false;
}

/* Of the file that files_next has last gone to. */
static const char *
files_type(const struct files *f)
{
	uint64_t mode = rpm_header_number(f->header, TAG_FILEMODES, f->i - 1,
	    S_IFREG);
	uint64_t flags = rpm_header_number(f->header, TAG_FILEFLAGS, f->i - 1,
	    0);

	if (S_ISDIR((mode_t)mode))
		return " type=\"dir\"";
	return flags & FLAG_GHOST ? " type=\"ghost\"" : "";
}

/* Any directory whose name ends in "bin" will do. */
bool
rpm_xml_is_primary(const char *path)
{
	return strncmp(path, "/etc/", strlen("/etc/")) == 0 ||
	    strcmp(path, "/usr/lib/sendmail") == 0 ||
	    strstr(path, "bin/") != NULL;
}

void
rpm_xml_primary_paths(const struct rpm *r, struct strv *paths)
{
	struct files f;

	files_open(&f, r);
	while (files_next(&f))
		if (rpm_xml_is_primary(f.path.p))
			strv_add(paths, f.path.p);
	files_close(&f);
}

void
rpm_xml_files(const struct rpm *r, bool only_primary, const char *indent,
    struct buf *text)
{
	struct files f;

	files_open(&f, r);
	while (files_next(&f)) {
		if (only_primary && !rpm_xml_is_primary(f.path.p))
			continue;
		buf_addf(text, "%s<file%s>", indent, files_type(&f));
		rpm_xml_text(text, f.path.p);
		buf_str(text, "</file>\n");
	}
	files_close(&f);
}
