/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "build_rules.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "text.h"
#include "util.h"

#define WORDS_MAX 64

void parse_line(struct config *cfg, const char *line)
{
	char *argv[WORDS_MAX + 1] = { "istio-init" }, *env[] = { NULL };
	char *words = xstrdup(line); /* the config points into it, as into a real argv */
	struct err err = { 0 };
	int argc = 1;

	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		ck_assert_int_lt(argc, WORDS_MAX);
		argv[argc++] = strcmp(word, "''") ? word : "";
	}
	memset(cfg, 0, sizeof(*cfg));
	ck_assert_msg(!cli_parse(cfg, argc, argv, env, &err), "%s: %s", line, err.what);
}

char *ruleset_text(const struct ruleset *rs)
{
	struct text_options options = { .families = FAMILY_BOTH };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	text_print_ruleset(out, rs, &options);
	fclose(out);
	return text;
}
