/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options, by the types of the table. */
#include "value.h"

#include <errno.h>
#include <stdint.h>

#include "addr.h"
#include "util.h"

#include "../cli/duration.h"
#include "../cli/item.h"
#include "quote.h"

void text_list_add(struct text_list *list, const char *text)
{
	*(const char **)array_push(&list->items, &list->n, sizeof(*list->items)) = text;
}

typedef bool value_parser(const struct inject_option *o, const char *text, void *field);

static bool parse_text(const struct inject_option *o, const char *text, void *field)
{
	(void)o;
	*(const char **)field = text;
	return true;
}

static bool parse_texts(const struct inject_option *o, const char *text, void *field)
{
	(void)o;
	text_list_add(field, text);
	return true;
}

static bool parse_bool(const struct inject_option *o, const char *text, void *field)
{
	int i = choice_find(BOOLEANS, text, false);

	(void)o;
	*(bool *)field = i % 2;
	return i >= 0;
}

static bool parse_choice(const struct inject_option *o, const char *text, void *field)
{
	int i = choice_find(o->metavar, text, false);

	*(unsigned *)field = (unsigned)i + (o->type == INJECT_CHOICE_OR_NONE);
	return i >= 0;
}

static bool parse_count(const struct inject_option *o, const char *text, void *field)
{
	uint32_t n;

	(void)o;
	if (!number_parse(text, INJECT_COUNT_MAX, &n) || !n)
		return false;
	*(unsigned *)field = n;
	return true;
}

static bool parse_duration(const struct inject_option *o, const char *text, void *field)
{
	(void)o;
	return duration_parse(text, field);
}

static const struct {
	value_parser *parse;
	const char *expected; /* NULL: the words of the metavar */
} types[] = {
	[INJECT_TEXT] = { parse_text, NULL },
	[INJECT_TEXTS] = { parse_texts, NULL },
	[INJECT_BOOL] = { parse_bool, "true or false" },
	[INJECT_CHOICE] = { parse_choice, NULL },
	[INJECT_CHOICE_OR_NONE] = { parse_choice, NULL },
	[INJECT_COUNT] = { parse_count, "a number from 1 to 65535" },
	[INJECT_DURATION] = { parse_duration, "a duration such as 5s, 1m30s or 500ms, at most 1193h" },
};

int inject_value_parse(const struct inject_option *o, const char *text, const char *source, struct inject_options *to,
		       struct err *err)
{
	char quoted[QUOTE_MAX];

	if (types[o->type].parse(o, text, (char *)to + o->field))
		return 0;
	return err_set(err, STATUS_USAGE, EINVAL, "%s: %s: expected %s", source, quote(text, quoted),
		       types[o->type].expected ? types[o->type].expected : o->metavar);
}
