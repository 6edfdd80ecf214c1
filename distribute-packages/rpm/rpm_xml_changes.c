#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "distribute-packages/rpm/rpm_xml.h"
#include "lib/base/mem.h"

enum {
	TAG_CHANGELOGTIME = 1080, TAG_CHANGELOGNAME = 1081,
	TAG_CHANGELOGTEXT = 1082
};

#define LIMIT 10	/* the default of createrepo_c */

/*
 * rpm knows days only, so entries of one day have one time. Readers want them
 * apart and in order: each entry is a second or more after the one before
 * that had its time. times are newest first.
 */
static void
spread(uint64_t *times, size_t n)
{
	uint64_t original = 0;
	size_t i, newer;

	for (i = 0; i < n; i++) {
		if (i > 0 && times[i] == original) {
			newer = i;
			do
				times[newer - 1] = times[newer] + 1;
			while (--newer > 0 && times[newer - 1] == times[newer]);
		}
		original = times[i];
	}
}

/* Without the blanks at the author's end, but for one that stands alone. */
static void
write_author(const char *author, struct buf *text)
{
	size_t n = strlen(author);
	char *trimmed;

	while (n > 1 && author[n - 1] == ' ')
		n--;
	trimmed = mem_dupn(author, n);
	rpm_xml_attribute(text, "author", trimmed);
	free(trimmed);
}

void
rpm_xml_changes(const struct rpm *r, struct buf *text)
{
	size_t n = rpm_header_count(&r->header, TAG_CHANGELOGTIME);
	size_t n_authors, n_texts, i;
	const char **authors = rpm_header_strings(&r->header,
	    TAG_CHANGELOGNAME, &n_authors);
	const char **texts = rpm_header_strings(&r->header,
	    TAG_CHANGELOGTEXT, &n_texts);
	uint64_t times[LIMIT] = {0};

	n = n < n_authors ? n : n_authors;
	n = n < n_texts ? n : n_texts;
	n = n < LIMIT ? n : LIMIT;
	for (i = 0; i < n; i++)
		times[i] = rpm_header_number(&r->header, TAG_CHANGELOGTIME, i,
		    0);
	spread(times, n);
	for (i = n; i-- > 0;) {
		buf_str(text, "  <changelog");
		write_author(authors[i], text);
		buf_addf(text, " date=\"%" PRIu64 "\">", times[i]);
		rpm_xml_text(text, texts[i]);
		buf_str(text, "</changelog>\n");
	}
	free(authors);
	free(texts);
}
