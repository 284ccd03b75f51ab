/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "util.h"

#define LENGTH(literal_or_null) _Generic((literal_or_null), char *: sizeof(literal_or_null) - 1, default: 0)

const struct option options[OPTIONS] = {
/* The parameters' names must not be those of the fields. */
#define OPTION(id, letter_, name_, variable_, alias_, type_, field_, text_, metavar_, group_, help_) \
	[OPTION_##id] = { \
		.name = name_, \
		.variable = variable_, \
		.alias = alias_, \
		.text = text_, \
		.metavar = metavar_, \
		.field = offsetof(struct settings, field_), \
		.type = TYPE_##type_, \
		.group = GROUP_##group_, \
		.variable_len = LENGTH(variable_), \
		.alias_len = LENGTH(alias_), \
		.letter = letter_, \
	},
#include "options.def"
#undef OPTION
};

#undef LENGTH

static const char *const commands[] = {
	[COMMAND_APPLY] = "apply", [COMMAND_DIFF] = "diff",	  [COMMAND_SHOW] = "show",
	[COMMAND_CLEAN] = "clean", [COMMAND_EXPLAIN] = "explain", [COMMAND_HELP] = "help",
	[COMMAND_VERSION] = "version",
};

const struct option *option_find(const char *name, size_t len)
{
	for (const struct option *o = options; o < options + OPTIONS; o++)
		if (o->name && !strncmp(o->name, name, len) && !o->name[len])
			return o;
	return NULL;
}

const struct option *option_find_letter(char letter)
{
	for (const struct option *o = options; o < options + OPTIONS; o++)
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

const char *option_names(const struct option *option, char text[OPTION_NAMES_MAX])
{
	if (!option->name)
		return option->variable;
	if (option->letter)
		snprintf(text, OPTION_NAMES_MAX, "--%s (-%c)", option->name, option->letter);
	else
		snprintf(text, OPTION_NAMES_MAX, "--%s", option->name);
	return text;
}

const char *option_source(const struct parse *p, const struct option *option, char text[OPTION_NAMES_MAX])
{
	switch (p->given[option - options].source) {
	case SOURCE_VARIABLE:
		return option->variable;
	case SOURCE_ALIAS:
		return option->alias;
	default:
		return option_names(option, text);
	}
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Longer words are compared by their beginning. */
#define WORD_MAX 64

/*
 * How far @word is from @name: twice the letters to insert, drop or change
 * (Levenshtein), 1 if the name only goes on: users of other parsers abbreviate.
 */
static unsigned distance(const char *word, const char *name)
{
	unsigned row[WORD_MAX + 1], n = (unsigned)strnlen(word, WORD_MAX);

	if (n && !strncmp(word, name, n))
		return 1;
	for (unsigned i = 0; i <= n; i++)
		row[i] = i * 2;
	for (const char *c = name; *c; c++) {
		unsigned corner = row[0];

		row[0] += 2;
		for (unsigned i = 1; i <= n; i++) {
			unsigned above = row[i];

			row[i] = min3(corner + (word[i - 1] == *c ? 0 : 2), above + 2, row[i - 1] + 2);
			corner = above;
		}
	}
	return row[n];
}

const struct option *option_nearest(const char *word)
{
	const struct option *nearest = NULL;
	unsigned least = ~0u;

	for (const struct option *o = options; o < options + OPTIONS; o++) {
		unsigned d = o->name ? distance(word, o->name) : ~0u;

		if (d < least) {
			least = d;
			nearest = o;
		}
	}
	return nearest;
}

const char *command_nearest(const char *word)
{
	unsigned nearest = 0;

	for (unsigned i = 1; i < ARRAY_SIZE(commands); i++)
		if (distance(word, commands[i]) < distance(word, commands[nearest]))
			nearest = i;
	return commands[nearest];
}

bool command_find(const char *word, enum command *command)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(word, commands[i])) {
			*command = (enum command)i;
			return true;
		}
	return false;
}
