#include "lib/sys/screen.h"

#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

#define USUAL_COLUMNS 80

static locale_t unicode;	/* 0: there is none */

/*
 * The tools run in the locale "C", so that numbers and sorting are the same
 * everywhere; this one is for wcwidth alone.
 */
void
screen_start(void)
{
	if (unicode == (locale_t)0)
		unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

size_t
screen_columns(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return USUAL_COLUMNS;
	return size.ws_col;
}

/*
 * Walks over the characters of text, up to n bytes and as many columns as
 * there are; returns the bytes, and the columns that they take.
 */
static size_t
walk(const char *text, size_t n, size_t most, size_t *columns)
{
	locale_t before;
	mbstate_t state = {0};
	size_t i = 0, length;
	wchar_t c;
	int width;

	before = unicode ? uselocale(unicode) : (locale_t)0;
	for (*columns = 0; i < n; i += length) {
		length = mbrtowc(&c, text + i, n - i, &state);
		if (length == 0 || length > n - i) {
			/* no UTF-8, or no such locale: a column a character */
			memset(&state, 0, sizeof(state));
			length = 1;
			width = (text[i] & 0xc0) != 0x80;
		} else {
			width = wcwidth(c);
		}
		if (width < 0)
			width = 1;	/* newer than this glibc */
		if ((size_t)width > most - *columns)
			break;
		*columns += (size_t)width;
	}
	if (before != (locale_t)0)
		uselocale(before);
	return i;
}

size_t
screen_width(const char *text, size_t n)
{
	size_t columns;

	walk(text, n, (size_t)-1, &columns);
	return columns;
}

size_t
screen_fit(const char *text, size_t columns)
{
	size_t taken;

	return walk(text, strlen(text), columns, &taken);
}
