/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"

static struct log_options options = { .level = LOG_INFO, .fd = STDERR_FILENO };
static const char *program = "istio-init";

/* Bytes of the finished line; what is longer is cut. */
#define LINE_MAX_LEN 4096
/* With a diff in it. */
#define LINE_WITH_DIFF (8 * LINE_MAX_LEN)
/* The kernel refuses a record of more than 1024 bytes (PRINTKRB_RECORD_MAX, kernel/printk/printk_ringbuffer.h). */
#define KERNEL_LINE_MAX 1000

/* Bytes of lines that are held back, and how many of them are for warnings and errors alone. */
#define HELD_MAX (64 << 10)
#define HELD_FOR_ERRORS (16 << 10)

/* Untouched pages cost nothing, and an undo that says what it cannot put back may find no memory. */
static struct {
	bool on;
	size_t len;
	unsigned lost;
	char text[HELD_MAX];
} held;

struct line {
	size_t len, max;
	char text[LINE_WITH_DIFF];
};

static const char *const level_names[] = {
	[LOG_NONE] = "none", [LOG_FATAL] = "fatal", [LOG_ERROR] = "error",
	[LOG_WARN] = "warn", [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

void log_setup(const struct log_options *wanted)
{
	options = *wanted;
}

void log_set_program(const char *name)
{
	program = name;
}

bool log_enabled(enum log_level level)
{
	return level <= options.level;
}

static void line_put(struct line *line, const char *s, size_t n)
{
	/* Room stays for what closes the line. */
	size_t room = line->max - 8 - line->len;

	if (n > room)
		return;
	memcpy(line->text + line->len, s, n);
	line->len += n;
}

static void line_put_escaped(struct line *line, const char *text)
{
	char one[ESCAPE_MAX];

	while (*text) {
		text += escape_next(text, options.json ? "\"\\" : "", options.json, one);
		line_put(line, one, strlen(one));
	}
}

/*
 * RFC 3339, UTC.  Days to a date as in H. Hinnant's civil_from_days: years begin in March, so that the
 * leap day is their last.  gmtime_r and strftime would bring all time zones and the locale with them.
 */
static void print_time(char *stamp, size_t size)
{
	struct timespec now;
	long days, seconds, era, day, year, month;

	clock_gettime(CLOCK_REALTIME, &now);
	days = (long)(now.tv_sec / 86400) + 719468; /* since 0000-03-01 */
	seconds = (long)(now.tv_sec % 86400);
	era = days / 146097;
	day = days % 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	snprintf(stamp, size, "%04ld-%02ld-%02ldT%02ld:%02ld:%02ld.%06ldZ", year + era * 400 + (month >= 10),
		 month < 10 ? month + 3 : month - 9, day + 1, seconds / 3600, seconds / 60 % 60, seconds % 60,
		 now.tv_nsec / 1000);
}

static void put(const char *line, size_t len)
{
	/* What was printed before is to be read before; main tells if it cannot be written. */
	fflush(stdout);
	/* Nobody is left to be told if stderr is gone. */
	if (write(options.fd, line, len) < 0)
		return;
}

static void hold(enum log_level level, const char *line, size_t len)
{
	size_t room = HELD_MAX - (level > LOG_WARN ? HELD_FOR_ERRORS : 0);

	if (held.len + len > room) {
		held.lost++;
		return;
	}
	memcpy(held.text + held.len, line, len);
	held.len += len;
}

/* What stands before the program's name; the priorities of syslog(3) begin with 3 for an error. */
static size_t put_head(struct line *line, enum log_level level)
{
	static const char priorities[] = {
		[LOG_FATAL] = '3', [LOG_ERROR] = '3', [LOG_WARN] = '4', [LOG_INFO] = '6', [LOG_DEBUG] = '7'
	};
	char stamp[96] = "";

	if (options.style == LOG_KERNEL)
		return (size_t)snprintf(line->text, sizeof(line->text), "<%c>", priorities[level]);
	if (options.style == LOG_PLAIN)
		return 0;
	print_time(stamp, sizeof(stamp));
	return (size_t)snprintf(line->text, sizeof(line->text), "%s ", stamp);
}

__attribute__((format(printf, 4, 0))) static void write_line(enum log_level level, const char *members,
							     const char *diff, const char *fmt, va_list args)
{
	char text[LINE_MAX_LEN / 2], stamp[96];
	struct line line; /* not zeroed: it is pages */

	if (!log_enabled(level))
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	line.max = LINE_MAX_LEN;
	if (options.json) {
		print_time(stamp, sizeof(stamp));
		line.len = (size_t)snprintf(line.text, sizeof(line.text),
					    "{\"level\":\"%s\",\"time\":\"%s\",\"scope\":\"%s\",%s\"msg\":\"",
					    level_names[level], stamp, program, members);
		line_put_escaped(&line, text);
		if (diff) {
			line.max = LINE_WITH_DIFF;
			line_put(&line, "\",\"diff\":\"", 10);
			line_put_escaped(&line, diff);
		}
		memcpy(line.text + line.len, "\"}", 2);
		line.len += 2;
	} else {
		line.len = put_head(&line, level);
		line.len += (size_t)snprintf(line.text + line.len, sizeof(line.text) - line.len, "%s: %s%s", program,
					     level == LOG_INFO ? "" : level_names[level], level == LOG_INFO ? "" : ": ");
		line_put_escaped(&line, text);
		if (options.style == LOG_KERNEL && line.len > KERNEL_LINE_MAX)
			line.len = KERNEL_LINE_MAX;
	}
	line.text[line.len++] = '\n';
	if (held.on)
		hold(level, line.text, line.len);
	else
		put(line.text, line.len);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line(level, "", NULL, fmt, args);
	va_end(args);
}

void log_members(enum log_level level, const char *members, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line(level, members, NULL, fmt, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void log_with_diff(const char *diff, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line(LOG_ERROR, "", diff, fmt, args);
	va_end(args);
}

void log_difference(const char *what, const char *diff)
{
	log_with_diff(diff, "%s", what);
}

void log_hold(void)
{
	held.on = true;
}

void log_release(void)
{
	const char *line = held.text, *end = held.text + held.len;
	unsigned lost = held.lost;

	held.on = false;
	held.len = held.lost = 0;
	for (const char *next; line < end; line = next) {
		next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
		put(line, (size_t)(next - line));
	}
	if (lost)
		log_warn("%u more lines did not fit into memory", lost);
}
