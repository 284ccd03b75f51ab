/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "settings.h"

#define LENGTH(literal_or_null) _Generic((literal_or_null), char * : sizeof(literal_or_null) - 1, default : 0)

const struct option options[OPTIONS] = {
/* The parameters' names must not be those of the fields. */
#define OPTION(id, letter_, name_, variable_, alias_, type_, field_, text_, metavar_, group_, commands_, help_) \
	[OPTION_##id] = { \
		.name = name_, \
		.variable = variable_, \
		.alias = alias_, \
		.text = text_, \
		.metavar = metavar_, \
		.field = offsetof(struct settings, field_), \
		.commands = ON_##commands_, \
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

const char *command_name(enum command command)
{
	static const char *const names[COMMANDS] = {
#define COMMAND(id, function, name, ...) [COMMAND_##id] = name,
#include "commands.def"
#undef COMMAND
	};

	return names[command];
}

enum command command_find(const char *word)
{
	enum command command = 0;

	while (command < COMMANDS && strcmp(word, command_name(command)) != 0)
		command++;
	return command;
}
