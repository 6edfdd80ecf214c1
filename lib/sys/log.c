#include "lib/sys/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "lib/sys/screen.h"

#define REDRAW_SECONDS 0.1
#define ERASE "\r\033[K"	/* the line on which the cursor stands */

static const char *tool_name = "veilid-cicd";
static enum log_level loudest = LOG_NOTICE;
static bool on_terminal;
static bool in_colour;
static bool in_pipeline;	/* with others that may draw on this terminal */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	const char *label;	/* NULL: no progress under way */
	uint64_t total;		/* 0: unknown */
	bool is_drawn;
	atomic_uint_fast64_t done;
	double started;
	double drawn;
} progress;

static char *status_text;	/* NULL: none */

static double
now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool
is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

void
log_open(const char *tool, enum log_level level)
{
	tool_name = tool;
	loudest = level;
	on_terminal = isatty(STDERR_FILENO);
	in_colour = on_terminal && getenv("NO_COLOR") == NULL;
	in_pipeline = is_pipe(STDIN_FILENO) || is_pipe(STDOUT_FILENO);
	screen_start();
}

/* Length of the printable character that the text begins with, or 0. */
static size_t
printable(const char *text)
{
	uint32_t c = 0;
	size_t n = utf8_read(text, strnlen(text, 4), &c);

	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return 0;
	/* marks that turn the direction of the text */
	if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0x2028 || c == 0x2029)
		return 0;
	return n;
}

void
log_harmless(struct buf *out, const char *text)
{
	size_t n;

	for (; *text != '\0'; text += n) {
		n = printable(text);
		if (n > 0)
			buf_add(out, text, n);
		else
			buf_addf(out, "\\x%02x", (unsigned char)*text), n = 1;
	}
}

static const char *
prefix(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:
		return in_colour ? "\033[1;31merror:\033[0m " : "error: ";
	case LOG_WARNING:
		return in_colour ? "\033[1;33mwarning:\033[0m " : "warning: ";
	default:
		return "";
	}
}

static void
forget_status(void)
{
	free(status_text);
	status_text = NULL;
}

void
log_say(enum log_level level, const char *fmt, ...)
{
	struct buf line = BUF_INIT;
	va_list ap;
	char *text;
	int n;

	if (level > loudest)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	pthread_mutex_lock(&lock);
	if (on_terminal && (progress.label != NULL || status_text != NULL ||
	    in_pipeline))
		buf_str(&line, ERASE);
	buf_addf(&line, "%s: %s", tool_name, prefix(level));
	log_harmless(&line, text);
	buf_str(&line, "\n");
	/* An error may be the last word: nothing is left standing below it. */
	if (level == LOG_ERROR)
		forget_status();
	if (status_text != NULL)
		buf_str(&line, status_text);
	fwrite(line.p, 1, line.n, stderr);
	pthread_mutex_unlock(&lock);
	buf_clear(&line);
	free(text);
}

const char *
log_bytes(uint64_t n)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	static _Thread_local char text[2][32];
	static _Thread_local int turn;
	double v = (double)n;
	size_t unit = 0;

	while (v >= 1024 && unit < 4)
		v /= 1024, unit++;
	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), unit ? "%.1f %s" : "%.0f %s",
	    v, units[unit]);
	return text[turn];
}

const char *
log_time(uint64_t seconds)
{
	static _Thread_local char text[2][32];
	static _Thread_local int turn;
	unsigned long long minutes = (seconds + 30) / 60, hours;
	char *to;

	turn = !turn;
	to = text[turn];
	hours = (minutes + 30) / 60;
	if (seconds < 120)
		snprintf(to, sizeof(text[0]), "%u s", (unsigned)seconds);
	else if (minutes < 120)
		snprintf(to, sizeof(text[0]), "%llu min", minutes);
	else if (hours < 48)
		snprintf(to, sizeof(text[0]), "%llu h %llu min", minutes / 60,
		    minutes % 60);
	else
		snprintf(to, sizeof(text[0]), "%llu d %llu h", hours / 24,
		    hours % 24);
	return to;
}

/*
 * Cuts the text to what fits into one line of the terminal: of a line that
 * was wrapped only the last part can be cleared. A character in the last
 * column makes some terminals wrap.
 */
static void
fit(struct buf *line)
{
	line->n = screen_fit(buf_cstr(line), screen_columns(STDERR_FILENO) - 1);
	if (line->p != NULL)
		line->p[line->n] = '\0';
}

static void
draw(double now)
{
	uint64_t done = atomic_load(&progress.done);
	double spent = now - progress.started;
	double rate = spent > 0 ? (double)done / spent : 0;
	struct buf line = BUF_INIT;

	progress.drawn = now;
	buf_addf(&line, "%s: %s  %s", tool_name, progress.label,
	    log_bytes(done));
	if (progress.total >= done && progress.total > 0)
		buf_addf(&line, " of %s", log_bytes(progress.total));
	buf_addf(&line, "  %s/s", log_bytes((uint64_t)rate));
	if (progress.total >= done && progress.total > 0 && rate >= 1)
		buf_addf(&line, "  %s left", log_time((uint64_t)
		    ((double)(progress.total - done) / rate + 0.5)));
	fit(&line);
	fprintf(stderr, ERASE "%s", buf_cstr(&line));
	fflush(stderr);
	buf_clear(&line);
}

void
log_status(const char *fmt, ...)
{
	struct buf line = BUF_INIT;
	va_list ap;
	char *text;
	int n;

	if (!on_terminal || loudest < LOG_NOTICE)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (text[0] != '\0') {
		buf_addf(&line, "%s: ", tool_name);
		log_harmless(&line, text);
		fit(&line);
	}
	pthread_mutex_lock(&lock);
	if (status_text != NULL || line.n > 0)
		fprintf(stderr, ERASE "%s", buf_cstr(&line));
	fflush(stderr);
	forget_status();
	if (line.n > 0)
		status_text = buf_take(&line);
	pthread_mutex_unlock(&lock);
	buf_clear(&line);
	free(text);
}

void
log_progress_start(const char *label, uint64_t total)
{
	pthread_mutex_lock(&lock);
	progress.label = label;
	progress.total = total;
	progress.is_drawn = on_terminal && loudest >= LOG_NOTICE &&
	    !(total == 0 && is_pipe(STDIN_FILENO));
	atomic_store(&progress.done, 0);
	progress.started = now_seconds();
	progress.drawn = progress.started;
	pthread_mutex_unlock(&lock);
}

void
log_progress_add(uint64_t n)
{
	double now;

	atomic_fetch_add(&progress.done, n);
	if (!on_terminal || loudest < LOG_NOTICE)
		return;
	now = now_seconds();
	if (pthread_mutex_trylock(&lock) != 0)
		return;		/* another thread draws */
	if (progress.label != NULL && progress.is_drawn &&
	    now - progress.drawn >= REDRAW_SECONDS)
		draw(now);
	pthread_mutex_unlock(&lock);
}

void
log_progress_end(void)
{
	const char *label;
	double spent;

	pthread_mutex_lock(&lock);
	label = progress.label;
	spent = now_seconds() - progress.started;
	if (label != NULL && progress.is_drawn)
		fputs(ERASE, stderr);
	progress.label = NULL;
	pthread_mutex_unlock(&lock);
	if (label != NULL)
		log_notice("%s: %s in %.1f s", label,
		    log_bytes(atomic_load(&progress.done)), spent);
}
