/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"
#include "util.h"

void parse_take(struct parse *p, const struct option *option, const char *text, enum source source)
{
	struct given *given = &p->given[option - options];

	/* of two options the last counts, of two variables of one name the first, as getenv has it */
	if (given->source > source || (given->source == source && source != SOURCE_OPTION))
		return;
	if (option->type == TYPE_PORT_OWNERS && given->source == SOURCE_OPTION) {
		size_t n = strlen(given->text), size = n + 1 + strlen(text) + 1;
		char *joined = xcalloc(size, 1);

		snprintf(joined, size, "%s%c%s", given->text, REPEAT_SEPARATOR, text);
		free(p->repeated);
		text = p->repeated = joined;
	}
	given->text = text;
	given->source = source;
}

bool parse_has(const struct parse *p, enum option_id id)
{
	return p->given[id].source != SOURCE_DEFAULT;
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

int value_error(const struct parse *p, const char *item, const char *where, const char *expected, struct err *err)
{
	char names[OPTION_NAMES_MAX], quoted[QUOTE_MAX];

	if (p->refused) {
		snprintf(p->refused->item, sizeof(p->refused->item), "%s", item);
		p->refused->expected = expected;
	}
	return err_set(err, STATUS_USAGE, EINVAL, "%s: %s%s: expected %s", option_source(p, p->option, names),
		       quote(item, quoted), where ? where : "", expected);
}

void parse_free(struct parse *p)
{
	owners_free(&p->owners);
	free(p->uid_groups.items);
	free(p->repeated);
	free(p->words);
}
