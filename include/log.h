/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logging to stderr (or --log_target), as text or one JSON object a line. */
#ifndef ISTIO_INIT_LOG_H
#define ISTIO_INIT_LOG_H

#include <stdbool.h>

enum log_level { LOG_NONE, LOG_FATAL, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* How a line of text begins. */
enum log_style {
	LOG_PLAIN,  /* with the program's name: whoever reads stderr notes the time himself */
	LOG_DATED,  /* with the time before that, for a file */
	LOG_KERNEL, /* with a priority, for /dev/kmsg, and short enough for it */
};

struct log_options {
	enum log_level level;
	bool json; /* not with LOG_KERNEL */
	enum log_style style;
	int fd; /* where lines go; 2 by default */
};

/* Set once, after the options are known: with what log_hold keeps, the only writable globals of the program. */
void log_setup(const struct log_options *options);

/* The name that lines begin with, if it is not istio-init. */
void log_set_program(const char *name);

bool log_enabled(enum log_level level);

/*
 * Writes one line with one write(2).  Control characters in the text are shown
 * as \n, \t or \xNN, so that a value of the user's can never make a second line.
 */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The same with @members, of the object that a line of JSON is: "\"rules\":24,"; text lines have only the words.
 */
void log_members(enum log_level level, const char *members, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* An error of which @diff is the reason: a member of the object that a line of JSON is, cut if it is very long. */
void log_difference(const char *what, const char *diff);

/*
 * From log_hold to log_release lines are kept in memory instead of being written: who reads them could keep a lock from
 * others.  If they become too many, lines below a warning are left out first; how many is said.
 */
void log_hold(void);
void log_release(void);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
