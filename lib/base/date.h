/*
 * Dates as they are written: RFC 3339, as JSON APIs and our manifests have
 * them, and RFC 1123, as the Release files of Debian repositories have them.
 * All are seconds since the epoch, and what is written is in UTC.
 *
 *	char text[DATE_SIZE];
 *	date_format(clock_now(), text);
 *	if (!date_parse(text, &seconds)) ...
 */
#ifndef LIB_BASE_DATE_H
#define LIB_BASE_DATE_H

#include <stdbool.h>
#include <stdint.h>

#define DATE_SIZE 32

/*
 * Writes "2026-01-02T03:04:05Z"; the epoch itself for what is before it, or
 * after the year 9999.
 */
void date_format(int64_t seconds, char text[DATE_SIZE]);

/*
 * Reads RFC 3339, with or without a fraction of a second, with "Z" or an
 * offset. False for anything else, and *seconds is then as it was.
 */
bool date_parse(const char *text, int64_t *seconds);

/* Reads only what date_format writes, from the epoch on. */
bool date_parse_exact(const char *text, int64_t *seconds);

/* Writes "Fri, 02 Jan 2026 03:04:05 UTC", with the same bounds. */
void date_format_rfc1123(int64_t seconds, char text[DATE_SIZE]);

/* Reads the same, with UTC, GMT, Z or +0000 at the end. */
bool date_parse_rfc1123(const char *text, int64_t *seconds);

#endif
