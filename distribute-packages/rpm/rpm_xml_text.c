#include "distribute-packages/rpm/rpm_xml.h"

/* One character of UTF-8 (RFC 3629): its bytes, 0 where there is none. */
static size_t
decode(const unsigned char *s, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t i, n;

	n = *s < 0x80 ? 1 : *s < 0xc0 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 :
	    *s < 0xf8 ? 4 : 0;
	*c = n < 2 ? *s : *s & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (n == 0 || *c < least[n] || *c > 0x10ffff)
		return 0;
	return *c >= 0xd800 && *c < 0xe000 ? 0 : n;
}

static bool
is_utf8(const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	uint32_t c;
	size_t n;

	for (; *s != '\0'; s += n) {
		n = decode(s, &c);
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

static void
put_utf8(struct buf *text, uint32_t c)
{
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
	char byte = (char)(first[more] | c >> (6 * more));

	buf_add(text, &byte, 1);
	while (more-- > 0) {
		byte = (char)(0x80 | (c >> (6 * more) & 0x3f));
		buf_add(text, &byte, 1);
	}
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
		put_utf8(text, c);
	else if (c == '"')
		buf_str(text, "&quot;");
	else if (c < 0x20)
		buf_addf(text, "&#%u;", (unsigned)c);
	else if (c < 0x80)
		put_utf8(text, c);
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
			value += decode((const unsigned char *)value, &c);
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
