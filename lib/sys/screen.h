/*
 * A terminal as something that has a width. Text is measured in columns of
 * the screen, not in bytes or characters: an umlaut takes one, a Chinese
 * character two, a combining accent none.
 *
 * Text must be what log_harmless made of it: UTF-8 without control characters.
 * The others may be called by any thread. log_open calls screen_start.
 */
#ifndef LIB_SYS_SCREEN_H
#define LIB_SYS_SCREEN_H

#include <stddef.h>

/* Opens a locale, which is a file: so once, and before any sandbox. */
void screen_start(void);

/* The columns of the terminal at fd; 80 where it does not say. */
size_t screen_columns(int fd);

/* How many columns the first n bytes of text take. */
size_t screen_width(const char *text, size_t n);

/* How many bytes of text, in whole characters, fit into that many columns. */
size_t screen_fit(const char *text, size_t columns);

#endif
