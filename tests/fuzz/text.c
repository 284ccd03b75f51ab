/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "text.h"
#include "util.h"

#include "../../src/cli/options.h"

void fuzz_text_read(struct fuzz_text *text, const uint8_t *data, size_t size)
{
	static char empty[] = "";
	size_t len;

	memset(text, 0, sizeof(*text));
	text->copy = xcalloc(size + 1, 1);
	memcpy(text->copy, data, size);
	text->file = empty;
	len = strlen(text->copy);
	for (char *line = text->copy, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!strcmp(line, "---")) {
			text->file = next ? next : empty;
			text->file_size = next ? size - (size_t)(next - text->copy) : 0;
			break;
		}
		/* the last line's end begins no other */
		if (!*line && line == text->copy + len)
			break;
		if (*line == '$' && text->n_variables < 64)
			text->variables[text->n_variables++] = line + 1;
		else if (*line != '$' && text->n_words < 64)
			text->words[text->n_words++] = line;
	}
}

void fuzz_text_free(struct fuzz_text *text)
{
	free(text->copy);
}

void fuzz_config(struct config *cfg, char **words)
{
	char *env[] = { NULL };
	struct err err = { 0 };
	int argc = 0;

	while (words[argc])
		argc++;
	memset(cfg, 0, sizeof(*cfg));
	FUZZ_CHECK(!cli_parse(cfg, argc, words, env, &err));
}

const struct option *fuzz_option(const char *name)
{
	for (const struct option *o = options; o < options + OPTIONS; o++)
		if ((o->name && !strcmp(o->name, name)) || (o->variable && !strcmp(o->variable, name)))
			return o;
	return NULL;
}

static void explain(FILE *out, const struct ruleset *rs, char **words)
{
	struct explanation e;
	struct packet packet;
	struct err err = { 0 };

	FUZZ_CHECK(!packet_parse(&packet, words, &err));
	if (!explain_packet(&e, rs, &packet, &err))
		text_print_explanation(out, &e, &packet, rs->layout, &(struct listeners){ 15001, 15006, 15053 });
	explanation_free(&e);
}

void fuzz_use_ruleset(const struct ruleset *rs)
{
	static char *packets[][6] = {
		{ "in", "dst=10.0.0.1", "dport=80" },
		{ "in", "dst=fd00::1", "proto=udp", "dport=53" },
		{ "out", "dst=10.0.0.1", "dport=15001", "uid=1337" },
		{ "out", "dst=::1", "proto=tcp", "mark=1338" },
	};
	static const struct text_options all = { .families = FAMILY_BOTH, .counters = true },
					 plain = { .families = FAMILY_BOTH };
	struct ruleset *none = ruleset_new(rs->layout, FAMILY_BOTH);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	text_print_ruleset(out, rs, &all);
	text_print_ruleset(out, rs, &plain);
	text_print_diff(out, rs, none, true);
	if (rs->layout == LAYOUT_IPTABLES)
		text_print_picture(out, rs, IPV4, false);
	text_print_picture(out, rs, IPV4, true);
	for (unsigned i = 0; i < ARRAY_SIZE(packets); i++)
		explain(out, rs, packets[i]);
	fclose(out);
	free(text);
	ruleset_free(none);
}
