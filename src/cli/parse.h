/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One reading of a command line and an environment: what was given, and what it has come to so far. */
#ifndef ISTIO_INIT_PARSE_H
#define ISTIO_INIT_PARSE_H

#include "err.h"
#include "options.h"
#include "owners.h"
#include "settings.h"

enum source { SOURCE_DEFAULT, SOURCE_VARIABLE, SOURCE_ALIAS, SOURCE_OPTION };

struct given {
	const char *text; /* NULL: not given */
	enum source source;
};

/* What was wrong with a value, in parts, for who has words of his own for where the value came from; it is not warned of. */
struct value_refused {
	char item[256];
	const char *expected; /* static */
};

struct parse {
	struct settings settings;
	struct given given[OPTIONS];
	const struct option *option;  /* whose text is being parsed */
	struct range_list uid_groups; /* for each proxy UID the GID that goes with it */
	struct owners owners;
	struct value_refused *refused; /* filled by value_error; may be NULL */
	enum option_id between[2];     /* after an error of checks_conflicts */
	char *repeated;                /* the repeatable option's texts, joined; NULL without any */
	char **words;                  /* what is no option, NULL-ended */
	unsigned n_words;
};

/* Between the occurrences of a repeated option, which is kept as one text. */
#define REPEAT_SEPARATOR ';'

/* The option's text from here on is @text, if nothing that wins over @source has given one. */
void parse_take(struct parse *p, const struct option *option, const char *text, enum source source);

/* Whether it was given at all, by option or variable. */
bool parse_has(const struct parse *p, enum option_id id);

/* option_names of where the option's text came from: its own, or the variable. */
const char *option_source(const struct parse *p, const struct option *option, char text[OPTION_NAMES_MAX]);

/* The error for @item of the option that is being parsed; @where: NULL, or " in line ..." of a file. */
int value_error(const struct parse *p, const char *item, const char *where, const char *expected, struct err *err);

void parse_free(struct parse *p);

#endif
