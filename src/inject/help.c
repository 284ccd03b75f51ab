/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help [COMMAND], version */
#include <string.h>

#include "inject.h"
#include "util.h"

#ifndef ISTIO_INIT_VERSION
#define ISTIO_INIT_VERSION "unknown"
#endif

#define WIDTH 79
#define INDENT 10

/* Those that istio-init's table brings along. */
static const struct {
	const char *group, *name, *metavar, *help;
} log_options[] = {
#define OPTION(id, letter, name, variable, alias, type, field, text, metavar, group, help) { #group, name, metavar, help },
#include "../cli/options.def"
#undef OPTION
};

/* Words at column @INDENT, wrapped. */
static void put_wrapped(struct buffer *out, const char *text, size_t column, size_t at)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (at > column && at + 1 + n > WIDTH) {
			buffer_putc(out, '\n');
			at = 0;
		}
		if (at < column)
			buffer_printf(out, "%*s", (int)(column - at), "");
		else if (at > column)
			buffer_putc(out, ' ');
		at = (at < column ? column : at + (at > column)) + n;
		buffer_put(out, text, n);
		text += n;
		text += strspn(text, " ");
	}
	buffer_putc(out, '\n');
}

static void put_option(struct buffer *out, const struct inject_option *o)
{
	auto_free char *help = NULL;
	struct buffer text = { 0 };

	if (o->letter)
		buffer_printf(out, "  -%c, --%s", o->letter, o->name);
	else
		buffer_printf(out, "      --%s", o->name);
	buffer_printf(out, "%s%s\n", o->metavar ? " " : "", o->metavar ? o->metavar : "");
	buffer_puts(&text, o->help);
	if (o->text && o->type != INJECT_BOOL)
		buffer_printf(&text, " (default %s)", o->text);
	help = text.data;
	put_wrapped(out, help, INDENT, 0);
}

static void put_options(struct buffer *out, unsigned commands)
{
	for (unsigned i = 0; i < inject_table_len; i++)
		if (inject_table[i].commands & commands)
			put_option(out, &inject_table[i]);
}

static void put_topic(struct buffer *out, const struct inject_verb *verb)
{
	buffer_printf(out, "Usage: istio-inject %s [OPTION]...\n\n", verb->usage);
	put_wrapped(out, verb->summary, 0, 0);
	buffer_puts(out, "\nOptions:\n");
	put_options(out, 1u << (verb - inject_verbs));
	if (verb->examples[0])
		buffer_printf(out, "\nExamples:\n  %s\n  %s\n", verb->examples[0], verb->examples[1]);
}

int command_help(const struct inject_options *options, struct buffer *out, struct err *err)
{
	(void)err;
	if (options->topic) {
		put_topic(out, options->topic);
		return STATUS_DONE;
	}
	buffer_puts(out, "Usage: istio-inject [COMMAND] [OPTION]...\n\n"
			 "Puts istio-init and a proxy container into pods: documents in, the same documents with\n"
			 "the pods injected out.\n\nCommands:\n");
	for (unsigned i = 0; i < INJECT_VERBS; i++) {
		buffer_printf(out, "  %s", inject_verbs[i].usage);
		put_wrapped(out, inject_verbs[i].summary, 20, 2 + strlen(inject_verbs[i].usage));
	}
	buffer_puts(out, "\nOptions:\n");
	put_options(out, FOR_ALL);
	buffer_puts(out, "\nLogs:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(log_options); i++)
		if (!strcmp(log_options[i].group, "LOG")) {
			buffer_printf(out, "      --%s%s%s\n", log_options[i].name, log_options[i].metavar ? " " : "",
				      log_options[i].metavar ? log_options[i].metavar : "");
			put_wrapped(out, log_options[i].help, INDENT, 0);
		}
	buffer_puts(out, "\nThe command line wins over the variable ISTIO_INJECT_NAME, and that over the default.\n\n"
			 "Exit status: 0 done, 1 failed and nothing written, 2 diff found a difference or check\n"
			 "a pod that is not injected, 64 bad usage or configuration, 65 a document is wrong.\n"
			 "See istio-inject(8).\n");
	return STATUS_DONE;
}

int command_version(const struct inject_options *options, struct buffer *out, struct err *err)
{
	(void)options;
	(void)err;
	buffer_printf(out, "istio-inject %s\n", ISTIO_INIT_VERSION);
	return STATUS_DONE;
}
