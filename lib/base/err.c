#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	/* By way of a copy: the arguments may point into e->text. */
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->kind = kind;
	memcpy(e->text, text, sizeof(text));
	return -1;
}

static enum err_kind
kind_of_errno(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return ERR_MISSING;
	case EACCES:
	case EPERM:
	case ELOOP:
	case EXDEV:	/* from openat2: the path leaves its directory */
		return ERR_REFUSED;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return ERR_RESOURCE;
	case EEXIST:
	case EROFS:
		return ERR_CREATE;
	case EAGAIN:
	case ETIMEDOUT:
	case ECONNRESET:
		return ERR_AGAIN;
	default:
		return ERR_IO;
	}
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int code = errno;
	char text[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, kind_of_errno(code), "%s: %s", text, strerror(code));
}

int
err_wrap(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, e->kind, "%s: %s", text, e->text);
}

static int
rank(enum err_kind kind)
{
	static const enum err_kind order[] = {
		ERR_NONE, ERR_AGAIN, ERR_UNAVAILABLE, ERR_PROTOCOL, ERR_MISSING,
		ERR_CREATE, ERR_IO, ERR_RESOURCE, ERR_USAGE, ERR_CONFIG,
		ERR_DATA, ERR_REFUSED, ERR_BUG, ERR_SIGNAL,
	};
	int i;

	for (i = 0; i < (int)(sizeof(order) / sizeof(order[0])); i++)
		if (order[i] == kind)
			return i;
	return i;
}

enum err_kind
err_worst(enum err_kind a, enum err_kind b)
{
	return rank(a) > rank(b) ? a : b;
}
