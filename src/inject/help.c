/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help [COMMAND], version */
#include <string.h>

#include "inject.h"
#include "util.h"

#include "../cli/options.h"

#ifndef ISTIO_INIT_VERSION
#define ISTIO_INIT_VERSION "unknown"
#endif

#define WIDTH 79
#define INDENT 10

/* Words at @column, wrapped; @at is where the line stands. */
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
	buffer_printf(out, "\nExamples:\n  %s\n  %s\n", verb->examples[0], verb->examples[1]);
}

int verb_help(const struct inject_options *asked, struct buffer *out, struct err *err)
{
	(void)err;
	if (asked->topic) {
		put_topic(out, asked->topic);
		return STATUS_DONE;
	}
	buffer_puts(out, "Usage: istio-inject [COMMAND] [OPTION]...\n\n"
			 "Puts istio-init and a proxy container into pods: documents in, the same documents with\n"
			 "the pods injected out; and what a cluster needs to do the same to each new pod.\n\nCommands:\n");
	for (unsigned i = 0; i < INJECT_VERBS; i++) {
		buffer_printf(out, "  %s", inject_verbs[i].usage);
		put_wrapped(out, inject_verbs[i].summary, 20, 2 + strlen(inject_verbs[i].usage));
	}
	buffer_puts(out, "\nOptions:\n");
	put_options(out, FOR_ALL);
	buffer_puts(out, "\nLogs, as istio-init(8) has them:\n");
	for (const struct option *o = options; o < options + OPTIONS; o++)
		if (o->group == GROUP_LOG)
			buffer_printf(out, "      --%s%s%s\n", o->name, o->metavar ? " " : "",
				      o->metavar ? o->metavar : "");
	buffer_puts(out, "\nThe command line wins over the variable ISTIO_INJECT_NAME, and that over the default.\n\n"
			 "Exit status: 0 done, 1 failed and nothing written, 2 diff found a difference or check\n"
			 "a pod that is not injected, 64 bad usage or configuration, 65 a document is wrong,\n"
			 "69 policy: CEL cannot say it, check --webhook: not reachable, or wrong.\n"
			 "See istio-inject(8).\n");
	return STATUS_DONE;
}

int verb_version(const struct inject_options *asked, struct buffer *out, struct err *err)
{
	(void)asked;
	(void)err;
	buffer_printf(out, "istio-inject %s\n", ISTIO_INIT_VERSION);
	return STATUS_DONE;
}
