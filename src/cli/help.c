/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "options.h"
#include "util.h"

#ifndef ISTIO_INIT_VERSION
#define ISTIO_INIT_VERSION "unknown"
#endif

#define WIDTH 79
#define INDENT 10

static const char *const group_titles[GROUPS] = {
	[GROUP_PROXY] = "The proxy",
	[GROUP_INBOUND] = "Inbound traffic",
	[GROUP_OUTBOUND] = "Outbound traffic",
	[GROUP_INTERFACES] = "Interfaces",
	[GROUP_DNS] = "DNS",
	[GROUP_RUN] = "The run",
	[GROUP_BACKEND] = "How the rules are written",
	[GROUP_PRINT] = "What is printed",
	[GROUP_VALIDATION] = "Validation",
	[GROUP_CNI] = "The CNI plugin on a node",
	[GROUP_OLD] = "Options of older releases",
	[GROUP_LOG] = "Logs",
	[GROUP_HELP] = "Help",
};

/* One after the other, each ended by a NUL: an array of pointers would be relocated at each start. */
static const char help_texts[] =
#define OPTION(id, letter, name, variable, alias, type, field, text, metavar, group, commands, help) help "\0"
#include "options.def"
#undef OPTION
	;

static const char *help_text(enum option_id id)
{
	const char *text = help_texts;

	while (id--)
		text += strlen(text) + 1;
	return text;
}

static const struct {
	const char *usage, *summary, *examples[2]; /* the usage ends in a blank */
} commands[COMMANDS] = {
#define COMMAND(id, function, name, arguments, summary, ...) \
	[COMMAND_##id] = { name " " arguments, summary, { __VA_ARGS__ } },
#include "commands.def"
#undef COMMAND
};

/* Prints words at @column, wrapped; *@at is where the line stands. */
static void print_wrapped(FILE *out, const char *text, size_t column, size_t *at)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (*at > column && *at + 1 + n > WIDTH) {
			fputc('\n', out);
			*at = 0;
		}
		if (*at < column)
			*at += (size_t)fprintf(out, "%*s", (int)(column - *at), "");
		else if (*at > column)
			*at += (size_t)fprintf(out, " ");
		*at += (size_t)fprintf(out, "%.*s", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

static void print_head(FILE *out, const struct option *o)
{
	if (!o->name)
		fprintf(out, "  $%s", o->variable);
	else if (o->letter)
		fprintf(out, "  -%c, --%s", o->letter, o->name);
	else
		fprintf(out, "      --%s", o->name);
	if (o->metavar)
		fprintf(out, " %s", o->metavar);
	fputc('\n', out);
}

static void print_option(FILE *out, enum option_id id)
{
	const struct option *o = &options[id];
	char extra[128];
	size_t at = 0;

	print_head(out, o);
	print_wrapped(out, help_text(id), INDENT, &at);
	if (o->type != TYPE_BOOL && *o->text) {
		snprintf(extra, sizeof(extra), "(default %s)", o->text);
		print_wrapped(out, extra, INDENT, &at);
	}
	if (o->name && o->variable) {
		snprintf(extra, sizeof(extra), "[%s%s%s]", o->alias ? o->alias : "", o->alias ? ", " : "", o->variable);
		print_wrapped(out, extra, INDENT, &at);
	}
	fputc('\n', out);
}

/* Those that go with one of the commands. */
static void print_options(FILE *out, unsigned with)
{
	for (enum option_group group = 0; group < GROUPS; group++) {
		bool titled = false;

		for (enum option_id id = 0; id < OPTIONS; id++) {
			if (options[id].group != group || !(options[id].commands & with))
				continue;
			if (!titled)
				fprintf(out, "\n%s:\n", group_titles[group]);
			titled = true;
			print_option(out, id);
		}
	}
}

static void print_all(FILE *out)
{
	fputs("Usage: istio-init [COMMAND] [OPTION]...\n\n"
	      "Redirects a pod's traffic to its proxy: builds Istio's rules and puts them into\n"
	      "the network namespace that it is started in.\n\nCommands:\n",
	      out);
	for (enum command c = 0; c < COMMANDS; c++) {
		size_t at = (size_t)fprintf(out, "  %s", commands[c].usage);

		print_wrapped(out, commands[c].summary, 20, &at);
		fputc('\n', out);
	}
	fputs("\nistio-init help COMMAND: the options that go with one, and examples.\n", out);
	print_options(out, ON_ALL);
	fputs("\nThe command line wins over the variable in brackets (the first of two wins), and\n"
	      "that over the default. Lists are parted by commas; an item @PATH stands for the\n"
	      "items in that file.\n\n"
	      "Exit status: 0 done, 1 failed and nothing changed, 2 diff found a difference,\n"
	      "64 bad usage or value, 69 this kernel cannot do it, 75 a rival was faster,\n"
	      "77 a privilege is missing, 126 validation failed. See istio-init(8).\n",
	      out);
}

static void print_one(FILE *out, enum command command)
{
	size_t at = 0;

	fprintf(out, "Usage: istio-init %s[OPTION]...\n\n", commands[command].usage);
	print_wrapped(out, commands[command].summary, 2, &at);
	fputs("\n\nExamples:\n", out);
	for (unsigned i = 0; i < ARRAY_SIZE(commands[command].examples); i++)
		fprintf(out, "  %s\n", commands[command].examples[i]);
	print_options(out, COMMAND_BIT(command));
}

int command_help(const struct config *cfg, struct err *err)
{
	(void)err;
	if (cfg->topic < COMMANDS)
		print_one(stdout, cfg->topic);
	else
		print_all(stdout);
	return STATUS_DONE;
}

int command_version(const struct config *cfg, struct err *err)
{
	(void)cfg;
	(void)err;
	puts("istio-init " ISTIO_INIT_VERSION);
	return STATUS_DONE;
}
