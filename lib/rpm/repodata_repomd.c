/*
 * repomd.xml: the files that it names, with their sizes and hashes.
 */
#include "lib/rpm/repodata_walk.h"

enum data_field {
	DATA_CHECKSUM, DATA_LOCATION, DATA_SIZE, DATA_NEEDED,
	DATA_OPEN_CHECKSUM = DATA_NEEDED, DATA_OPEN_SIZE, DATA_FIELDS
};
static const struct walk_field data_fields[DATA_FIELDS] = {
	[DATA_CHECKSUM] = {"checksum", 2, "data"},
	[DATA_LOCATION] = {"location", 2, "data"},
	[DATA_SIZE] = {"size", 2, "data"},
	[DATA_OPEN_CHECKSUM] = {"open-checksum", 2, "data"},
	[DATA_OPEN_SIZE] = {"open-size", 2, "data"},
};

static int
take_data(struct walk *w, const struct tag *tag, int field,
    struct repomd_file *f, struct err *e)
{
	switch (field) {
	case DATA_CHECKSUM:
		return walk_sha256(w, tag, f->sha256, e);
	case DATA_LOCATION:
		return tag_href(tag, &f->href, e);
	case DATA_SIZE:
		return walk_number(w, tag, &f->size, e);
	case DATA_OPEN_CHECKSUM:
		return walk_sha256(w, tag, f->open_sha256, e);
	case DATA_OPEN_SIZE:
		return walk_number(w, tag, &f->open_size, e);
	default:
		return 0;
	}
}

/* All within one <data>. */
static int
walk_data(struct walk *w, struct repomd_file *f, struct err *e)
{
	struct span text;
	struct tag tag;
	unsigned seen = 0, open;
	int field;

	while (w->depth > 1) {
		if (walk_next(w, &tag, &text, e) < 0)
			return -1;
		field = walk_find(data_fields, DATA_FIELDS, w, &tag, &seen, e);
		if (field < 0 || take_data(w, &tag, field, f, e) < 0)
			return -1;
	}
	open = seen >> DATA_OPEN_CHECKSUM & 3;
	f->has_open = open == 3;
	/* neither or both */
	return walk_check_seen(data_fields, open ? DATA_FIELDS : DATA_NEEDED,
	    seen, e);
}

const struct repomd_file *
repomd_find(const struct repomd *md, const char *type)
{
	size_t i;

	for (i = 0; i < md->n; i++)
		if (span_is(&md->v[i].type, type))
			return &md->v[i];
	return NULL;
}

static int
add_data(struct walk *w, const struct tag *tag, struct repomd *md,
    struct err *e)
{
	struct repomd_file *f = &md->v[md->n];
	struct span type;
	size_t i;

	if (tag_attribute(tag, "type", &type, e) < 0)
		return -1;
	if (md->n == REPOMD_FILES)
		return err_set(e, ERR_DATA, "more than %d files are named",
		    REPOMD_FILES);
	for (i = 0; i < md->n; i++)
		if (span_same(&md->v[i].type, &type))
			return err_set(e, ERR_DATA, "'%.*s' is named twice",
			    type.n > 40 ? 40 : (int)type.n, type.p);
	*f = (struct repomd_file){.type = type};
	if (tag->is_empty)
		return tag_malformed(tag, "content", e);
	if (walk_data(w, f, e) < 0)
		return err_wrap(e, "'%.*s'", type.n > 40 ? 40 : (int)type.n,
		    type.p);
	md->n++;
	return 0;
}

static int
walk_repomd(struct walk *w, struct repomd *md, struct err *e)
{
	static const struct walk_field revision = {"revision", 1, "repomd"};
	unsigned seen = 0;
	struct span text;
	struct tag tag;
	int status, field;

	while ((status = walk_next(w, &tag, &text, e)) > 0) {
		field = walk_find(&revision, 1, w, &tag, &seen, e);
		if (field < 0)
			return -1;
		if (field == 0)
			status = walk_number(w, &tag, &md->revision, e);
		else if (!tag.is_end && span_is(&tag.name, "data"))
			status = w->depth != 2 - (size_t)tag.is_empty ?
			    tag_malformed(&tag, "place", e) :
			    add_data(w, &tag, md, e);
		if (status < 0)
			return -1;
	}
	return status;
}

int
repomd_parse(const char *p, size_t n, struct repomd *md, struct err *e)
{
	const char *end = p + n;
	struct walk w;
	struct tag tag;
	int status;

	md->revision = 0;
	md->n = 0;
	status = tag_first(&p, end, &tag, e);
	if (status < 0)
		return -1;
	if (status == 0 || tag.is_end || !span_is(&tag.name, "repomd"))
		return err_set(e, ERR_DATA, "it is no repomd.xml");
	if (walk_begin(&w, &tag, end, e) < 0 || walk_repomd(&w, md, e) < 0)
		return -1;
	if (xml_skip_blanks(w.p, end) != end)
		return err_set(e, ERR_DATA, "something follows </repomd>");
	return 0;
}
