/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing of one option's text; shared by the files that know the types. */
#ifndef ISTIO_INIT_VALUES_H
#define ISTIO_INIT_VALUES_H

#include "options.h"

/* The error for @item of the option that is being parsed; @where: NULL, or " in line ..." of a file. */
int value_error(const struct parse *p, const char *item, const char *where, const char *expected, struct err *err);

/* A list type (TYPE_PORTS ... TYPE_GID_RANGES) into its list; @text is not kept. */
int list_parse(struct parse *p, enum option_type type, const char *text, void *list, struct err *err);

/* TYPE_PORT_OWNERS */
int port_owners_parse(struct parse *p, const char *text, void *list, struct err *err);

/* TYPE_LOG_LEVEL, TYPE_LOG_TARGET */
int log_level_parse(struct parse *p, const char *text, void *level, struct err *err);
int log_target_parse(struct parse *p, const char *text, void *fd, struct err *err);

/* The words of --log_output_level, in the order of enum log_level. */
#define LOG_LEVELS "none|fatal|error|warn|info|debug"

/* The index of @word among @words, which are parted by '|'; -1 if it is none of them. */
int choice_find(const char *words, const char *word, bool any_case);

/*
 * The next item of *@text: NUL-ended, without blanks around it, not empty; NULL at the end.
 * Items are parted by any of @separators; *@text is written to and moved on.
 */
char *item_next(char **text, const char *separators);

#endif
