#include "distribute-packages/rpm/rpm_xml_text.h"

#include <stdbool.h>
#include <stdint.h>

#include <string.h>

#include "lib/base/text.h"

static bool
is_utf8(const char *value)
{
	size_t left = strlen(value), n;
	uint32_t c;

	for (; left > 0; value += n, left -= n) {
		n = utf8_read(value, left, &c);
		if (n == 0)
			return false;
	}
	return true;
}

/*
 * XML 1.0, 2.2. Where createrepo_c meets a control character it leaves out
 * the package; where it meets U+FFFE it writes what no reader accepts.
 */
static bool
is_xml(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	return c != 0xfffe && c != 0xffff;
}

/* In the forms that libxml2 writes. */
static void
put(struct buf *text, uint32_t c, bool in_attribute)
{
	if (!is_xml(c))
		return;
	if (c == '&')
		buf_str(text, "&amp;");
	else if (c == '<')
		buf_str(text, "&lt;");
	else if (c == '>')
		buf_str(text, "&gt;");
	else if (c == '\r')
		buf_str(text, "&#13;");
	else if (!in_attribute)
		utf8_add(text, c);
	else if (c == '"')
		buf_str(text, "&quot;");
	else if (c < 0x20)
		buf_addf(text, "&#%u;", (unsigned)c);
	else if (c < 0x80)
		utf8_add(text, c);
	else
		buf_addf(text, "&#x%X;", (unsigned)c);
}

/* How many bytes from here on need no thought: nearly always all of them. */
static size_t
plain(const char *value)
{
	/* a plain char has no sign on arm64 */
	const unsigned char *s = (const unsigned char *)value;
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x80 && s[n] != '&' && s[n] != '<' &&
	    s[n] != '>' && s[n] != '"')
		n++;
	return n;
}

static void
escape(struct buf *text, const char *value, bool in_attribute)
{
	size_t n = plain(value);
	bool utf8 = value[n] == '\0' || is_utf8(value + n);
	uint32_t c;

	for (;; n = plain(value)) {
		buf_add(text, value, n);
		value += n;
		if (*value == '\0')
			return;
		if (utf8) {
			value += utf8_read(value, strnlen(value, 4), &c);
			put(text, c, in_attribute);
			continue;
		}
		/*
		 * ISO-8859-1 without 0x80 to 0xbf, as createrepo_c has it:
		 * no letter is among them.
		 */
		c = (unsigned char)*value++;
		if (c < 0x80 || c >= 0xc0)
			put(text, c, in_attribute);
	}
}

void
rpm_xml_text(struct buf *text, const char *value)
{
	escape(text, value, false);
}

void
rpm_xml_attribute(struct buf *text, const char *name, const char *value)
{
	buf_addf(text, " %s=\"", name);
	escape(text, value, true);
	buf_str(text, "\"");
}
