#include "lib/ssh/packet.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"

/* -------------------------------------------------------------- writing */

void
packet_bytes(struct buf *b, const void *p, size_t n)
{
	be32_add(b, (uint32_t)n);
	buf_add(b, p, n);
}

void
packet_string(struct buf *b, const char *text)
{
	packet_bytes(b, text, strlen(text));
}

size_t
packet_begin(struct buf *b, enum packet_type type)
{
	unsigned char byte = (unsigned char)type;
	size_t begin = b->n;

	be32_add(b, 0);
	buf_add(b, &byte, 1);
	return begin;
}

void
packet_end(struct buf *b, size_t begin, size_t more)
{
	be32_write(b->p + begin,
	    (uint32_t)(b->n - begin - sizeof(uint32_t) + more));
}

/* -------------------------------------------------------------- reading */

/* The next n bytes; NULL, and nothing is left, where there are fewer. */
static const unsigned char *
next_bytes(struct packet *a, size_t n)
{
	const unsigned char *p = a->p;

	if (a->is_short || n > a->n) {
		a->is_short = true;
		a->n = 0;
		return NULL;
	}
	a->p += n;
	a->n -= n;
	return p;
}

uint32_t
packet_get_u32(struct packet *a)
{
	const unsigned char *p = next_bytes(a, sizeof(uint32_t));

	return p != NULL ? be32_read(p) : 0;
}

uint64_t
packet_get_u64(struct packet *a)
{
	const unsigned char *p = next_bytes(a, sizeof(uint64_t));
	uint64_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

const unsigned char *
packet_get_bytes(struct packet *a, size_t *n)
{
	const unsigned char *p;

	*n = packet_get_u32(a);
	p = next_bytes(a, *n);
	if (p == NULL)
		*n = 0;
	return p;
}

ssize_t
packet_frame(struct packet *out, const unsigned char *p, size_t n,
    struct err *e)
{
	struct packet head = {.p = p, .n = n};
	size_t length = packet_get_u32(&head);

	if (head.is_short)
		return 0;
	if (length == 0 || length > PACKET_LIMIT)
		return err_set(e, ERR_PROTOCOL,
		    "the server sent an SFTP packet of %zu bytes", length);
	if (length > head.n)
		return 0;
	*out = (struct packet){.type = head.p[0], .p = head.p + 1,
	    .n = length - 1};
	return (ssize_t)(sizeof(uint32_t) + length);
}

static void
skip_extended(struct packet *a)
{
	uint32_t count = packet_get_u32(a);
	size_t n;

	for (; count > 0 && !a->is_short; count--) {
		packet_get_bytes(a, &n);
		packet_get_bytes(a, &n);
	}
}

uint32_t
packet_get_attributes(struct packet *a, struct sftp_attributes *out)
{
	uint32_t flags = packet_get_u32(a), mode = 0;

	*out = (struct sftp_attributes){.size = 0};
	if (flags & PACKET_HAS_SIZE)
		out->size = packet_get_u64(a);
	if (flags & PACKET_HAS_OWNER)
		(void)packet_get_u64(a);
	if (flags & PACKET_HAS_MODE)
		mode = packet_get_u32(a);
	if (flags & PACKET_HAS_TIMES) {
		(void)packet_get_u32(a);
		out->modified = packet_get_u32(a);
	}
	if (flags & PACKET_HAS_MORE)
		skip_extended(a);
	/* nobody knows how long the others are */
	if (flags & ~(PACKET_HAS_SIZE | PACKET_HAS_OWNER | PACKET_HAS_MODE |
	    PACKET_HAS_TIMES | PACKET_HAS_MORE))
		a->is_short = true;
	out->is_directory = S_ISDIR(mode);
	out->is_file = S_ISREG(mode);
	return flags;
}

int
packet_check(const struct packet *a, struct err *e)
{
	if (!a->is_short)
		return 0;
	return err_set(e, ERR_PROTOCOL, "the server sent a damaged SFTP packet "
	    "of type %u", a->type);
}

int
packet_unexpected(const struct packet *a, struct err *e)
{
	return err_set(e, ERR_PROTOCOL, "the server sent an unexpected SFTP "
	    "packet, of type %u", a->type);
}

int
packet_expect(const struct packet *a, enum packet_type type, struct err *e)
{
	return a->type == type ? 0 : packet_unexpected(a, e);
}

/* --------------------------------------------------------------- status */

int
packet_get_status(struct packet *a, struct packet_status *out, struct err *e)
{
	const unsigned char *words;
	size_t i, n = 0;

	if (packet_expect(a, PACKET_STATUS, e) < 0)
		return -1;
	out->code = packet_get_u32(a);
	if (packet_check(a, e) < 0)
		return -1;
	/* servers that are older than version 3 end here */
	words = a->n > 0 ? packet_get_bytes(a, &n) : NULL;
	if (n >= sizeof(out->text))
		n = sizeof(out->text) - 1;
	for (i = 0; i < n; i++)
		out->text[i] = (char)(words[i] < ' ' || words[i] > '~' ?
		    '?' : words[i]);
	out->text[n] = '\0';
	return packet_check(a, e);
}

int
packet_get_refusal(struct packet *a, struct packet_status *status,
    struct err *e)
{
	if (packet_get_status(a, status, e) < 0)
		return -1;
	return status->code == STATUS_OK ? packet_unexpected(a, e) : 0;
}

int
packet_judge_attributes(struct packet *a, struct sftp_attributes *out,
    struct packet_status *status, struct err *e)
{
	uint32_t has;

	if (a->type == PACKET_STATUS)
		return packet_get_refusal(a, status, e);
	if (packet_expect(a, PACKET_ATTRS, e) < 0)
		return -1;
	has = packet_get_attributes(a, out);
	if (packet_check(a, e) < 0)
		return -1;
	if (!(has & PACKET_HAS_SIZE))
		return err_set(e, ERR_PROTOCOL,
		    "the server does not report file sizes");
	return 1;
}

static const struct reason {
	uint32_t code;
	enum err_kind kind;
	const char *text;
} reasons[] = {
	{STATUS_MISSING, ERR_MISSING, "no such file or directory"},
	{STATUS_REFUSED, ERR_REFUSED, "permission denied"},
	{STATUS_FAILURE, ERR_IO, NULL},
	{STATUS_NONSENSE, ERR_PROTOCOL, NULL},
	{STATUS_GONE, ERR_AGAIN, NULL},
	{STATUS_LOST, ERR_AGAIN, NULL},
	{STATUS_UNSUPPORTED, ERR_UNAVAILABLE, "the server does not support it"},
	{STATUS_EXISTS, ERR_CREATE, "that name exists already"},
};

static struct reason
reason_of(uint32_t code)
{
	size_t i;

	for (i = 0; i < COUNT(reasons); i++)
		if (reasons[i].code == code)
			return reasons[i];
	return (struct reason){.code = code, .kind = ERR_IO};
}

int
packet_status_err(const struct packet_status *status, struct err *e,
    const char *fmt, ...)
{
	struct reason reason = reason_of(status->code);
	char what[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* OpenSSH has this one word for all that it has no number for */
	if (status->code == STATUS_FAILURE &&
	    strcmp(status->text, "Failure") == 0)
		reason.text = "the server says only 'Failure': its disk "
		    "may be full or read-only";
	if (reason.text != NULL)
		return err_set(e, reason.kind, "%s: %s", what, reason.text);
	return err_set(e, reason.kind, "%s: the server says '%s' (%u)", what,
	    status->text, status->code);
}
